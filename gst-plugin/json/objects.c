/* objects.c: reads everything that detectors attached to a frame. */
#include "json/objects.h"

#include "common/results.h"
#include "common/tracks.h"

/* Parameters of DL Streamer's elements: the detection, and the tracker's number. */
static void read_parameters(GstVitgateObject *object, GstVideoRegionOfInterestMeta *roi)
{
  const GstStructure *detection = gst_video_region_of_interest_meta_get_param(roi, "detection");

  if (detection) {
    gst_structure_get_double(detection, "confidence", &object->confidence);
    gst_structure_get_int(detection, "label_id", &object->label_id);
  }
  object->tracked = gst_vitgate_track_of_roi(roi, &object->id);
}

static void read_roi(GArray *objects, GstVideoRegionOfInterestMeta *roi)
{
  GstVitgateObject object = { .x = (gint)roi->x,
                              .y = (gint)roi->y,
                              .width = (gint)roi->w,
                              .height = (gint)roi->h,
                              .type = roi->roi_type,
                              .confidence = -1,
                              .label_id = -1,
                              .region_id = roi->id != 0 ? roi->id : -1,
                              .parent_id = roi->parent_id > 0 ? roi->parent_id : -1,
                              .detection = -1,
                              .parameters = roi->params };

  if (roi->roi_type == g_quark_from_static_string(GST_VITGATE_FULL_FRAME))
    return;
  read_parameters(&object, roi);
  g_array_append_val(objects, object);
}

#ifdef HAVE_GST_ANALYTICS

/* Returns: the number of the detection's type in the first list of classes that has it; -1: none */
static gint find_label_id(const GstAnalyticsODMtd *detection, GQuark type)
{
  GstAnalyticsClsMtd classes;
  gpointer state = NULL;

  while (type && gst_analytics_relation_meta_get_direct_related(
                     detection->meta, detection->id, GST_ANALYTICS_REL_TYPE_RELATE_TO,
                     gst_analytics_cls_mtd_get_mtd_type(), &state, &classes)) {
    const gint i = gst_analytics_cls_mtd_get_index_by_quark(&classes, type);

    if (i >= 0)
      return i;
  }
  return -1;
}

static gint64 find_parent(const GstAnalyticsODMtd *detection)
{
  GstAnalyticsODMtd parent;

  if (!gst_analytics_relation_meta_get_direct_related(
          detection->meta, detection->id, GST_ANALYTICS_REL_TYPE_IS_PART_OF,
          gst_analytics_od_mtd_get_mtd_type(), NULL, &parent))
    return -1;
  return parent.id;
}

/* Returns: (nullable): the region of interest of the same object, unless another detection has
 * taken it. */
static GstVitgateObject *find_roi(GArray *objects, const GstVitgateObject *detection)
{
  for (guint i = 0; i < objects->len; i++) {
    GstVitgateObject *object = &g_array_index(objects, GstVitgateObject, i);

    if (object->detection < 0 && object->type == detection->type && object->x == detection->x &&
        object->y == detection->y && object->width == detection->width &&
        object->height == detection->height)
      return object;
  }
  return NULL;
}

static void read_detection(GArray *objects, const GstAnalyticsODMtd *mtd)
{
  GstVitgateObject object = { .type = gst_analytics_od_mtd_get_obj_type(mtd),
                              .region_id = mtd->id,
                              .detection = mtd->id };
  GstVitgateObject *roi;
  gfloat confidence;

  if (!gst_analytics_od_mtd_get_location(mtd, &object.x, &object.y, &object.width, &object.height,
                                         &confidence))
    return;
  object.confidence = confidence;
  object.label_id = find_label_id(mtd, object.type);
  object.parent_id = find_parent(mtd);
  object.tracked = gst_vitgate_track_of_detection(mtd->meta, mtd->id, &object.id);
  roi = find_roi(objects, &object);
  if (!roi) {
    g_array_append_val(objects, object);
    return;
  }
  object.parameters = roi->parameters;
  if (object.label_id < 0)
    object.label_id = roi->label_id;
  if (!object.tracked) {
    object.tracked = roi->tracked;
    object.id = roi->id;
  }
  *roi = object;
}

static void read_detections(GArray *objects, GstBuffer *buffer)
{
  GstAnalyticsRelationMeta *relations = gst_buffer_get_analytics_relation_meta(buffer);
  GstAnalyticsODMtd mtd;
  gpointer state = NULL;

  while (relations && gst_analytics_relation_meta_iterate(
                          relations, &state, gst_analytics_od_mtd_get_mtd_type(), &mtd))
    read_detection(objects, &mtd);
}

#endif

/* The id of a region of interest is a tracker's, unless there is a detection: in DL Streamer it is
 * the detection's own then, which starts again in every frame. */
static void take_ids(GArray *objects)
{
  for (guint i = 0; i < objects->len; i++) {
    GstVitgateObject *object = &g_array_index(objects, GstVitgateObject, i);

    if (object->tracked || object->detection >= 0 || object->region_id <= 0)
      continue;
    object->tracked = TRUE;
    object->id = (guint64)object->region_id;
  }
}

GArray *gst_vitgate_objects_read(GstBuffer *buffer)
{
  GArray *objects = g_array_new(FALSE, FALSE, sizeof(GstVitgateObject));
  gpointer state = NULL;
  GstMeta *meta;

  while ((meta = gst_buffer_iterate_meta_filtered(buffer, &state,
                                                  GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)))
    read_roi(objects, (GstVideoRegionOfInterestMeta *)meta);
#ifdef HAVE_GST_ANALYTICS
  read_detections(objects, buffer);
#endif
  take_ids(objects);
  return objects;
}
