/* gstvitgate.c: the element vitgate. */
/**
 * SECTION:element-vitgate
 * @title: vitgate
 * @short_description: classifies video frames with a compressed, gated vision transformer
 *
 * vitgate looks at every frame, or at every #GstVitgate:inference-interval th, and attaches the
 * classes it sees, best first. Frames pass unchanged, byte for byte, in the format the camera or
 * the decoder gives; none is dropped, reordered or converted. A frame between two inferences
 * carries the last result with its age in frames.
 *
 * Results are read from the frame's #GstCustomMeta "VitgateMeta", from the parameters of a
 * #GstVideoRegionOfInterestMeta, from a GstAnalyticsClsMtd (GStreamer 1.24 and later), or from
 * element messages on the bus; META.md in this folder documents all fields.
 *
 * Times are in nanoseconds, compute in GMACs (1e9 multiply-adds), scores are probabilities from
 * 0 to 1.
 *
 * A buffer without content (empty, or flagged GST_BUFFER_FLAG_GAP) passes with the last result,
 * if there is one; so does one that does not hold what its caps say, with an element warning.
 * After a flush, a new stream or new caps the last result counts no more and the next frame is
 * inferred. The element answers LATENCY queries with the longest time that one of the last 512
 * inferences took, and asks for a new latency when that changes by a quarter.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 -m filesrc location=cars.mp4 ! decodebin ! \
 *   vitgate model=deit-tiny.safetensors top-k=3 post-messages=true ! fakesink
 * ]| Prints the three best classes of every frame as bus messages.
 */
#include "gstvitgate.h"

#include "errors.h"
#include "results.h"

GST_DEBUG_CATEGORY_STATIC(gst_vitgate_debug);
#define GST_CAT_DEFAULT gst_vitgate_debug

enum {
  PROP_0,
  PROP_MODEL,
  PROP_LABELS,
  PROP_TOP_K,
  PROP_THRESHOLD,
  PROP_INFERENCE_INTERVAL,
  PROP_THREADS,
  PROP_PRECISION,
  PROP_POST_MESSAGES,
  PROP_STATS,
};

#define DEFAULT_TOP_K              5
#define DEFAULT_THRESHOLD          0.0f
#define DEFAULT_INFERENCE_INTERVAL 1
#define DEFAULT_THREADS            1
#define DEFAULT_PRECISION          VITGATE_PRECISION_AUTO
#define DEFAULT_POST_MESSAGES      FALSE

#define SIZE_CAPS "(int) [ 1, " G_STRINGIFY(GST_VITGATE_MAX_SIZE) " ]"
#define FRAME_CAPS                                                                                 \
  ", format = (string) " GST_VITGATE_FORMATS ", width = " SIZE_CAPS ", height = " SIZE_CAPS        \
  ", framerate = " GST_VIDEO_FPS_RANGE

/* Overlays that travel beside the pixels for the sink to draw are no concern of ours. */
#define PAD_CAPS                                                                                   \
  "video/x-raw" FRAME_CAPS                                                                         \
  "; video/x-raw(memory:SystemMemory, meta:GstVideoOverlayComposition)" FRAME_CAPS

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(PAD_CAPS));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(PAD_CAPS));

G_DEFINE_TYPE(GstVitgate, gst_vitgate, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE(vitgate, "vitgate", GST_RANK_NONE, GST_TYPE_VITGATE)

/* ---- Properties ---------------------------------------------------------------------------- */

#define GST_TYPE_VITGATE_PRECISION (gst_vitgate_precision_get_type())

static GType gst_vitgate_precision_get_type(void)
{
  static const GEnumValue values[] = {
    { VITGATE_PRECISION_AUTO, "The fastest that the model file tells to be as good", "auto" },
    { VITGATE_PRECISION_FLOAT32, "float32", "float32" },
    { VITGATE_PRECISION_BF16, "bfloat16: needs AVX-512 BF16 or AMX", "bf16" },
    { VITGATE_PRECISION_INT8, "8 bits, sums of 32 bits: the fastest", "int8" },
    { 0, NULL, NULL },
  };
  static gsize type;

  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("GstVitgatePrecision", values));
  return type;
}

/* An empty path means none: that is what a launch line can say. */
static void set_path(char **path, const GValue *value)
{
  const char *new_path = g_value_get_string(value);

  g_free(*path);
  *path = new_path && *new_path ? g_strdup(new_path) : NULL;
}

static void gst_vitgate_set_property(GObject *object, guint id, const GValue *value,
                                     GParamSpec *spec)
{
  GstVitgateSettings *settings = &GST_VITGATE(object)->settings;

  GST_OBJECT_LOCK(object);
  switch (id) {
  case PROP_MODEL:
    set_path(&settings->model, value);
    break;
  case PROP_LABELS:
    set_path(&settings->labels, value);
    break;
  case PROP_TOP_K:
    settings->top_k = g_value_get_uint(value);
    break;
  case PROP_THRESHOLD:
    settings->threshold = g_value_get_float(value);
    break;
  case PROP_INFERENCE_INTERVAL:
    settings->interval = g_value_get_uint(value);
    break;
  case PROP_THREADS:
    settings->threads = g_value_get_uint(value);
    break;
  case PROP_PRECISION:
    settings->precision = (VitgatePrecision)g_value_get_enum(value);
    break;
  case PROP_POST_MESSAGES:
    settings->post_messages = g_value_get_boolean(value);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    break;
  }
  GST_OBJECT_UNLOCK(object);
}

static void gst_vitgate_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  GstVitgate *self = GST_VITGATE(object);
  const GstVitgateSettings *settings = &self->settings;
  GstVitgateStats stats;

  GST_OBJECT_LOCK(object);
  switch (id) {
  case PROP_MODEL:
    g_value_set_string(value, settings->model);
    break;
  case PROP_LABELS:
    g_value_set_string(value, settings->labels);
    break;
  case PROP_TOP_K:
    g_value_set_uint(value, settings->top_k);
    break;
  case PROP_THRESHOLD:
    g_value_set_float(value, settings->threshold);
    break;
  case PROP_INFERENCE_INTERVAL:
    g_value_set_uint(value, settings->interval);
    break;
  case PROP_THREADS:
    g_value_set_uint(value, settings->threads);
    break;
  case PROP_PRECISION:
    g_value_set_enum(value, (gint)settings->precision);
    break;
  case PROP_POST_MESSAGES:
    g_value_set_boolean(value, settings->post_messages);
    break;
  case PROP_STATS:
    stats = self->stats;
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    break;
  }
  GST_OBJECT_UNLOCK(object);

  /* Sorting can wait until no frame waits for the lock. */
  if (id == PROP_STATS)
    g_value_take_boxed(value, gst_vitgate_stats_to_structure(&stats));
}

/* ---- Start and stop ------------------------------------------------------------------------ */

/* Says what "auto" came to: a model may allow less than this CPU can do, or the other way round. */
static void tell_precision(GstVitgate *self, VitgatePrecision asked)
{
  const char *used = vitgate_precision_name(self->classifier->info->precision);

  GST_INFO_OBJECT(self, "products in %s, asked for: %s", used, vitgate_precision_name(asked));
  GST_OBJECT_LOCK(self);
  self->stats.precision = used;
  GST_OBJECT_UNLOCK(self);
}

static gboolean gst_vitgate_start(GstBaseTransform *trans)
{
  GstVitgate *self = GST_VITGATE(trans);
  g_autofree char *model = NULL, *labels = NULL;
  g_autoptr(GError) error = NULL;
  const char *doing;
  VitgatePrecision precision;
  guint threads;

  GST_OBJECT_LOCK(self);
  model = g_strdup(self->settings.model);
  labels = g_strdup(self->settings.labels);
  precision = self->settings.precision;
  threads = self->settings.threads;
  gst_vitgate_stats_reset(&self->stats);
  GST_OBJECT_UNLOCK(self);

  if (!model && !(model = vitgate_default_model_find(&error))) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                      ("Set the property \"model\" to a model file: %s", error->message), (NULL));
    return FALSE;
  }
  GST_INFO_OBJECT(self, "loading %s", model);
  self->unreadable = FALSE;
  self->classifier = gst_vitgate_classifier_new(model, labels, precision, threads, &doing, &error);
  if (!self->classifier) {
    gst_vitgate_post_error(GST_ELEMENT(self), doing, error);
    return FALSE;
  }
  tell_precision(self, precision);
  return TRUE;
}

static gboolean gst_vitgate_stop(GstBaseTransform *trans)
{
  gst_vitgate_classifier_free(&GST_VITGATE(trans)->classifier);
  return TRUE;
}

static gboolean gst_vitgate_set_caps(GstBaseTransform *trans, GstCaps *in, GstCaps *out)
{
  GstVitgate *self = GST_VITGATE(trans);

  gst_vitgate_classifier_forget(self->classifier);
  if (!gst_vitgate_frame_layout_init(&self->layout, in)) {
    GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("Cannot classify frames of these caps"),
                      ("%" GST_PTR_FORMAT, in));
    return FALSE;
  }
  return TRUE;
}

/* ---- Frames -------------------------------------------------------------------------------- */

static void gst_vitgate_before_transform(GstBaseTransform *trans, GstBuffer *buffer)
{
  GstClockTime time;

  if (trans->segment.format != GST_FORMAT_TIME)
    return;
  time = gst_segment_to_stream_time(&trans->segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
  if (GST_CLOCK_TIME_IS_VALID(time))
    gst_object_sync_values(GST_OBJECT(trans), time);
}

static gboolean wants_inference(const GstVitgate *self, GstBuffer *buffer, guint interval)
{
  if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP) || gst_buffer_get_size(buffer) == 0)
    return FALSE;
  return !self->classifier->result || self->classifier->age >= interval;
}

/* A frame that cannot be read is passed on all the same: an analyser costs no frame. One warning
 * speaks for a whole run of them. */
static void warn_unreadable(GstVitgate *self, GstBuffer *buffer, const char *reason)
{
  if (self->unreadable)
    return;
  self->unreadable = TRUE;
  GST_ELEMENT_WARNING(self, STREAM, FAILED, ("Cannot read a frame: %s", reason),
                      ("%" GST_PTR_FORMAT, buffer));
}

/* @fresh: (out): whether the classifier's result is now that of @buffer */
static GstFlowReturn infer(GstVitgate *self, GstBuffer *buffer, gboolean *fresh)
{
  g_autoptr(GError) error = NULL;
  GstVitgateFrame frame;
  const char *reason;

  *fresh = FALSE;
  if (!gst_vitgate_frame_map(&frame, &self->layout, buffer, &reason)) {
    warn_unreadable(self, buffer, reason);
    return GST_FLOW_OK;
  }
  self->unreadable = FALSE;
  *fresh = gst_vitgate_classifier_infer(self->classifier, &frame.image, &error);
  gst_vitgate_frame_unmap(&frame);
  if (!*fresh) {
    gst_vitgate_post_error(GST_ELEMENT(self), "Cannot classify a frame", error);
    return GST_FLOW_ERROR;
  }
  return GST_FLOW_OK;
}

static void post_result(GstVitgate *self, GstBuffer *buffer, const GstVitgateFrameResult *result)
{
  const GstSegment *segment = &GST_BASE_TRANSFORM(self)->segment;
  GstVitgateFrameTimes times = {
    .timestamp = GST_BUFFER_PTS(buffer),
    .duration = GST_BUFFER_DURATION(buffer),
    .stream_time = GST_CLOCK_TIME_NONE,
    .running_time = GST_CLOCK_TIME_NONE,
  };

  if (segment->format == GST_FORMAT_TIME) {
    times.stream_time = gst_segment_to_stream_time(segment, GST_FORMAT_TIME, times.timestamp);
    times.running_time = gst_segment_to_running_time(segment, GST_FORMAT_TIME, times.timestamp);
  }
  gst_element_post_message(GST_ELEMENT(self),
                           gst_vitgate_results_message(GST_OBJECT(self), result, &times));
}

/* Attaches what the classifier knows, fresh or old, in the form that the user asked for. */
static void publish(GstVitgate *self, GstBuffer *buffer, guint top_k, float threshold,
                    gboolean post)
{
  GstVitgateClassifier *classifier = self->classifier;
  const GstVitgateFrameResult result = {
    .model = classifier->info,
    .result = classifier->result,
    .labels = classifier->labels,
    .indices = classifier->indices,
    .scores = classifier->scores,
    .n = gst_vitgate_classifier_top_k(classifier, top_k, threshold),
    .age = classifier->age,
  };

  gst_vitgate_results_attach(buffer, &result, self->layout.image.width, self->layout.image.height);
  if (post)
    post_result(self, buffer, &result);
}

static void count(GstVitgate *self, gboolean fresh, GstClockTime processing)
{
  const VitgateResult *result = self->classifier->result;
  gboolean new_latency = FALSE;

  GST_OBJECT_LOCK(self);
  if (fresh)
    new_latency = gst_vitgate_stats_add_inference(
        &self->stats, processing, result->preprocess_ns + result->forward_ns, result->gmacs);
  else
    gst_vitgate_stats_add_frame(&self->stats);
  GST_OBJECT_UNLOCK(self);

  if (new_latency)
    gst_element_post_message(GST_ELEMENT(self), gst_message_new_latency(GST_OBJECT(self)));
}

static GstFlowReturn gst_vitgate_transform_ip(GstBaseTransform *trans, GstBuffer *buffer)
{
  GstVitgate *self = GST_VITGATE(trans);
  const GstClockTime start = gst_util_get_timestamp();
  GstVitgateSettings settings;
  gboolean fresh = FALSE;

  GST_OBJECT_LOCK(self);
  settings = self->settings;
  GST_OBJECT_UNLOCK(self);

  if (self->classifier->result)
    self->classifier->age++;
  if (wants_inference(self, buffer, settings.interval)) {
    const GstFlowReturn flow = infer(self, buffer, &fresh);
    if (flow != GST_FLOW_OK)
      return flow;
  }
  if (self->classifier->result)
    publish(self, buffer, settings.top_k, settings.threshold, fresh && settings.post_messages);
  count(self, fresh, gst_util_get_timestamp() - start);
  return GST_FLOW_OK;
}

/* ---- Events and queries -------------------------------------------------------------------- */

static gboolean gst_vitgate_sink_event(GstBaseTransform *trans, GstEvent *event)
{
  const GstEventType type = GST_EVENT_TYPE(event);

  if (type == GST_EVENT_FLUSH_STOP || type == GST_EVENT_STREAM_START)
    gst_vitgate_classifier_forget(GST_VITGATE(trans)->classifier);
  return GST_BASE_TRANSFORM_CLASS(gst_vitgate_parent_class)->sink_event(trans, event);
}

/* The base class would skip frames on QoS; it never learns of it. */
static gboolean gst_vitgate_src_event(GstBaseTransform *trans, GstEvent *event)
{
  if (GST_EVENT_TYPE(event) == GST_EVENT_QOS)
    return gst_pad_push_event(GST_BASE_TRANSFORM_SINK_PAD(trans), event);
  return GST_BASE_TRANSFORM_CLASS(gst_vitgate_parent_class)->src_event(trans, event);
}

static gboolean gst_vitgate_query(GstBaseTransform *trans, GstPadDirection direction,
                                  GstQuery *query)
{
  GstVitgate *self = GST_VITGATE(trans);
  GstClockTime min, max, latency;
  gboolean live;

  if (!GST_BASE_TRANSFORM_CLASS(gst_vitgate_parent_class)->query(trans, direction, query))
    return FALSE;
  if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY || direction != GST_PAD_SRC)
    return TRUE;

  GST_OBJECT_LOCK(self);
  latency = self->stats.latency;
  GST_OBJECT_UNLOCK(self);
  gst_query_parse_latency(query, &live, &min, &max);
  gst_query_set_latency(query, live, min + latency,
                        GST_CLOCK_TIME_IS_VALID(max) ? max + latency : max);
  return TRUE;
}

/* ---- Class --------------------------------------------------------------------------------- */

static void install_properties(GObjectClass *class)
{
  const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  const GParamFlags playing =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;
  const GParamFlags controllable = playing | GST_PARAM_CONTROLLABLE;

  g_object_class_install_property(
      class, PROP_MODEL,
      g_param_spec_string("model", "Model",
                          "Path of the model file; unset: " VITGATE_DEFAULT_MODEL
                          " in $VITGATE_MODEL_DIR or in the installed data folder",
                          NULL, ready));
  g_object_class_install_property(
      class, PROP_LABELS,
      g_param_spec_string("labels", "Labels",
                          "Path of a text file with one class label a line, in the order of the "
                          "classes; unset: the labels that the model file holds",
                          NULL, ready));
  g_object_class_install_property(class, PROP_TOP_K,
                                  g_param_spec_uint("top-k", "Top k",
                                                    "Most classes that a frame carries, best first",
                                                    1, G_MAXINT, DEFAULT_TOP_K, controllable));
  g_object_class_install_property(
      class, PROP_THRESHOLD,
      g_param_spec_float("threshold", "Threshold",
                         "Least probability of a class that a frame carries", 0.0f, 1.0f,
                         DEFAULT_THRESHOLD, controllable));
  g_object_class_install_property(
      class, PROP_INFERENCE_INTERVAL,
      g_param_spec_uint("inference-interval", "Inference interval",
                        "Frames from one inference to the next; those between carry the last "
                        "result with its age (1 = every frame is inferred)",
                        1, G_MAXINT, DEFAULT_INFERENCE_INTERVAL, controllable));
  g_object_class_install_property(
      class, PROP_THREADS,
      g_param_spec_uint("threads", "Threads",
                        "Threads that work on a frame, the streaming thread included", 1,
                        VITGATE_MAX_THREADS, DEFAULT_THREADS, ready));
  g_object_class_install_property(
      class, PROP_PRECISION,
      g_param_spec_enum("precision", "Precision", "What matrix products are computed in",
                        GST_TYPE_VITGATE_PRECISION, DEFAULT_PRECISION, ready));
  g_object_class_install_property(
      class, PROP_POST_MESSAGES,
      g_param_spec_boolean("post-messages", "Post messages",
                           "Post an element message with the result of every inference; the "
                           "application must then read its bus",
                           DEFAULT_POST_MESSAGES, playing));
  g_object_class_install_property(
      class, PROP_STATS,
      g_param_spec_boxed(
          "stats", "Statistics",
          "Since the element started: precision, frames, inferred, gmacs; over the last 512 "
          "inferences: mean-time, p95-time and worst-time in the element, "
          "mean-engine-time of these in the engine (ns), mean-gmacs",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void gst_vitgate_finalize(GObject *object)
{
  GstVitgate *self = GST_VITGATE(object);

  g_free(self->settings.model);
  g_free(self->settings.labels);
  G_OBJECT_CLASS(gst_vitgate_parent_class)->finalize(object);
}

static void gst_vitgate_class_init(GstVitgateClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS(class);
  GstElementClass *element_class = GST_ELEMENT_CLASS(class);
  GstBaseTransformClass *trans_class = GST_BASE_TRANSFORM_CLASS(class);

  GST_DEBUG_CATEGORY_INIT(gst_vitgate_debug, "vitgate", 0, "vision transformer on video frames");

  object_class->set_property = gst_vitgate_set_property;
  object_class->get_property = gst_vitgate_get_property;
  object_class->finalize = gst_vitgate_finalize;
  install_properties(object_class);

  gst_element_class_set_static_metadata(
      element_class, "Vision transformer frame classifier", "Filter/Analyzer/Video",
      "Classifies video frames with a compressed, gated vision transformer on the CPU",
      "The vitgate authors");
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);

  trans_class->start = GST_DEBUG_FUNCPTR(gst_vitgate_start);
  trans_class->stop = GST_DEBUG_FUNCPTR(gst_vitgate_stop);
  trans_class->set_caps = GST_DEBUG_FUNCPTR(gst_vitgate_set_caps);
  trans_class->before_transform = GST_DEBUG_FUNCPTR(gst_vitgate_before_transform);
  trans_class->transform_ip = GST_DEBUG_FUNCPTR(gst_vitgate_transform_ip);
  trans_class->sink_event = GST_DEBUG_FUNCPTR(gst_vitgate_sink_event);
  trans_class->src_event = GST_DEBUG_FUNCPTR(gst_vitgate_src_event);
  trans_class->query = GST_DEBUG_FUNCPTR(gst_vitgate_query);
}

static void gst_vitgate_init(GstVitgate *self)
{
  self->settings = (GstVitgateSettings){
    .top_k = DEFAULT_TOP_K,
    .threshold = DEFAULT_THRESHOLD,
    .interval = DEFAULT_INFERENCE_INTERVAL,
    .threads = DEFAULT_THREADS,
    .post_messages = DEFAULT_POST_MESSAGES,
  };
}
