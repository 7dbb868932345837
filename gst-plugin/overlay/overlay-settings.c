/* overlay-settings.c: the properties of vitgateoverlay. */
#include "overlay/overlay-settings.h"

#include "common/orientation.h"

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
  N_PROPS,
};
G_STATIC_ASSERT(N_PROPS == GST_VITGATE_OVERLAY_N_SETTINGS);

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

gboolean gst_vitgate_overlay_settings_set(GstVitgateOverlaySettings *settings, guint id,
                                          const GValue *value)
{
  settings->serial++;
  switch (id) {
  case PROP_POSITION:
    settings->corner = (GstVitgateCorner)g_value_get_enum(value);
    return TRUE;
  case PROP_TEXT_SIZE:
    settings->text_size = g_value_get_double(value);
    return TRUE;
  case PROP_FONT_DESC:
    set_font(settings, g_value_get_string(value));
    return TRUE;
  case PROP_TOP_K:
    settings->top_k = g_value_get_uint(value);
    return TRUE;
  case PROP_SHOW_BAR:
    settings->bar = g_value_get_boolean(value);
    return TRUE;
  case PROP_SHOW_STATE:
    settings->state = g_value_get_boolean(value);
    return TRUE;
  case PROP_SHOW_RATE:
    settings->rate = g_value_get_boolean(value);
    return TRUE;
  case PROP_SHOW_TOKENS:
    settings->tokens = g_value_get_boolean(value);
    return TRUE;
  case PROP_TEXT_COLOR:
    settings->colors.text = g_value_get_uint(value);
    return TRUE;
  case PROP_BOX_COLOR:
    settings->colors.box = g_value_get_uint(value);
    return TRUE;
  case PROP_BAR_COLOR:
    settings->colors.bar = g_value_get_uint(value);
    return TRUE;
  case PROP_REGION_COLOR:
    settings->region_color = g_value_get_uint(value);
    return TRUE;
  case PROP_ORIENTATION:
    settings->orientation = g_value_get_enum(value);
    return TRUE;
  default:
    return FALSE;
  }
}

gboolean gst_vitgate_overlay_settings_get(const GstVitgateOverlaySettings *settings, guint id,
                                          GValue *value)
{
  switch (id) {
  case PROP_POSITION:
    g_value_set_enum(value, (gint)settings->corner);
    return TRUE;
  case PROP_TEXT_SIZE:
    g_value_set_double(value, settings->text_size);
    return TRUE;
  case PROP_FONT_DESC:
    g_value_take_string(value, pango_font_description_to_string(settings->font));
    return TRUE;
  case PROP_TOP_K:
    g_value_set_uint(value, settings->top_k);
    return TRUE;
  case PROP_SHOW_BAR:
    g_value_set_boolean(value, settings->bar);
    return TRUE;
  case PROP_SHOW_STATE:
    g_value_set_boolean(value, settings->state);
    return TRUE;
  case PROP_SHOW_RATE:
    g_value_set_boolean(value, settings->rate);
    return TRUE;
  case PROP_SHOW_TOKENS:
    g_value_set_boolean(value, settings->tokens);
    return TRUE;
  case PROP_TEXT_COLOR:
    g_value_set_uint(value, settings->colors.text);
    return TRUE;
  case PROP_BOX_COLOR:
    g_value_set_uint(value, settings->colors.box);
    return TRUE;
  case PROP_BAR_COLOR:
    g_value_set_uint(value, settings->colors.bar);
    return TRUE;
  case PROP_REGION_COLOR:
    g_value_set_uint(value, settings->region_color);
    return TRUE;
  case PROP_ORIENTATION:
    g_value_set_enum(value, settings->orientation);
    return TRUE;
  default:
    return FALSE;
  }
}

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

void gst_vitgate_overlay_settings_install(GObjectClass *class)
{
  const GParamFlags playing =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

  gst_type_mark_as_plugin_api(GST_TYPE_VITGATE_OVERLAY_POSITION, 0);
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
}

void gst_vitgate_overlay_settings_init(GstVitgateOverlaySettings *settings)
{
  *settings = (GstVitgateOverlaySettings){
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
  set_font(settings, NULL);
}

void gst_vitgate_overlay_settings_clear(GstVitgateOverlaySettings *settings)
{
  g_clear_pointer(&settings->font, pango_font_description_free);
}
