/* gstvitgate.c: the element vitgate. */
/**
 * SECTION:element-vitgate
 * @title: vitgate
 * @short_description: classifies video frames with a compressed, gated vision transformer
 *
 * vitgate classifies every frame, or one frame in #GstVitgate:inference-interval, and attaches the
 * best classes to it. Frames pass unchanged, byte for byte, in the format of the camera or decoder;
 * none is dropped, reordered or converted. A frame that is not inferred carries the last result,
 * with its age in frames and in time, and the reason.
 *
 * Read the results from the frame's #GstCustomMeta "VitgateMeta", from the parameters of a
 * #GstVideoRegionOfInterestMeta, from a GstAnalyticsClsMtd (GStreamer 1.24 and later), or from
 * element messages on the bus. gst-plugin/META.md documents all fields.
 *
 * Times are in nanoseconds, compute in GMACs (1e9 multiply-adds); scores are probabilities from
 * 0 to 1.
 *
 * A buffer without content (empty, or flagged GST_BUFFER_FLAG_GAP) passes with the last result, if
 * there is one. So does a buffer that does not match its caps; an element warning is posted then.
 * After a flush, a new stream or new caps, the last result and the average are dropped and the next
 * frame is inferred. The element answers LATENCY queries with the longest time that one of the last
 * 512 inferences took, but at most the budget. It posts a LATENCY message when that time changes by
 * a quarter.
 *
 * ## Steady labels
 * The label of a frame does not flicker: probabilities are averaged over #GstVitgate:smoothing, and
 * another class becomes the label when it leads by #GstVitgate:hysteresis. After a cut the average
 * starts again, so that a new scene has its label at once. If no class reaches
 * #GstVitgate:threshold, the frame has no label. The fields "raw-label" and so on of VitgateMeta
 * hold the network's own result. Tracked regions are averaged each by itself.
 *
 * ## Pictures of none of the classes
 * A model made by "vitgate teach" also scores how far a frame is from all of its classes. From
 * #GstVitgate:unknown-threshold on, the label is "unknown", with the number of classes as its index
 * and that score. With several squares, a frame is unknown only if all of them are. The field
 * "unknown" of VitgateMeta always holds the score.
 *
 * ## Models with any number of classes per frame
 * Some models give each class a probability of its own, instead of dividing one among all classes.
 * A frame then carries all classes whose probability is at least #GstVitgate:threshold, by default
 * the model's own threshold of each class, or 0.5, and #GstVitgate:top-k does not limit their
 * number by default.
 *
 * ## Frames that are not square
 * The model's input is square. Most published models expect a crop of the centre. By default,
 * overlapping squares cover the whole frame instead (fit=squares), so that objects at its sides are
 * seen undistorted: two for 16:9 and 4:3. They are inferred as one batch, and each costs an
 * inference. A class gets its highest probability of any square. A frame of up to 6:5 is squashed
 * into one square. One longer than 2:1 is halved, and both halves are squashed.
 *
 * If there is no time for that, set #GstVitgate:fit to "squash": the model sees the whole frame at
 * once, but distorted. "letterbox" keeps shapes and makes everything smaller. "crop" and, with most
 * models, "model" look only at the centre: 43 % of a 16:9 frame for the default model. "model" is
 * what the model file says. It is how the published accuracy was measured, on photographs, and
 * right if objects are in the middle of the frame. A model from 'vitgate teach' sees frames as it
 * saw its pictures by default (fit=auto), and so does any other model whose file asks for a fit.
 *
 * ## A fixed part of the frame
 * With #GstVitgate:region the model sees only a part of each frame, as if videocrop were in front
 * of vitgate; frames pass whole. A part that reaches beyond the frame is an error as soon as the
 * frame's size is known. A new region starts anew, as after a cut. Several elements in a row may
 * look at several parts of one stream; #GstVitgate:look names what each looks at.
 *
 * ## How much is computed
 * #GstVitgate:compute is the dial. It sets how much of the network runs, from the model's minimum
 * to all of it. You can set it, or control it, while playing.
 *
 * With #GstVitgate:latency-budget the element sets the dial itself. It lowers the dial at once when
 * one inference in twenty takes longer than the budget, when a sink reports late frames (QoS
 * events), or when frames of a live stream reach vitgate later than the budget allows. It raises
 * the dial slowly when there is room again. If even the model's minimum, or
 * #GstVitgate:min-compute, is too slow, and while a live stream is late by more than the budget,
 * frames pass at once with the last result (state "late"), and an inference is tried from time to
 * time. The delay of a live stream is therefore bounded by the budget and one inference, whatever
 * the load. A delay that does not shrink when frames pass at once comes from elsewhere and is
 * ignored. A QOS message reports when any of this starts or ends.
 *
 * ## Frames that are nearly the same
 * With #GstVitgate:temporal, only the patches of a frame that changed by more than
 * #GstVitgate:change-threshold are computed, together with the class token; the keys and values of
 * the other patches are kept from the frames before. All patches are computed anew every
 * #GstVitgate:refresh-interval frames while there are changes, when the scene stands still again,
 * and when something new stands still in it (at most every 25 frames). A frame that changed by no
 * more than #GstVitgate:reuse-threshold keeps the last result
 * ("unchanged") until #GstVitgate:max-age has passed. By default (auto) this begins once frames
 * have been alike; while everything moves, each frame is computed on its own, as the dial says.
 *
 * ## Orientation and shape of pixels
 * Frames are classified as they are to be displayed. If the stream or its container has an
 * image-orientation tag, as clips from phones do, frames are turned upright first; set
 * #GstVitgate:orientation for a camera that is mounted sideways and says nothing. GStreamer 1.22's
 * videoflip turns frames and leaves the tag as it is: set orientation=identity after it. If pixels
 * are not square (pixel-aspect-ratio), the picture is stretched to its displayed shape. Neither
 * changes the frames themselves, and regions stay in the frame's own coordinates.
 *
 * ## Regions
 * With #GstVitgate:inference-region=roi-list vitgate classifies what a detector upstream found in
 * the frame, instead of the frame: every #GstVideoRegionOfInterestMeta and GstAnalyticsODMtd, in
 * batches of up to 16. #GstVitgate:object-class, #GstVitgate:min-region-size and
 * #GstVitgate:max-regions select among them. Results are attached to the regions themselves, and
 * listed in VitgateMeta. Regions that vitgate itself attached are ignored.
 *
 * The model sees each object whole and undistorted: a square around it, as wide as its longer side,
 * moved into the frame. Only an object longer than the frame is high (or wide) is squeezed.
 * Coordinates refer to the visible frame (the rectangle of a crop meta).
 *
 * A region that reaches beyond the frame is clipped. Regions that are empty or outside the frame,
 * and those beyond max-regions, are skipped; each run of frames with such regions posts one element
 * warning.
 *
 * If a tracker gave a region an id (in a GstAnalyticsTrackingMtd related to its detection, in the
 * parameter "object_id" of its region of interest, or as the id of that region), its result is
 * carried from frame to frame. #GstVitgate:reclassify-interval sets how often it is inferred
 * again. On frames without an inference, because of #GstVitgate:inference-interval or lack of time,
 * it carries its last result with its age. A region that is new or has no id carries no result on
 * such frames. An id that has not been seen for more than 30 frames is forgotten.
 *
 * #GstVitgate:latency-budget applies to all regions of a frame together. With temporal=on, up
 * to 16 tracked objects are followed as whole frames are: of each, only what changed in the square
 * around it is computed. That pays for objects that stay in their place. auto does so only for
 * whole frames.
 *
 * ## Where the network looks
 * With #GstVitgate:token-map a frame also carries how many modules of the network ran for each
 * patch of it, which vitgateoverlay draws with show-tokens=true. They differ from patch to patch in
 * models with token gates, as vitgate compress makes them, and where only a part of the frame was
 * computed.
 *
 * ## Changes while playing
 * You can set #GstVitgate:model, #GstVitgate:labels, #GstVitgate:precision, #GstVitgate:fit and
 * #GstVitgate:inference-region while frames flow. The new classifier is loaded in a thread of its
 * own and takes over between two frames. If it cannot be used, the old one stays in use and a
 * warning is posted. If you set them again before a load has finished, the last setting wins.
 * Properties set in one g_object_set() are loaded together. The properties return what was asked
 * for; #GstVitgate:stats reports what is in use.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 -q filesrc location=cars.mp4 ! decodebin ! \
 *   vitgate model=deit-tiny.safetensors ! vitgatejson format=text ! fdsink
 * ]| Prints the label of every frame.
 * |[
 * gst-launch-1.0 -m v4l2src ! vitgate latency-budget=30000000 \
 *   reuse-threshold=0.03 ! autovideosink
 * ]| Spends at most 30 ms on each frame of a camera, and almost nothing on a still scene.
 * |[
 * gst-launch-1.0 -m filesrc location=street.mp4 ! decodebin ! \
 *   gvadetect model=yolo11s.xml ! gvatrack ! vitgate inference-region=roi-list object-class=car \
 *   reclassify-interval=10 post-messages=true ! fakesink
 * ]| Classifies each car, and again every ten frames.
 * |[
 * gst-launch-1.0 v4l2src ! vitgate model=small.safetensors token-map=true ! \
 *   vitgateoverlay show-tokens=true ! videoconvert ! autovideosink
 * ]| Shows where in the picture the network looks harder.
 */
#include "classify/gstvitgate.h"

#include "classify/analysis.h"
#include "classify/classifier-loader.h"
#include "classify/element.h"
#include "classify/region-analysis.h"
#include "common/errors.h"

GST_DEBUG_CATEGORY(gst_vitgate_debug);
#define GST_CAT_DEFAULT gst_vitgate_debug

enum {
  PROP_STATS = GST_VITGATE_N_SETTINGS,
};

#define SIZE_CAPS "(int) [ 1, " G_STRINGIFY(GST_VITGATE_MAX_SIZE) " ]"
#define FRAME_CAPS                                                                                 \
  ", format = (string) " GST_VITGATE_FORMATS ", width = " SIZE_CAPS ", height = " SIZE_CAPS        \
  ", framerate = " GST_VIDEO_FPS_RANGE

/* Overlays that travel beside the pixels, for the sink to draw, are passed through. */
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
  GstVitgate *self = GST_VITGATE(object);
  gboolean known;

  GST_OBJECT_LOCK(object);
  known = gst_vitgate_settings_set(&self->settings, id, value);
  if (gst_vitgate_settings_need_load(spec->name))
    self->loader.changed = TRUE;
  GST_OBJECT_UNLOCK(object);
  if (!known)
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
}

/* Returns: (transfer full) (nullable): why the property region cannot be read. */
static GError *check_region(GstVitgate *self)
{
  GstVitgateFixedRegion region;
  GError *error = NULL;

  GST_OBJECT_LOCK(self);
  gst_vitgate_fixed_region_parse(self->settings.region, &region, &error);
  GST_OBJECT_UNLOCK(self);
  return error;
}

/* A region that cannot be read is reported at the start; of one that is set later, the frame's size
 * may still refuse it. */
static void warn_of_region(GstVitgate *self)
{
  g_autoptr(GError) error = check_region(self);
  gboolean open;

  GST_OBJECT_LOCK(self);
  open = self->loader.open;
  GST_OBJECT_UNLOCK(self);
  if (open && error)
    gst_vitgate_post_warning(GST_ELEMENT(self), GST_VITGATE_BAD_REGION, error);
}

/* GObject calls this after g_object_set() has set all its properties, so that these are loaded
 * together. */
static void gst_vitgate_notify(GObject *object, GParamSpec *spec)
{
  GstVitgate *self = GST_VITGATE(object);

  if (gst_vitgate_settings_need_load(spec->name))
    gst_vitgate_loader_run(self);
  if (g_str_equal(spec->name, "region"))
    warn_of_region(self);
  if (G_OBJECT_CLASS(gst_vitgate_parent_class)->notify)
    G_OBJECT_CLASS(gst_vitgate_parent_class)->notify(object, spec);
}

static void gst_vitgate_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  GstVitgate *self = GST_VITGATE(object);
  GstVitgateStats stats;
  gboolean known = TRUE;

  GST_OBJECT_LOCK(object);
  if (id == PROP_STATS)
    gst_vitgate_stats_copy(&stats, &self->stats);
  else
    known = gst_vitgate_settings_get(&self->settings, id, value);
  GST_OBJECT_UNLOCK(object);

  /* The times are sorted here, after the lock, so that no frame has to wait for it. */
  if (id == PROP_STATS) {
    g_value_take_boxed(value, gst_vitgate_stats_to_structure(&stats));
    gst_vitgate_stats_reset(&stats);
  } else if (!known) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

/* ---- Start and stop ------------------------------------------------------------------------ */

static gboolean gst_vitgate_start(GstBaseTransform *trans)
{
  GstVitgate *self = GST_VITGATE(trans);
  g_autoptr(GError) error = check_region(self);

  if (error) {
    gst_vitgate_post_error(GST_ELEMENT(self), GST_VITGATE_BAD_REGION, error);
    return FALSE;
  }
  self->classifier = gst_vitgate_loader_open(self);
  if (!self->classifier)
    return FALSE;
  gst_vitgate_controller_reset(&self->controller);
  self->orientation_tags = (GstVitgateOrientationTags){ 0 };
  self->refused = self->unreadable = self->bad_regions = self->too_many_regions = FALSE;

  GST_OBJECT_LOCK(self);
  gst_vitgate_stats_reset(&self->stats);
  gst_vitgate_stats_set_model(&self->stats, self->classifier);
  self->latency = 0;
  self->upstream_latency = GST_CLOCK_TIME_NONE;
  self->late_frame = GST_CLOCK_TIME_NONE;
  GST_OBJECT_UNLOCK(self);
  return TRUE;
}

static gboolean gst_vitgate_stop(GstBaseTransform *trans)
{
  GstVitgate *self = GST_VITGATE(trans);

  gst_vitgate_loader_close(self);
  gst_vitgate_classifier_free(&self->classifier);
  return TRUE;
}

/* Pads push caps again that were refused; one error is enough. */
static void refuse_caps(GstVitgate *self, const GstCaps *caps, const char *reason)
{
  if (self->refused)
    return;
  self->refused = TRUE;
  GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("Cannot classify frames of these caps: %s", reason),
                    ("%" GST_PTR_FORMAT, caps));
}

static GstClockTime frame_duration(const GstVideoInfo *info)
{
  const gint n = GST_VIDEO_INFO_FPS_N(info), d = GST_VIDEO_INFO_FPS_D(info);

  return n > 0 && d > 0 ? gst_util_uint64_scale_int(GST_SECOND, d, n) : 0;
}

/* Uses the region that the user asked for.
 * Returns: FALSE if it reaches beyond the frame, with an error posted. */
static gboolean open_region(GstVitgate *self)
{
  const VitgateImage *frame = &self->layout.image;
  g_autoptr(GError) error = NULL;

  GST_OBJECT_LOCK(self);
  self->region = self->asked_region = self->settings.fixed_region;
  GST_OBJECT_UNLOCK(self);
  if (gst_vitgate_fixed_region_check(&self->region, frame->width, frame->height, &error))
    return TRUE;
  if (!self->refused)
    gst_vitgate_post_error(GST_ELEMENT(self), GST_VITGATE_BAD_REGION, error);
  self->refused = TRUE;
  return FALSE;
}

static gboolean gst_vitgate_set_caps(GstBaseTransform *trans, GstCaps *in, GstCaps *out)
{
  GstVitgate *self = GST_VITGATE(trans);

  gst_vitgate_classifier_forget(self->classifier);
  if (!gst_vitgate_frame_layout_init(&self->layout, in)) {
    refuse_caps(self, in,
                "the displayed picture is more than " G_STRINGIFY(
                    GST_VITGATE_MAX_SIZE) " times as wide as high, or as high as wide");
    return FALSE;
  }
  self->frame_duration = frame_duration(&self->layout.info);
  return open_region(self);
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

static GstFlowReturn analyse_frame(GstVitgate *self, GstVitgateAnalysis *analysis)
{
  GstFlowReturn flow = GST_FLOW_OK;

  gst_vitgate_analysis_decide(self, analysis);
  if (analysis->state == GST_VITGATE_STATE_FRESH)
    flow = gst_vitgate_analysis_preprocess(self, analysis);
  if (flow == GST_FLOW_OK && analysis->state == GST_VITGATE_STATE_FRESH)
    flow = gst_vitgate_analysis_infer(self, analysis);
  if (flow == GST_FLOW_OK)
    gst_vitgate_analysis_publish(self, analysis);
  return flow;
}

static GstFlowReturn analyse_regions(GstVitgate *self, GstVitgateAnalysis *analysis)
{
  GstFlowReturn flow = GST_FLOW_OK;

  gst_vitgate_region_analysis_decide(self, analysis);
  if (analysis->state == GST_VITGATE_STATE_FRESH)
    flow = gst_vitgate_region_analysis_infer(self, analysis);
  if (flow == GST_FLOW_OK)
    gst_vitgate_region_analysis_publish(self, analysis);
  return flow;
}

static GstFlowReturn gst_vitgate_transform_ip(GstBaseTransform *trans, GstBuffer *buffer)
{
  GstVitgate *self = GST_VITGATE(trans);
  GstVitgateAnalysis analysis;
  GstFlowReturn flow;

  gst_vitgate_analysis_begin(self, &analysis, buffer);
  flow =
      self->classifier->regions ? analyse_regions(self, &analysis) : analyse_frame(self, &analysis);
  if (flow == GST_FLOW_OK)
    gst_vitgate_analysis_end(self, &analysis);
  return flow;
}

/* Caps that a pad does not accept never reach its element, which could not say what to do. */
static GstPadProbeReturn explain_refused_caps(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
  GstCaps *accepted, *caps;
  const char *hint;

  if (GST_EVENT_TYPE(event) != GST_EVENT_CAPS)
    return GST_PAD_PROBE_OK;
  gst_event_parse_caps(event, &caps);
  accepted = gst_pad_get_pad_template_caps(pad);
  hint = gst_vitgate_frame_link_hint(caps, accepted);
  if (hint)
    refuse_caps(data, caps, hint);
  gst_caps_unref(accepted);
  return GST_PAD_PROBE_OK;
}

/* ---- Events and queries -------------------------------------------------------------------- */

/* A result of lying pictures says nothing about upright ones. */
static void read_orientation(GstVitgate *self, GstEvent *event)
{
  const gint tag = GST_VITGATE_ORIENTATION_AUTO;
  const VitgateOrientation before = gst_vitgate_orientation_choose(&self->orientation_tags, tag);

  gst_vitgate_orientation_tags_read(&self->orientation_tags, event);
  if (gst_vitgate_orientation_choose(&self->orientation_tags, tag) != before)
    gst_vitgate_classifier_forget(self->classifier);
}

static gboolean gst_vitgate_sink_event(GstBaseTransform *trans, GstEvent *event)
{
  GstVitgate *self = GST_VITGATE(trans);
  const GstEventType type = GST_EVENT_TYPE(event);

  if (type == GST_EVENT_TAG || type == GST_EVENT_STREAM_START)
    read_orientation(self, event);
  if (type == GST_EVENT_FLUSH_STOP || type == GST_EVENT_STREAM_START) {
    gst_vitgate_classifier_forget(self->classifier);
    gst_vitgate_controller_flush(&self->controller);
    GST_OBJECT_LOCK(self);
    self->late_frame = GST_CLOCK_TIME_NONE;
    GST_OBJECT_UNLOCK(self);
  }
  return GST_BASE_TRANSFORM_CLASS(gst_vitgate_parent_class)->sink_event(trans, event);
}

/* Records for the next frame that a sink got one too late. */
static void record_qos(GstVitgate *self, GstEvent *event)
{
  GstQOSType type;
  GstClockTimeDiff diff;
  GstClockTime running_time;

  gst_event_parse_qos(event, &type, NULL, &diff, &running_time);
  if (type == GST_QOS_TYPE_THROTTLE || diff <= 0)
    return;
  GST_OBJECT_LOCK(self);
  self->late_frame = running_time;
  GST_OBJECT_UNLOCK(self);
}

/* QoS events are hidden from the base class, which would skip frames. */
static gboolean gst_vitgate_src_event(GstBaseTransform *trans, GstEvent *event)
{
  if (GST_EVENT_TYPE(event) == GST_EVENT_QOS) {
    record_qos(GST_VITGATE(trans), event);
    return gst_pad_push_event(GST_BASE_TRANSFORM_SINK_PAD(trans), event);
  }
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

  gst_query_parse_latency(query, &live, &min, &max);
  GST_OBJECT_LOCK(self);
  latency = self->latency;
  self->upstream_latency = live ? min : GST_CLOCK_TIME_NONE;
  GST_OBJECT_UNLOCK(self);
  gst_query_set_latency(query, live, min + latency,
                        GST_CLOCK_TIME_IS_VALID(max) ? max + latency : max);
  return TRUE;
}

/* ---- Class --------------------------------------------------------------------------------- */

static void gst_vitgate_finalize(GObject *object)
{
  GstVitgate *self = GST_VITGATE(object);

  gst_vitgate_settings_clear(&self->settings);
  gst_vitgate_stats_reset(&self->stats);
  gst_vitgate_loader_clear(self);
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
  object_class->notify = gst_vitgate_notify;
  object_class->finalize = gst_vitgate_finalize;
  gst_vitgate_settings_install(object_class);
  g_object_class_install_property(
      object_class, PROP_STATS,
      g_param_spec_boxed(
          "stats", "Statistics",
          "In use: model (path), model-name, precision, compute (dial of the last inference). "
          "Since the element started: frames, inferred, reused (unchanged scenes), skipped (no "
          "time), gmacs; inferred frames by how much was computed: independent, full, updated. "
          "Over "
          "the last 512 frames that were inferred or unchanged: mean-compute (compute ratio). Over "
          "the last 512 inferences: mean-time, p95-time and worst-time in the "
          "element, mean-engine-time in the engine (all in ns), mean-gmacs",
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
  gst_vitgate_loader_init(self);
  gst_pad_add_probe(GST_BASE_TRANSFORM_SINK_PAD(self), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
                    explain_refused_caps, self, NULL);
}
