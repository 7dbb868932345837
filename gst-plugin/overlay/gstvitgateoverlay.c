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
 * (vitgate's fit crops), that part gets an edge. The results of several vitgate elements upstream
 * are drawn one below the other. Frames without results and buffers without content pass unchanged.
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
  PROP_0,
  PROP_POSITION,
  PROP_TEXT_SIZE,
  PROP_FONT_DESC,
  PROP_TOP_K,
  PROP_SHOW_BAR,
  PROP_SHOW_STATE,
  PROP_SHOW_RATE,
  PROP_SHOW_TOKENS,
  PROP_TEXT_COLOR,
  PROP_BOX_COLOR,
  PROP_BAR_COLOR,
  PROP_REGION_COLOR,
  PROP_ORIENTATION,
  PROP_STATS,
};

#define DEFAULT_POSITION     GST_VITGATE_TOP_LEFT
#define DEFAULT_TEXT_SIZE    0.04
#define DEFAULT_FONT_DESC    "Sans Bold"
#define DEFAULT_SHOW_TOKENS  FALSE
#define DEFAULT_TOP_K        3
#define DEFAULT_SHOW         TRUE
#define DEFAULT_TEXT_COLOR   0xffffffffu
#define DEFAULT_BOX_COLOR    0xb0000000u
#define DEFAULT_BAR_COLOR    0xff40c040u
#define DEFAULT_REGION_COLOR 0xffffc000u
#define DEFAULT_ORIENTATION  GST_VITGATE_ORIENTATION_AUTO

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

#define GST_TYPE_VITGATE_OVERLAY_POSITION (gst_vitgate_overlay_position_get_type())

static GType gst_vitgate_overlay_position_get_type(void)
{
  static const GEnumValue values[] = {
    { GST_VITGATE_TOP_LEFT, "Top left", "top-left" },
    { GST_VITGATE_TOP_RIGHT, "Top right", "top-right" },
    { GST_VITGATE_BOTTOM_LEFT, "Bottom left", "bottom-left" },
    { GST_VITGATE_BOTTOM_RIGHT, "Bottom right", "bottom-right" },
    { 0, NULL, NULL },
  };
  static gsize type;

  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("GstVitgateOverlayPosition", values));
  return type;
}

static void set_font(GstVitgateOverlaySettings *settings, const char *description)
{
  g_clear_pointer(&settings->font, pango_font_description_free);
  settings->font =
      pango_font_description_from_string(description ? description : DEFAULT_FONT_DESC);
}

static void gst_vitgate_overlay_set_property(GObject *object, guint id, const GValue *value,
                                             GParamSpec *spec)
{
  GstVitgateOverlaySettings *settings = &GST_VITGATE_OVERLAY(object)->settings;

  GST_OBJECT_LOCK(object);
  settings->serial++;
  switch (id) {
  case PROP_POSITION:
    settings->corner = (GstVitgateCorner)g_value_get_enum(value);
    break;
  case PROP_TEXT_SIZE:
    settings->text_size = g_value_get_double(value);
    break;
  case PROP_FONT_DESC:
    set_font(settings, g_value_get_string(value));
    break;
  case PROP_TOP_K:
    settings->top_k = g_value_get_uint(value);
    break;
  case PROP_SHOW_BAR:
    settings->bar = g_value_get_boolean(value);
    break;
  case PROP_SHOW_STATE:
    settings->state = g_value_get_boolean(value);
    break;
  case PROP_SHOW_RATE:
    settings->rate = g_value_get_boolean(value);
    break;
  case PROP_SHOW_TOKENS:
    settings->tokens = g_value_get_boolean(value);
    break;
  case PROP_TEXT_COLOR:
    settings->colors.text = g_value_get_uint(value);
    break;
  case PROP_BOX_COLOR:
    settings->colors.box = g_value_get_uint(value);
    break;
  case PROP_BAR_COLOR:
    settings->colors.bar = g_value_get_uint(value);
    break;
  case PROP_REGION_COLOR:
    settings->region_color = g_value_get_uint(value);
    break;
  case PROP_ORIENTATION:
    settings->orientation = g_value_get_enum(value);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    break;
  }
  GST_OBJECT_UNLOCK(object);
}

static GstStructure *make_stats(const GstVitgateOverlay *self)
{
  GstStructure *s = gst_structure_new_empty("application/x-vitgateoverlay-stats");

  structure_set_uint64(s, "frames", self->frames);
  structure_set_uint64(s, "drawn", self->drawn);
  structure_set_uint64(s, "painted", self->painted);
  return s;
}

static void gst_vitgate_overlay_get_property(GObject *object, guint id, GValue *value,
                                             GParamSpec *spec)
{
  GstVitgateOverlay *self = GST_VITGATE_OVERLAY(object);
  const GstVitgateOverlaySettings *settings = &self->settings;

  GST_OBJECT_LOCK(object);
  switch (id) {
  case PROP_POSITION:
    g_value_set_enum(value, (gint)settings->corner);
    break;
  case PROP_TEXT_SIZE:
    g_value_set_double(value, settings->text_size);
    break;
  case PROP_FONT_DESC:
    g_value_take_string(value, pango_font_description_to_string(settings->font));
    break;
  case PROP_TOP_K:
    g_value_set_uint(value, settings->top_k);
    break;
  case PROP_SHOW_BAR:
    g_value_set_boolean(value, settings->bar);
    break;
  case PROP_SHOW_STATE:
    g_value_set_boolean(value, settings->state);
    break;
  case PROP_SHOW_RATE:
    g_value_set_boolean(value, settings->rate);
    break;
  case PROP_SHOW_TOKENS:
    g_value_set_boolean(value, settings->tokens);
    break;
  case PROP_TEXT_COLOR:
    g_value_set_uint(value, settings->colors.text);
    break;
  case PROP_BOX_COLOR:
    g_value_set_uint(value, settings->colors.box);
    break;
  case PROP_BAR_COLOR:
    g_value_set_uint(value, settings->colors.bar);
    break;
  case PROP_REGION_COLOR:
    g_value_set_uint(value, settings->region_color);
    break;
  case PROP_ORIENTATION:
    g_value_set_enum(value, settings->orientation);
    break;
  case PROP_STATS:
    g_value_take_boxed(value, make_stats(self));
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    break;
  }
  GST_OBJECT_UNLOCK(object);
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

static void install_color(GObjectClass *class, guint id, const char *name, const char *nick,
                          const char *what, guint32 color)
{
  g_object_class_install_property(
      class, id,
      g_param_spec_uint(name, nick, what, 0, G_MAXUINT32, color,
                        G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING));
}

static void install_switch(GObjectClass *class, guint id, const char *name, const char *nick,
                           const char *what, gboolean on)
{
  g_object_class_install_property(
      class, id,
      g_param_spec_boolean(name, nick, what, on,
                           G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING));
}

static void install_properties(GObjectClass *class)
{
  const GParamFlags playing =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

  g_object_class_install_property(
      class, PROP_POSITION,
      g_param_spec_enum("position", "Position", "Corner of the frame to draw the results in",
                        GST_TYPE_VITGATE_OVERLAY_POSITION, DEFAULT_POSITION, playing));
  g_object_class_install_property(
      class, PROP_TEXT_SIZE,
      g_param_spec_double("text-size", "Text size",
                          "Font size, relative to the frame's height or width, whichever is less "
                          "(at least 8 pixels)",
                          0.01, 0.5, DEFAULT_TEXT_SIZE, playing));
  g_object_class_install_property(
      class, PROP_FONT_DESC,
      g_param_spec_string("font-desc", "Font description",
                          "Pango font description; a size in it (\"Sans 24px\") overrides "
                          "text-size",
                          DEFAULT_FONT_DESC, playing));
  g_object_class_install_property(class, PROP_TOP_K,
                                  g_param_spec_uint("top-k", "Top k",
                                                    "Maximum number of labels drawn for a frame", 0,
                                                    G_MAXINT, DEFAULT_TOP_K, playing));
  install_switch(class, PROP_SHOW_BAR, "show-bar", "Show bar", "Draw the compute ratio, with a bar",
                 DEFAULT_SHOW);
  install_switch(class, PROP_SHOW_STATE, "show-state", "Show state",
                 "Draw the age of results, and why they are old", DEFAULT_SHOW);
  install_switch(class, PROP_SHOW_RATE, "show-rate", "Show rate", "Draw the frames per second",
                 DEFAULT_SHOW);
  install_switch(class, PROP_SHOW_TOKENS, "show-tokens", "Show tokens",
                 "Darken parts of the frame for which few modules of the network ran (needs "
                 "vitgate token-map=true)",
                 DEFAULT_SHOW_TOKENS);
  install_color(class, PROP_TEXT_COLOR, "text-color", "Text color", "Color of text (ARGB)",
                DEFAULT_TEXT_COLOR);
  install_color(class, PROP_BOX_COLOR, "box-color", "Box color", "Color behind text (ARGB)",
                DEFAULT_BOX_COLOR);
  install_color(class, PROP_BAR_COLOR, "bar-color", "Bar color",
                "Color of the bar that shows the compute ratio (ARGB)", DEFAULT_BAR_COLOR);
  install_color(class, PROP_REGION_COLOR, "region-color", "Region color",
                "Color of the edges around regions (ARGB)", DEFAULT_REGION_COLOR);
  g_object_class_install_property(
      class, PROP_ORIENTATION,
      g_param_spec_enum("orientation", "Orientation",
                        "How a sink or an element downstream turns frames: the drawing is upright "
                        "after that",
                        GST_TYPE_VITGATE_ORIENTATION, DEFAULT_ORIENTATION, playing));
  g_object_class_install_property(
      class, PROP_STATS,
      g_param_spec_boxed("stats", "Statistics",
                         "Since the element started: frames, drawn (frames with an overlay), "
                         "painted (texts, bars and edges painted because they changed)",
                         GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void gst_vitgate_overlay_finalize(GObject *object)
{
  g_clear_pointer(&GST_VITGATE_OVERLAY(object)->settings.font, pango_font_description_free);
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
  install_properties(object_class);
  gst_type_mark_as_plugin_api(GST_TYPE_VITGATE_OVERLAY_POSITION, 0);

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
  self->settings = (GstVitgateOverlaySettings){
    .corner = DEFAULT_POSITION,
    .text_size = DEFAULT_TEXT_SIZE,
    .top_k = DEFAULT_TOP_K,
    .bar = DEFAULT_SHOW,
    .state = DEFAULT_SHOW,
    .rate = DEFAULT_SHOW,
    .tokens = DEFAULT_SHOW_TOKENS,
    .colors = { DEFAULT_TEXT_COLOR, DEFAULT_BOX_COLOR, DEFAULT_BAR_COLOR },
    .region_color = DEFAULT_REGION_COLOR,
    .orientation = DEFAULT_ORIENTATION,
    .serial = 1,
  };
  set_font(&self->settings, NULL);
}
