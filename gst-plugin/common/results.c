/* results.c: attaches a result to a frame, posts it on the bus, and reads it back. */
#include "common/results.h"

#ifdef HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>
#endif

#include "common/structure.h"

GstVitgateFrameTimes gst_vitgate_frame_times(GstElement *element, const GstSegment *segment,
                                             GstBuffer *buffer)
{
  GstClockTime position = GST_BUFFER_PTS(buffer);
  GstVitgateFrameTimes times = {
    .timestamp = GST_BUFFER_PTS(buffer),
    .duration = GST_BUFFER_DURATION(buffer),
    .stream_time = GST_CLOCK_TIME_NONE,
    .running_time = GST_CLOCK_TIME_NONE,
  };

  if (segment->format != GST_FORMAT_TIME)
    return times;
  if (GST_CLOCK_TIME_IS_VALID(position)) {
    times.running_time = gst_segment_to_running_time(segment, GST_FORMAT_TIME, position);
  } else {
    times.running_time = gst_element_get_current_running_time(element);
    position = gst_segment_position_from_running_time(segment, GST_FORMAT_TIME, times.running_time);
  }
  times.stream_time = gst_segment_to_stream_time(segment, GST_FORMAT_TIME, position);
  return times;
}

/* The names of the fields that hold classes. */
typedef struct {
  const char *label, *index, *score, *labels, *indices, *scores;
} ClassFields;

static const ClassFields found_fields = {
  "label", "index", "score", "labels", "indices", "scores"
};
static const ClassFields raw_fields = { "raw-label",  "raw-index",   "raw-score",
                                        "raw-labels", "raw-indices", "raw-scores" };

/* Returns: the label of a class, or of none. */
static const char *label_of(const GstVitgateFrameResult *r, guint class)
{
  return class < r->model->n_classes ? r->labels[class] : GST_VITGATE_UNKNOWN;
}

/* Sets GstValueArrays, which gst_structure_get_array() can return to languages with
 * introspection. */
static void set_classes(GstStructure *s, const ClassFields *fields, const GstVitgateFrameResult *r,
                        const guint *classes, const float *probabilities, guint n)
{
  GValue labels = G_VALUE_INIT, indices = G_VALUE_INIT, scores = G_VALUE_INIT;

  if (n > 0) {
    structure_set_string(s, fields->label, label_of(r, classes[0]));
    structure_set_uint(s, fields->index, classes[0]);
    structure_set_double(s, fields->score, probabilities[0]);
  }
  gst_value_array_init(&labels, n);
  gst_value_array_init(&indices, n);
  gst_value_array_init(&scores, n);
  for (guint i = 0; i < n; i++) {
    GValue label = G_VALUE_INIT, index = G_VALUE_INIT, score = G_VALUE_INIT;

    g_value_init(&label, G_TYPE_STRING);
    g_value_set_string(&label, label_of(r, classes[i]));
    gst_value_array_append_and_take_value(&labels, &label);
    g_value_init(&index, G_TYPE_UINT);
    g_value_set_uint(&index, classes[i]);
    gst_value_array_append_and_take_value(&indices, &index);
    g_value_init(&score, G_TYPE_DOUBLE);
    g_value_set_double(&score, probabilities[i]);
    gst_value_array_append_and_take_value(&scores, &score);
  }
  gst_structure_take_value(s, fields->labels, &labels);
  gst_structure_take_value(s, fields->indices, &indices);
  gst_structure_take_value(s, fields->scores, &scores);
}

const char *gst_vitgate_state_name(GstVitgateState state)
{
  static const char *names[] = {
    [GST_VITGATE_STATE_FRESH] = "fresh",         [GST_VITGATE_STATE_INTERVAL] = "interval",
    [GST_VITGATE_STATE_UNCHANGED] = "unchanged", [GST_VITGATE_STATE_LATE] = "late",
    [GST_VITGATE_STATE_EMPTY] = "empty",
  };

  return names[state];
}

/* Sets one character for each module: whether it ran. */
static void set_modules(GstStructure *s, const GstVitgateFrameResult *r)
{
  const guint n = 2 * r->model->depth;
  g_autofree char *modules = g_malloc0(n + 1);

  for (guint i = 0; i < n; i++)
    modules[i] = r->result->modules[i] ? '1' : '0';
  structure_set_string(s, "modules", modules);
}

/* Sets how much of the last inferred frame was computed. */
static void set_decision(GstStructure *s, const VitgateDecision *decision)
{
  if (!decision)
    return;
  structure_set_string(s, "pass", vitgate_pass_name(decision->pass));
  structure_set_string(s, "pass-reason", vitgate_reason_name(decision->reason));
  structure_set_uint(s, "patches", decision->n_patches);
}

void gst_vitgate_results_set(GstStructure *s, const GstVitgateFrameResult *r)
{
  structure_set_uint(s, "n-results", r->n);
  set_classes(s, &found_fields, r, r->indices, r->scores, r->n);
  set_classes(s, &raw_fields, r, r->raw_indices, r->raw_scores, r->n_raw);
  if (r->model->has_unknown)
    structure_set_double(s, "unknown", r->unknown);
  structure_set_uint(s, "class-count", r->result->n_classes);
  structure_set_string(s, "model-name", r->model->name);
  if (r->model->activation != VITGATE_ACTIVATION_SOFTMAX)
    structure_set_string(s, "activation", vitgate_activation_name(r->model->activation));
  structure_set_string(s, "state", gst_vitgate_state_name(r->state));
  structure_set_uint64(s, "age", r->age);
  if (GST_CLOCK_TIME_IS_VALID(r->age_time))
    structure_set_uint64(s, "age-time", r->age_time);
  structure_set_double(s, "compute", r->compute);
  structure_set_double(s, "gmacs", r->result->gmacs);
  structure_set_double(s, "compute-ratio", r->result->compute_ratio);
  set_modules(s, r);
  structure_set_uint(s, "tokens", r->result->n_tokens);
  set_decision(s, r->result->decision);
  structure_set_uint64(s, "inference-time", r->result->preprocess_ns + r->result->forward_ns);
}

void gst_vitgate_results_set_look(GstStructure *s, const char *look)
{
  if (look)
    structure_set_string(s, "look", look);
}

void gst_vitgate_results_set_place(GstStructure *s, const VitgateRectangle *place)
{
  structure_set_uint(s, "x", place->x);
  structure_set_uint(s, "y", place->y);
  structure_set_uint(s, "width", place->width);
  structure_set_uint(s, "height", place->height);
}

gboolean gst_vitgate_results_get_place(const GstStructure *s, VitgateRectangle *place)
{
  return gst_structure_get(s, "x", G_TYPE_UINT, &place->x, "y", G_TYPE_UINT, &place->y, "width",
                           G_TYPE_UINT, &place->width, "height", G_TYPE_UINT, &place->height, NULL);
}

static void set_features(GstStructure *s, const float *features, guint n)
{
  GValue array = G_VALUE_INIT;

  gst_value_array_init(&array, n);
  for (guint i = 0; i < n; i++) {
    GValue value = G_VALUE_INIT;

    g_value_init(&value, G_TYPE_DOUBLE);
    g_value_set_double(&value, features[i]);
    gst_value_array_append_and_take_value(&array, &value);
  }
  gst_structure_take_value(s, "features", &array);
}

static void set_frame(GstStructure *s, const GstVitgateFrameResult *r)
{
  gst_vitgate_results_set(s, r);
  gst_vitgate_results_set_look(s, r->look);
  gst_vitgate_results_set_place(s, &r->view);
  structure_set_uint(s, "views", r->n_views);
  if (r->features)
    set_features(s, r->features, r->model->n_features);
}

static void attach_custom(GstBuffer *buffer, const GstVitgateFrameResult *r)
{
  GstCustomMeta *meta = gst_buffer_add_custom_meta(buffer, GST_VITGATE_META);

  set_frame(gst_custom_meta_get_structure(meta), r);
  if (r->n_tokens > 0)
    gst_vitgate_token_maps_set(gst_custom_meta_get_structure(meta), r->model, r->tokens,
                               r->n_tokens);
}

GstStructure *gst_vitgate_results_new_parameter(const GstVitgateFrameResult *r)
{
  GstStructure *s = gst_structure_new_empty(GST_VITGATE_PARAMETER);

  /* DL Streamer's readers ask for exactly these types. */
  structure_set_string(s, "label", label_of(r, r->indices[0]));
  structure_set_int(s, "label_id", r->indices[0]);
  structure_set_double(s, "confidence", r->scores[0]);
  structure_set_string(s, "model_name", r->model->name);
  structure_set_string(s, "layer_name", GST_VITGATE_LAYER);
  structure_set_int(s, "tensor_id", 0);
  structure_set_string(s, "type", "classification_result");
  gst_vitgate_results_set_look(s, r->look);
  return s;
}

static void attach_roi(GstBuffer *buffer, const GstVitgateFrameResult *r)
{
  GstVideoRegionOfInterestMeta *roi = gst_buffer_add_video_region_of_interest_meta(
      buffer, GST_VITGATE_FULL_FRAME, r->view.x, r->view.y, r->view.width, r->view.height);

  roi->id = GST_VITGATE_FULL_FRAME_ID;
  gst_video_region_of_interest_meta_add_param(roi, gst_vitgate_results_new_parameter(r));
}

#ifdef HAVE_GST_ANALYTICS
gboolean gst_vitgate_results_attach_classes(GstBuffer *buffer, const GstVitgateFrameResult *r,
                                            guint n, guint *id)
{
  GstAnalyticsRelationMeta *relations = gst_buffer_add_analytics_relation_meta(buffer);
  GstAnalyticsClsMtd classes;
  g_autofree GQuark *labels = g_new(GQuark, n);
  g_autofree gfloat *scores = g_memdup2(r->scores, n * sizeof *r->scores);

  for (guint i = 0; i < n; i++)
    labels[i] = g_quark_from_string(label_of(r, r->indices[i]));
  if (!gst_analytics_relation_meta_add_cls_mtd(relations, n, scores, labels, &classes))
    return FALSE;
#ifdef HAVE_GST_SEMANTIC_TAG
  gst_analytics_mtd_set_semantic_tag(&classes, r->model->name);
#endif
  *id = classes.id;
  return TRUE;
}
#endif

void gst_vitgate_results_attach(GstBuffer *buffer, const GstVitgateFrameResult *result)
{
#ifdef HAVE_GST_ANALYTICS
  guint id;
#endif

  attach_custom(buffer, result);
  if (result->n == 0)
    return;
  attach_roi(buffer, result);
#ifdef HAVE_GST_ANALYTICS
  gst_vitgate_results_attach_classes(buffer, result, result->n, &id);
#endif
}

const GstStructure *gst_vitgate_results_next(GstBuffer *buffer, gpointer *state)
{
  const GstMetaInfo *info = gst_meta_get_info(GST_VITGATE_META);
  GstMeta *meta = gst_buffer_iterate_meta_filtered(buffer, state, info->api);

  return meta ? gst_custom_meta_get_structure((GstCustomMeta *)meta) : NULL;
}

const GValue *gst_vitgate_results_get_array(const GstStructure *s, const char *field)
{
  const GValue *array = gst_structure_get_value(s, field);

  return array && GST_VALUE_HOLDS_ARRAY(array) ? array : NULL;
}

const GstStructure *gst_vitgate_results_next_region(const GstStructure *result, guint *i)
{
  const GValue *regions = gst_vitgate_results_get_array(result, "regions");

  while (regions && *i < gst_value_array_get_size(regions)) {
    const GValue *item = gst_value_array_get_value(regions, (*i)++);

    if (GST_VALUE_HOLDS_STRUCTURE(item) && gst_value_get_structure(item))
      return gst_value_get_structure(item);
  }
  return NULL;
}

GstStructure *gst_vitgate_results_new_message(const GstVitgateFrameTimes *times)
{
  GstStructure *s = gst_structure_new_empty(GST_VITGATE_MESSAGE);

  structure_set_uint64(s, "timestamp", times->timestamp);
  structure_set_uint64(s, "duration", times->duration);
  structure_set_uint64(s, "stream-time", times->stream_time);
  structure_set_uint64(s, "running-time", times->running_time);
  return s;
}

GstMessage *gst_vitgate_results_message(GstObject *source, const GstVitgateFrameResult *result,
                                        const GstVitgateFrameTimes *times)
{
  GstStructure *s = gst_vitgate_results_new_message(times);

  set_frame(s, result);
  return gst_message_new_element(source, s);
}
