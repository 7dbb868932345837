/* region-settings.c: the properties for regions. */
#include "classify/region-settings.h"

#include "classify/setting-numbers.h"
#include "common/frame.h"

#define DEFAULT_MIN_REGION_SIZE     1
#define DEFAULT_MAX_REGIONS         64
#define DEFAULT_RECLASSIFY_INTERVAL 1

/* With more, the results of a single frame would take megabytes. */
#define MAX_REGIONS 1024

#define PLAYING      (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING)
#define CONTROLLABLE (PLAYING | GST_PARAM_CONTROLLABLE)

#define GST_TYPE_VITGATE_INFERENCE_REGION (gst_vitgate_inference_region_get_type())

static GType gst_vitgate_inference_region_get_type(void)
{
  static const GEnumValue values[] = {
    { GST_VITGATE_INFERENCE_REGION_FULL_FRAME, "Frames, of which fit says what is seen",
      "full-frame" },
    { GST_VITGATE_INFERENCE_REGION_ROI_LIST, "The regions attached by a detector", "roi-list" },
    { 0, NULL, NULL },
  };
  static gsize type;

  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("GstVitgateInferenceRegion", values));
  return type;
}

/* Properties that select which regions are classified. */
static void install_choice(GObjectClass *class)
{
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_INFERENCE_REGION,
      g_param_spec_enum("inference-region", "Inference region",
                        "What to classify: frames, or the regions of interest and object "
                        "detections attached by an upstream element",
                        GST_TYPE_VITGATE_INFERENCE_REGION, GST_VITGATE_INFERENCE_REGION_FULL_FRAME,
                        PLAYING));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_OBJECT_CLASS,
      g_param_spec_string("object-class", "Object class",
                          "Classify only regions to which the detector gave this type; separate "
                          "several types by commas (unset = all)",
                          NULL, PLAYING));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_MIN_REGION_SIZE,
      g_param_spec_uint("min-region-size", "Minimum region size",
                        "Minimum width and height in pixels, within the frame, for a region to be "
                        "classified",
                        1, GST_VITGATE_MAX_SIZE, DEFAULT_MIN_REGION_SIZE, CONTROLLABLE));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_MAX_REGIONS,
      g_param_spec_uint("max-regions", "Maximum regions",
                        "Maximum number of regions classified in a frame: the first ones in the "
                        "detector's list (a warning is posted if there are more)",
                        1, MAX_REGIONS, DEFAULT_MAX_REGIONS, CONTROLLABLE));
}

void gst_vitgate_region_settings_install(GObjectClass *class)
{
  gst_type_mark_as_plugin_api(GST_TYPE_VITGATE_INFERENCE_REGION, 0);
  install_choice(class);
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_RECLASSIFY_INTERVAL,
      g_param_spec_uint("reclassify-interval", "Reclassify interval",
                        "Number of frames from one inference of a tracked region (one with an id) "
                        "to the next; on the frames between it carries its last result with its "
                        "age (1 = infer regions in every frame)",
                        1, G_MAXINT, DEFAULT_RECLASSIFY_INTERVAL, CONTROLLABLE));
}

void gst_vitgate_region_settings_init(GstVitgateRegionSettings *settings)
{
  *settings = (GstVitgateRegionSettings){
    .inference_region = GST_VITGATE_INFERENCE_REGION_FULL_FRAME,
    .min_size = DEFAULT_MIN_REGION_SIZE,
    .max = DEFAULT_MAX_REGIONS,
    .interval = DEFAULT_RECLASSIFY_INTERVAL,
  };
}

gboolean gst_vitgate_region_settings_set(GstVitgateRegionSettings *settings, guint id,
                                         const GValue *value)
{
  switch (id) {
  case GST_VITGATE_SETTING_INFERENCE_REGION:
    settings->inference_region = (GstVitgateInferenceRegion)g_value_get_enum(value);
    return TRUE;
  case GST_VITGATE_SETTING_OBJECT_CLASS:
    settings->object_class = g_intern_string(g_value_get_string(value));
    return TRUE;
  case GST_VITGATE_SETTING_MIN_REGION_SIZE:
    settings->min_size = g_value_get_uint(value);
    return TRUE;
  case GST_VITGATE_SETTING_MAX_REGIONS:
    settings->max = g_value_get_uint(value);
    return TRUE;
  case GST_VITGATE_SETTING_RECLASSIFY_INTERVAL:
    settings->interval = g_value_get_uint(value);
    return TRUE;
  default:
    return FALSE;
  }
}

gboolean gst_vitgate_region_settings_get(const GstVitgateRegionSettings *settings, guint id,
                                         GValue *value)
{
  switch (id) {
  case GST_VITGATE_SETTING_INFERENCE_REGION:
    g_value_set_enum(value, (gint)settings->inference_region);
    return TRUE;
  case GST_VITGATE_SETTING_OBJECT_CLASS:
    g_value_set_static_string(value, settings->object_class);
    return TRUE;
  case GST_VITGATE_SETTING_MIN_REGION_SIZE:
    g_value_set_uint(value, settings->min_size);
    return TRUE;
  case GST_VITGATE_SETTING_MAX_REGIONS:
    g_value_set_uint(value, settings->max);
    return TRUE;
  case GST_VITGATE_SETTING_RECLASSIFY_INTERVAL:
    g_value_set_uint(value, settings->interval);
    return TRUE;
  default:
    return FALSE;
  }
}
