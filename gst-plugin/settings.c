/* settings.c: what the user sets: the element's properties, their defaults and what they hold. */
#include "settings.h"

#define DEFAULT_TOP_K              5
#define DEFAULT_THRESHOLD          0.0f
#define DEFAULT_INFERENCE_INTERVAL 1
#define DEFAULT_THREADS            1
#define DEFAULT_PRECISION          VITGATE_PRECISION_AUTO
#define DEFAULT_POST_MESSAGES      FALSE

#define READY        (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)
#define PLAYING      (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING)
#define CONTROLLABLE (PLAYING | GST_PARAM_CONTROLLABLE)

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

/* What is loaded before frames can flow. */
static void install_model(GObjectClass *class)
{
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_MODEL,
      g_param_spec_string("model", "Model",
                          "Path of the model file; unset: " VITGATE_DEFAULT_MODEL
                          " in $VITGATE_MODEL_DIR or in the installed data folder",
                          NULL, READY));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_LABELS,
      g_param_spec_string("labels", "Labels",
                          "Path of a text file with one class label a line, in the order of the "
                          "classes; unset: the labels that the model file holds",
                          NULL, READY));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_THREADS,
      g_param_spec_uint("threads", "Threads",
                        "Threads that work on a frame, the streaming thread included", 1,
                        VITGATE_MAX_THREADS, DEFAULT_THREADS, READY));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_PRECISION,
      g_param_spec_enum("precision", "Precision", "What matrix products are computed in",
                        GST_TYPE_VITGATE_PRECISION, DEFAULT_PRECISION, READY));
}

/* What frames and messages tell. */
static void install_results(GObjectClass *class)
{
  g_object_class_install_property(class, GST_VITGATE_SETTING_TOP_K,
                                  g_param_spec_uint("top-k", "Top k",
                                                    "Most classes that a frame carries, best first",
                                                    1, G_MAXINT, DEFAULT_TOP_K, CONTROLLABLE));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_THRESHOLD,
      g_param_spec_float("threshold", "Threshold",
                         "Least probability of a class that a frame carries", 0.0f, 1.0f,
                         DEFAULT_THRESHOLD, CONTROLLABLE));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_POST_MESSAGES,
      g_param_spec_boolean("post-messages", "Post messages",
                           "Post an element message with the result of every inference; the "
                           "application must then read its bus",
                           DEFAULT_POST_MESSAGES, PLAYING));
}

/* Which frames are inferred. */
static void install_inference(GObjectClass *class)
{
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_INFERENCE_INTERVAL,
      g_param_spec_uint("inference-interval", "Inference interval",
                        "Frames from one inference to the next; those between carry the last "
                        "result with its age (1 = every frame is inferred)",
                        1, G_MAXINT, DEFAULT_INFERENCE_INTERVAL, CONTROLLABLE));
}

void gst_vitgate_settings_install(GObjectClass *class)
{
  install_model(class);
  install_results(class);
  install_inference(class);
}

void gst_vitgate_settings_init(GstVitgateSettings *settings)
{
  *settings = (GstVitgateSettings){
    .top_k = DEFAULT_TOP_K,
    .threshold = DEFAULT_THRESHOLD,
    .interval = DEFAULT_INFERENCE_INTERVAL,
    .threads = DEFAULT_THREADS,
    .precision = DEFAULT_PRECISION,
    .post_messages = DEFAULT_POST_MESSAGES,
  };
}

void gst_vitgate_settings_clear(GstVitgateSettings *settings)
{
  g_clear_pointer(&settings->model, g_free);
  g_clear_pointer(&settings->labels, g_free);
}

/* An empty path means none: that is what a launch line can say. */
static void set_path(char **path, const GValue *value)
{
  const char *new_path = g_value_get_string(value);

  g_free(*path);
  *path = new_path && *new_path ? g_strdup(new_path) : NULL;
}

gboolean gst_vitgate_settings_set(GstVitgateSettings *settings, guint id, const GValue *value)
{
  switch (id) {
  case GST_VITGATE_SETTING_MODEL:
    set_path(&settings->model, value);
    return TRUE;
  case GST_VITGATE_SETTING_LABELS:
    set_path(&settings->labels, value);
    return TRUE;
  case GST_VITGATE_SETTING_TOP_K:
    settings->top_k = g_value_get_uint(value);
    return TRUE;
  case GST_VITGATE_SETTING_THRESHOLD:
    settings->threshold = g_value_get_float(value);
    return TRUE;
  case GST_VITGATE_SETTING_INFERENCE_INTERVAL:
    settings->interval = g_value_get_uint(value);
    return TRUE;
  case GST_VITGATE_SETTING_THREADS:
    settings->threads = g_value_get_uint(value);
    return TRUE;
  case GST_VITGATE_SETTING_PRECISION:
    settings->precision = (VitgatePrecision)g_value_get_enum(value);
    return TRUE;
  case GST_VITGATE_SETTING_POST_MESSAGES:
    settings->post_messages = g_value_get_boolean(value);
    return TRUE;
  default:
    return FALSE;
  }
}

gboolean gst_vitgate_settings_get(const GstVitgateSettings *settings, guint id, GValue *value)
{
  switch (id) {
  case GST_VITGATE_SETTING_MODEL:
    g_value_set_string(value, settings->model);
    return TRUE;
  case GST_VITGATE_SETTING_LABELS:
    g_value_set_string(value, settings->labels);
    return TRUE;
  case GST_VITGATE_SETTING_TOP_K:
    g_value_set_uint(value, settings->top_k);
    return TRUE;
  case GST_VITGATE_SETTING_THRESHOLD:
    g_value_set_float(value, settings->threshold);
    return TRUE;
  case GST_VITGATE_SETTING_INFERENCE_INTERVAL:
    g_value_set_uint(value, settings->interval);
    return TRUE;
  case GST_VITGATE_SETTING_THREADS:
    g_value_set_uint(value, settings->threads);
    return TRUE;
  case GST_VITGATE_SETTING_PRECISION:
    g_value_set_enum(value, (gint)settings->precision);
    return TRUE;
  case GST_VITGATE_SETTING_POST_MESSAGES:
    g_value_set_boolean(value, settings->post_messages);
    return TRUE;
  default:
    return FALSE;
  }
}
