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

#include "analysis.h"
#include "errors.h"

GST_DEBUG_CATEGORY_STATIC(gst_vitgate_debug);
#define GST_CAT_DEFAULT gst_vitgate_debug

enum {
  PROP_STATS = GST_VITGATE_N_SETTINGS,
};

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

static void gst_vitgate_set_property(GObject *object, guint id, const GValue *value,
                                     GParamSpec *spec)
{
  gboolean known;

  GST_OBJECT_LOCK(object);
  known = gst_vitgate_settings_set(&GST_VITGATE(object)->settings, id, value);
  GST_OBJECT_UNLOCK(object);
  if (!known)
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
}

static void gst_vitgate_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  GstVitgate *self = GST_VITGATE(object);
  GstVitgateStats stats;
  gboolean known = TRUE;

  GST_OBJECT_LOCK(object);
  if (id == PROP_STATS)
    stats = self->stats;
  else
    known = gst_vitgate_settings_get(&self->settings, id, value);
  GST_OBJECT_UNLOCK(object);

  /* Sorting can wait until no frame waits for the lock. */
  if (id == PROP_STATS)
    g_value_take_boxed(value, gst_vitgate_stats_to_structure(&stats));
  else if (!known)
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
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

static GstFlowReturn gst_vitgate_transform_ip(GstBaseTransform *trans, GstBuffer *buffer)
{
  return gst_vitgate_analyse(GST_VITGATE(trans), buffer);
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

static void gst_vitgate_finalize(GObject *object)
{
  gst_vitgate_settings_clear(&GST_VITGATE(object)->settings);
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
  gst_vitgate_settings_install(object_class);
  g_object_class_install_property(
      object_class, PROP_STATS,
      g_param_spec_boxed(
          "stats", "Statistics",
          "Since the element started: precision, frames, inferred, gmacs; over the last 512 "
          "inferences: mean-time, p95-time and worst-time in the element, "
          "mean-engine-time of these in the engine (ns), mean-gmacs",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));

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
  gst_vitgate_settings_init(&self->settings);
}
