/* temporal-settings.c: the properties for what a frame takes over from the ones before. */
#include "classify/temporal-settings.h"

#include "classify/setting-numbers.h"

#define DEFAULT_MODE             GST_VITGATE_TEMPORAL_AUTO
#define DEFAULT_CHANGE_THRESHOLD (3.0 / 255)
#define DEFAULT_REFRESH_INTERVAL 50
#define DEFAULT_REUSE_THRESHOLD  (-1.0)
#define DEFAULT_MAX_AGE          (10 * GST_SECOND)

#define PLAYING      (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING)
#define CONTROLLABLE (PLAYING | GST_PARAM_CONTROLLABLE)

#define GST_TYPE_VITGATE_TEMPORAL (gst_vitgate_temporal_get_type())

static GType gst_vitgate_temporal_get_type(void)
{
  static const GEnumValue values[] = {
    { GST_VITGATE_TEMPORAL_OFF, "Compute every frame on its own", "off" },
    { GST_VITGATE_TEMPORAL_AUTO, "Compute what changed, once frames have proved alike", "auto" },
    { GST_VITGATE_TEMPORAL_ON, "Compute what changed, from the second frame on", "on" },
    { 0, NULL, NULL },
  };
  static gsize type;

  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("GstVitgateTemporal", values));
  return type;
}

static void install_updates(GObjectClass *class)
{
  gst_type_mark_as_plugin_api(GST_TYPE_VITGATE_TEMPORAL, 0);
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_TEMPORAL,
      g_param_spec_enum("temporal", "Temporal",
                        "Whether only the patches of a frame that changed are computed. Memory: "
                        "about 1 MB per square with the default model. Regions: with on, those "
                        "that a tracker gave an id",
                        GST_TYPE_VITGATE_TEMPORAL, DEFAULT_MODE, PLAYING));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_CHANGE_THRESHOLD,
      g_param_spec_double("change-threshold", "Change threshold",
                          "Change from which a patch, and its neighbours, are computed again: the "
                          "largest change of mean red, green or blue in a quarter of the patch, as "
                          "a share of full scale. Below the model's default compute it grows up to "
                          "twofold",
                          0.0, 1.0, DEFAULT_CHANGE_THRESHOLD, CONTROLLABLE));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_REFRESH_INTERVAL,
      g_param_spec_uint("refresh-interval", "Refresh interval",
                        "Maximum number of frames from one computation of all patches to the next, "
                        "while there are changes (0 = no limit)",
                        0, G_MAXINT, DEFAULT_REFRESH_INTERVAL, CONTROLLABLE));
}

static void install_reuse(GObjectClass *class)
{
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_REUSE_THRESHOLD,
      g_param_spec_double(
          "reuse-threshold", "Reuse threshold",
          "Maximum change of the picture for which the last result is reused, measured as for "
          "change-threshold. A few hundredths are above a sensor's noise (0 = never reuse, "
          "-1 = 8/255, or 0 if temporal is off)",
          -1.0, 1.0, DEFAULT_REUSE_THRESHOLD, CONTROLLABLE));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_MAX_AGE,
      g_param_spec_uint64("max-age", "Maximum age",
                          "Maximum stream time in nanoseconds for which the result of an unchanged "
                          "scene is reused (0 = no limit)",
                          0, G_MAXINT64, DEFAULT_MAX_AGE, CONTROLLABLE));
}

void gst_vitgate_temporal_settings_install(GObjectClass *class)
{
  install_updates(class);
  install_reuse(class);
}

void gst_vitgate_temporal_settings_init(GstVitgateTemporalSettings *settings)
{
  *settings = (GstVitgateTemporalSettings){
    .mode = DEFAULT_MODE,
    .change_threshold = DEFAULT_CHANGE_THRESHOLD,
    .refresh_interval = DEFAULT_REFRESH_INTERVAL,
    .reuse_threshold = DEFAULT_REUSE_THRESHOLD,
    .max_age = DEFAULT_MAX_AGE,
  };
}

gboolean gst_vitgate_temporal_settings_set(GstVitgateTemporalSettings *settings, guint id,
                                           const GValue *value)
{
  switch (id) {
  case GST_VITGATE_SETTING_TEMPORAL:
    settings->mode = (GstVitgateTemporal)g_value_get_enum(value);
    return TRUE;
  case GST_VITGATE_SETTING_CHANGE_THRESHOLD:
    settings->change_threshold = g_value_get_double(value);
    return TRUE;
  case GST_VITGATE_SETTING_REFRESH_INTERVAL:
    settings->refresh_interval = g_value_get_uint(value);
    return TRUE;
  case GST_VITGATE_SETTING_REUSE_THRESHOLD:
    settings->reuse_threshold = g_value_get_double(value);
    return TRUE;
  case GST_VITGATE_SETTING_MAX_AGE:
    settings->max_age = g_value_get_uint64(value);
    return TRUE;
  default:
    return FALSE;
  }
}

gboolean gst_vitgate_temporal_settings_get(const GstVitgateTemporalSettings *settings, guint id,
                                           GValue *value)
{
  switch (id) {
  case GST_VITGATE_SETTING_TEMPORAL:
    g_value_set_enum(value, (gint)settings->mode);
    return TRUE;
  case GST_VITGATE_SETTING_CHANGE_THRESHOLD:
    g_value_set_double(value, settings->change_threshold);
    return TRUE;
  case GST_VITGATE_SETTING_REFRESH_INTERVAL:
    g_value_set_uint(value, settings->refresh_interval);
    return TRUE;
  case GST_VITGATE_SETTING_REUSE_THRESHOLD:
    g_value_set_double(value, settings->reuse_threshold);
    return TRUE;
  case GST_VITGATE_SETTING_MAX_AGE:
    g_value_set_uint64(value, settings->max_age);
    return TRUE;
  default:
    return FALSE;
  }
}

VitgateStreamOptions gst_vitgate_temporal_stream_options(const GstVitgateTemporalSettings *settings,
                                                         gboolean temporal, double max_compute)
{
  const VitgateStreamOptions defaults = vitgate_stream_default_options();
  const gboolean by_mode = settings->reuse_threshold < 0;
  VitgateStreamOptions options = defaults;

  options.temporal = temporal && settings->mode != GST_VITGATE_TEMPORAL_OFF;
  options.eager = settings->mode == GST_VITGATE_TEMPORAL_ON;
  options.changed = settings->change_threshold;
  options.interval = settings->refresh_interval;
  options.max_compute = max_compute;
  if (by_mode)
    options.unchanged = settings->mode == GST_VITGATE_TEMPORAL_OFF ? -1 : defaults.unchanged;
  else
    options.unchanged = settings->reuse_threshold > 0 ? settings->reuse_threshold : -1;
  return options;
}
