/* region-results.c: attaches the results of a frame's regions to the frame. */
#include "classify/region-results.h"

#ifdef HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>
#endif

#include "common/structure.h"

static void append(GValue *list, const GstVitgateRegion *region,
                   const GstVitgateFrameResult *result)
{
  GstStructure *s = gst_structure_new_empty("region");
  GValue item = G_VALUE_INIT;

  gst_vitgate_results_set_place(s, &region->place);
  if (region->type)
    structure_set_string(s, "type", g_quark_to_string(region->type));
  structure_set_int(s, "id", region->tracked && region->id <= G_MAXINT ? (gint)region->id : -1);
  gst_vitgate_results_set(s, result);
  g_value_init(&item, GST_TYPE_STRUCTURE);
  g_value_take_boxed(&item, s);
  gst_value_array_append_and_take_value(list, &item);
}

#ifdef HAVE_GST_ANALYTICS
/* Readers look for different relations. GStreamer's overlay draws the first class that the
 * detection is related to. DL Streamer takes only what the detection contains, and joins all
 * classes of one GstAnalyticsClsMtd to one label; its Python part compares relations for equality.
 * So the top classes are related and the best one is contained. */
static void relate(GstBuffer *buffer, guint detection, const GstVitgateFrameResult *result)
{
  GstAnalyticsRelationMeta *relations = gst_buffer_get_analytics_relation_meta(buffer);
  guint top, best;

  if (gst_vitgate_results_attach_classes(buffer, result, result->n, &top))
    gst_analytics_relation_meta_set_relation(relations, GST_ANALYTICS_REL_TYPE_RELATE_TO, detection,
                                             top);
  if (!gst_vitgate_results_attach_classes(buffer, result, 1, &best))
    return;
  gst_analytics_relation_meta_set_relation(relations, GST_ANALYTICS_REL_TYPE_CONTAIN, detection,
                                           best);
  gst_analytics_relation_meta_set_relation(relations, GST_ANALYTICS_REL_TYPE_IS_PART_OF, best,
                                           detection);
}
#endif

void gst_vitgate_region_results_attach(GstBuffer *buffer, const GstVitgateRegion *region,
                                       const GstVitgateFrameResult *result, GValue *list)
{
  append(list, region, result);
  if (result->n == 0)
    return;
  if (region->roi)
    gst_video_region_of_interest_meta_add_param(region->roi,
                                                gst_vitgate_results_new_parameter(result));
#ifdef HAVE_GST_ANALYTICS
  if (region->detection >= 0)
    relate(buffer, (guint)region->detection, result);
#endif
}

static void set_list(GstStructure *s, const GstVitgateRegionResults *results)
{
  gst_structure_set_value(s, "regions", results->list);
  gst_vitgate_results_set_look(s, results->look);
  structure_set_uint(s, "class-count", results->model->n_classes);
  structure_set_string(s, "model-name", results->model->name);
  structure_set_string(s, "state", gst_vitgate_state_name(results->state));
  structure_set_double(s, "gmacs", results->gmacs);
  structure_set_uint64(s, "inference-time", results->inference_time);
}

void gst_vitgate_region_results_attach_list(GstBuffer *buffer,
                                            const GstVitgateRegionResults *results)
{
  GstCustomMeta *meta = gst_buffer_add_custom_meta(buffer, GST_VITGATE_META);

  set_list(gst_custom_meta_get_structure(meta), results);
}

GstMessage *gst_vitgate_region_results_message(GstObject *source,
                                               const GstVitgateRegionResults *results,
                                               const GstVitgateFrameTimes *times)
{
  GstStructure *s = gst_vitgate_results_new_message(times);

  set_list(s, results);
  return gst_message_new_element(source, s);
}
