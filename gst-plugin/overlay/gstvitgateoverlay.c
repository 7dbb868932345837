/* gstvitgateoverlay.c: the element vitgateoverlay. */
/**
 * SECTION:element-vitgateoverlay
 * @title: vitgateoverlay
 * @short_description: draws the results of vitgate on each frame
 *
 * vitgateoverlay draws in a corner of the frame: the best labels with their scores ("unsure" if no
 * class is probable enough), the compute ratio as a bar, the age of the result and the frame rate,
 * measured each second. #GstVitgateOverlay:show-bar, #GstVitgateOverlay:show-state and
 * #GstVitgateOverlay:show-rate hide the last three. A number stays for half a second of stream
 * time; a new label is drawn at once. Numbers of regions without an id are those of the frame. If
 * regions were classified, each region gets an edge and a tag with its id, its best label and its
 * age; at most 256 regions are drawn on a frame. If the model has seen only a part of the frame
 * (vitgate's fit crops, or region is set), that part gets an edge. The results of several vitgate
 * elements upstream are drawn one below the other; those of a part of the frame that has a name
 * (vitgate's look) are drawn at its edge, only the best label of each. Frames without
 * results and buffers without content pass unchanged.
 *
 * With #GstVitgateOverlay:show-tokens, parts of the frame for which few modules of the network ran
 * are darker, so that you see where it looks harder. This needs vitgate token-map=true.
 *
 * Frames may have any format of raw video that GStreamer can blend into. If the sink draws overlays
 * itself (caps feature meta:GstVideoOverlayComposition), the pixels stay unchanged and may be in
 * any memory; the overlay travels beside them.
 *
 * The font size is relative to the frame's height or width, whichever is less, unless
 * #GstVitgateOverlay:font-desc sets it in pixels ("Sans 24px") or in points (72 points are 96
 * pixels). Lines that do not fit into the frame are not drawn; text that is too long ends in an
 * ellipsis. Pieces are painted only when they change: a frame that shows the same as the last one
 * costs only the blending.
 *
 * If the stream has an image-orientation tag, the drawing lies as the picture does: it is upright
 * where a sink or an element downstream turns frames as the tag says (videoflip
 * video-direction=auto). #GstVitgateOverlay:orientation sets this for streams without a tag; set it
 * to identity after an element that turns frames and leaves the tag.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 v4l2src ! vitgate ! vitgateoverlay position=bottom-left ! videoconvert ! \
 *   autovideosink
 * ]| Shows a camera with the labels of what it sees.
 */
#include "overlay/gstvitgateoverlay.h"

#include "common/results.h"
#include "common/structure.h"
#include "common/visible.h"
#include "overlay/overlay-caps.h"

GST_DEBUG_CATEGORY_STATIC(gst_vitgate_overlay_debug);
#define GST_CAT_DEFAULT gst_vitgate_overlay_debug

enum {
  PROP_STATS = GST_VITGATE_OVERLAY_N_SETTINGS,
};

/* Smaller letters are unreadable. */
#define MIN_FONT_PIXELS 8

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VITGATE_OVERLAY_CAPS));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VITGATE_OVERLAY_CAPS));

G_DEFINE_TYPE(GstVitgateOverlay, gst_vitgate_overlay, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE(vitgateoverlay, "vitgateoverlay", GST_RANK_NONE,
                            GST_TYPE_VITGATE_OVERLAY)

/* ---- Properties ---------------------------------------------------------------------------- */

static GstStructure *make_stats(const GstVitgateOverlay *self)
{
  GstStructure *s = gst_structure_new_empty("application/x-vitgateoverlay-stats");

  structure_set_uint64(s, "frames", self->frames);
  structure_set_uint64(s, "drawn", self->drawn);
  structure_set_uint64(s, "painted", self->painted);
  return s;
}

static void gst_vitgate_overlay_set_property(GObject *object, guint id, const GValue *value,
                                             GParamSpec *spec)
{
  GstVitgateOverlay *self = GST_VITGATE_OVERLAY(object);
  gboolean known;

  GST_OBJECT_LOCK(object);
  known = gst_vitgate_overlay_settings_set(&self->settings, id, value);
  GST_OBJECT_UNLOCK(object);
  if (!known)
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
}

static void gst_vitgate_overlay_get_property(GObject *object, guint id, GValue *value,
                                             GParamSpec *spec)
{
  GstVitgateOverlay *self = GST_VITGATE_OVERLAY(object);
  gboolean known = TRUE;

  GST_OBJECT_LOCK(object);
  if (id == PROP_STATS)
    g_value_take_boxed(value, make_stats(self));
  else
    known = gst_vitgate_overlay_settings_get(&self->settings, id, value);
  GST_OBJECT_UNLOCK(object);
  if (!known)
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
}

/* ---- Start, stop and caps ------------------------------------------------------------------ */

static void forget_drawing(GstVitgateOverlay *self)
{
  g_clear_pointer(&self->drawing, g_array_unref);
  g_clear_pointer(&self->attachment, gst_video_overlay_composition_unref);
}

static gboolean gst_vitgate_overlay_start(GstBaseTransform *trans)
{
  GstVitgateOverlay *self = GST_VITGATE_OVERLAY(trans);

  GST_OBJECT_LOCK(self);
  self->frames = self->drawn = self->painted = 0;
  GST_OBJECT_UNLOCK(self);
  self->painter = gst_vitgate_painter_new();
  gst_vitgate_held_results_init(&self->held);
  self->painter_serial = 0;
  self->orientation_tags = (GstVitgateOrientationTags){ 0 };
  self->unwritable = FALSE;
  self->rate = (GstVitgateFrameRate){ 0 };
  return TRUE;
}

static gboolean gst_vitgate_overlay_stop(GstBaseTransform *trans)
{
  GstVitgateOverlay *self = GST_VITGATE_OVERLAY(trans);

  forget_drawing(self);
  gst_vitgate_painter_free(&self->painter);
  gst_vitgate_held_results_clear(&self->held);
  return TRUE;
}

static GstCaps *gst_vitgate_overlay_transform_caps(GstBaseTransform *trans,
                                                   GstPadDirection direction, GstCaps *caps,
                                                   GstCaps *filter)
{
  GstCaps *all = gst_vitgate_overlay_caps_transform(caps, direction), *result = all;

  if (filter) {
    result = gst_caps_intersect_full(filter, all, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref(all);
  }
  return result;
}

static GstCaps *gst_vitgate_overlay_fixate_caps(GstBaseTransform *trans, GstPadDirection direction,
                                                GstCaps *caps, GstCaps *other)
{
  if (direction == GST_PAD_SINK && !gst_vitgate_overlay_caps_attach(caps)) {
    GstCaps *peer = gst_pad_peer_query_caps(trans->srcpad, NULL);

    other = gst_vitgate_overlay_caps_restrict(other, peer);
    gst_caps_unref(peer);
  }
  return gst_caps_fixate(other);
}

static gboolean gst_vitgate_overlay_set_caps(GstBaseTransform *trans, GstCaps *in, GstCaps *out)
{
  GstVitgateOverlay *self = GST_VITGATE_OVERLAY(trans);

  forget_drawing(self);
  self->painter_serial = 0; /* the font size depends on the frame size */
  self->attach = gst_vitgate_overlay_caps_attach(out);
  GST_INFO_OBJECT(self, "%s", self->attach ? "the sink draws the overlay" : "blending");
  if (!gst_video_info_from_caps(&self->info, in)) {
    GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("Cannot draw on frames of these caps"),
                      ("%" GST_PTR_FORMAT, in));
    return FALSE;
  }
  return TRUE;
}

/* ---- Frames -------------------------------------------------------------------------------- */

static gint font_size(const GstVitgateOverlaySettings *settings, gint width, gint height)
{
  const gint side = MIN(width, height);
  double size = settings->text_size * side;

  if (pango_font_description_get_set_fields(settings->font) & PANGO_FONT_MASK_SIZE) {
    size = pango_font_description_get_size(settings->font) / (double)PANGO_SCALE;
    if (!pango_font_description_get_size_is_absolute(settings->font))
      size *= 96.0 / 72.0;
  }
  return (gint)CLAMP(size, MIN_FONT_PIXELS, MAX(side, MIN_FONT_PIXELS));
}

/* Passes changed settings to the painter.
 * @rate: frames per second
 * Returns: the style for a frame of the caps' size, turned upright. */
static GstVitgateDrawingStyle update_style(GstVitgateOverlay *self, double rate)
{
  const GstVitgateOverlaySettings *settings = &self->settings;
  GstVitgateDrawingStyle style = {
    .painter = self->painter,
    .held = &self->held,
    .width = GST_VIDEO_INFO_WIDTH(&self->info),
    .height = GST_VIDEO_INFO_HEIGHT(&self->info),
  };
  VitgateOrientation orientation;

  GST_OBJECT_LOCK(self);
  orientation = gst_vitgate_orientation_choose(&self->orientation_tags, settings->orientation);
  if (gst_vitgate_orientation_is_lying(orientation)) {
    style.width = GST_VIDEO_INFO_HEIGHT(&self->info);
    style.height = GST_VIDEO_INFO_WIDTH(&self->info);
  }
  if (self->painter_serial != settings->serial || self->painter->orientation != orientation)
    gst_vitgate_painter_set_style(self->painter, settings->font,
                                  font_size(settings, style.width, style.height), &settings->colors,
                                  orientation);
  self->painter_serial = settings->serial;
  style.corner = settings->corner;
  style.top_k = settings->top_k;
  style.bar = settings->bar;
  style.state = settings->state;
  style.tokens = settings->tokens;
  style.rate = settings->rate ? rate : 0;
  style.region = settings->region_color;
  GST_OBJECT_UNLOCK(self);
  return style;
}

/* Sets the drawing for @buffer. If it looks the same as the last one, both that drawing and its
 * attachment are kept. */
static void update_drawing(GstVitgateOverlay *self, GstBuffer *buffer, double rate)
{
  GstVitgateDrawingStyle style = update_style(self, rate);
  GArray *drawing;

  style.time =
      gst_vitgate_frame_times(GST_ELEMENT(self), &GST_BASE_TRANSFORM(self)->segment, buffer)
          .stream_time;
  drawing = gst_vitgate_drawing_new(&style, buffer);
  if (self->drawing && gst_vitgate_drawing_equal(drawing, self->drawing)) {
    g_array_unref(drawing);
    return;
  }
  forget_drawing(self);
  self->drawing = drawing;
}

/* A frame that cannot be drawn on is passed on. Each run of such frames posts one warning. */
static void warn_unwritable(GstVitgateOverlay *self, GstBuffer *buffer, const char *reason)
{
  if (self->unwritable)
    return;
  self->unwritable = TRUE;
  GST_ELEMENT_WARNING(self, STREAM, FAILED, ("Cannot draw on a frame: %s", reason),
                      ("%" GST_PTR_FORMAT, buffer));
}

static void blend_drawing(GstVitgateOverlay *self, GstBuffer *buffer)
{
  GstVitgateVisible visible;
  const char *reason;

  if (!gst_vitgate_visible_map(&visible, &self->info, buffer, GST_MAP_READWRITE, &reason)) {
    warn_unwritable(self, buffer, reason);
    return;
  }
  self->unwritable = FALSE;
  for (guint i = 0; i < self->drawing->len; i++) {
    GstVitgatePlacement placement = g_array_index(self->drawing, GstVitgatePlacement, i);

    placement.x += visible.x;
    placement.y += visible.y;
    gst_vitgate_blend(&visible.frame, &placement);
  }
  gst_vitgate_visible_unmap(&visible);
}

static void add_drawing(GstVideoOverlayComposition *composition, const GArray *drawing)
{
  for (guint i = 0; i < drawing->len; i++) {
    const GstVitgatePlacement *placement = &g_array_index(drawing, GstVitgatePlacement, i);
    GstVideoOverlayRectangle *rectangle = gst_video_overlay_rectangle_new_raw(
        placement->pixels, placement->x, placement->y, placement->width, placement->height,
        GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA);

    gst_video_overlay_composition_add_rectangle(composition, rectangle);
    gst_video_overlay_rectangle_unref(rectangle);
  }
}

/* Sinks read only one meta. If upstream has attached one, the drawing is added to it. */
static void attach_drawing(GstVitgateOverlay *self, GstBuffer *buffer)
{
  GstVideoOverlayCompositionMeta *meta = gst_buffer_get_video_overlay_composition_meta(buffer);

  if (meta) {
    GstVideoOverlayComposition *both = gst_video_overlay_composition_copy(meta->overlay);

    add_drawing(both, self->drawing);
    gst_video_overlay_composition_unref(meta->overlay);
    meta->overlay = both;
    return;
  }
  if (!self->attachment) {
    self->attachment = gst_video_overlay_composition_new(NULL);
    add_drawing(self->attachment, self->drawing);
  }
  gst_buffer_add_video_overlay_composition_meta(buffer, self->attachment);
}

static GstFlowReturn gst_vitgate_overlay_transform_ip(GstBaseTransform *trans, GstBuffer *buffer)
{
  GstVitgateOverlay *self = GST_VITGATE_OVERLAY(trans);
  const double rate = gst_vitgate_frame_rate_count(&self->rate, gst_util_get_timestamp());
  gpointer state = NULL;
  gboolean draws = gst_buffer_get_size(buffer) > 0 && gst_vitgate_results_next(buffer, &state);

  if (draws) {
    update_drawing(self, buffer, rate);
    draws = self->drawing->len > 0;
  }
  if (draws && self->attach)
    attach_drawing(self, buffer);
  else if (draws)
    blend_drawing(self, buffer);

  GST_OBJECT_LOCK(self);
  self->frames++;
  self->drawn += draws;
  self->painted = self->painter->painted;
  GST_OBJECT_UNLOCK(self);
  return GST_FLOW_OK;
}

static gboolean gst_vitgate_overlay_sink_event(GstBaseTransform *trans, GstEvent *event)
{
  GstVitgateOverlay *self = GST_VITGATE_OVERLAY(trans);

  gst_vitgate_orientation_tags_read(&self->orientation_tags, event);
  if (GST_EVENT_TYPE(event) == GST_EVENT_STREAM_START ||
      GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP)
    gst_vitgate_held_results_forget(&self->held);
  return GST_BASE_TRANSFORM_CLASS(gst_vitgate_overlay_parent_class)->sink_event(trans, event);
}

/* ---- Class --------------------------------------------------------------------------------- */

static void gst_vitgate_overlay_finalize(GObject *object)
{
  gst_vitgate_overlay_settings_clear(&GST_VITGATE_OVERLAY(object)->settings);
  G_OBJECT_CLASS(gst_vitgate_overlay_parent_class)->finalize(object);
}

static void gst_vitgate_overlay_class_init(GstVitgateOverlayClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS(class);
  GstElementClass *element_class = GST_ELEMENT_CLASS(class);
  GstBaseTransformClass *trans_class = GST_BASE_TRANSFORM_CLASS(class);

  GST_DEBUG_CATEGORY_INIT(gst_vitgate_overlay_debug, "vitgateoverlay", 0,
                          "results of vitgate drawn on frames");

  object_class->set_property = gst_vitgate_overlay_set_property;
  object_class->get_property = gst_vitgate_overlay_get_property;
  object_class->finalize = gst_vitgate_overlay_finalize;
  gst_vitgate_overlay_settings_install(object_class);
  g_object_class_install_property(
      object_class, PROP_STATS,
      g_param_spec_boxed("stats", "Statistics",
                         "Since the element started: frames, drawn (frames with an overlay), "
                         "painted (texts, bars and edges painted because they changed)",
                         GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));

  gst_element_class_set_static_metadata(
      element_class, "vitgate results overlay", "Filter/Editor/Video",
      "Draws the labels, scores, compute ratio and age that vitgate attached to each frame",
      "The vitgate authors");
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);

  trans_class->start = GST_DEBUG_FUNCPTR(gst_vitgate_overlay_start);
  trans_class->stop = GST_DEBUG_FUNCPTR(gst_vitgate_overlay_stop);
  trans_class->transform_caps = GST_DEBUG_FUNCPTR(gst_vitgate_overlay_transform_caps);
  trans_class->fixate_caps = GST_DEBUG_FUNCPTR(gst_vitgate_overlay_fixate_caps);
  trans_class->set_caps = GST_DEBUG_FUNCPTR(gst_vitgate_overlay_set_caps);
  trans_class->sink_event = GST_DEBUG_FUNCPTR(gst_vitgate_overlay_sink_event);
  trans_class->transform_ip = GST_DEBUG_FUNCPTR(gst_vitgate_overlay_transform_ip);
}

static void gst_vitgate_overlay_init(GstVitgateOverlay *self)
{
  gst_vitgate_overlay_settings_init(&self->settings);
}
