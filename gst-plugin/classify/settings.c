/* settings.c: the element's properties: definitions, defaults and values. */
#include "classify/settings.h"

#include "common/orientation.h"

#define DEFAULT_TOP_K              0
#define DEFAULT_THRESHOLD          (-1.0f)
#define DEFAULT_UNKNOWN_THRESHOLD  0.95
#define DEFAULT_SMOOTHING          0.5
#define DEFAULT_HYSTERESIS         0.05
#define DEFAULT_INFERENCE_INTERVAL 1
#define DEFAULT_THREADS            1
#define DEFAULT_PRECISION          VITGATE_PRECISION_AUTO
#define DEFAULT_FIT                GST_VITGATE_FIT_AUTO
#define DEFAULT_COMPUTE            (-1.0)
#define DEFAULT_MIN_COMPUTE        0.0
#define DEFAULT_LATENCY_BUDGET     0
#define DEFAULT_POST_MESSAGES      FALSE
#define DEFAULT_TOKEN_MAP          FALSE
#define DEFAULT_FEATURES           FALSE
#define DEFAULT_ORIENTATION        GST_VITGATE_ORIENTATION_AUTO

#define READY        (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)
#define PLAYING      (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING)
#define CONTROLLABLE (PLAYING | GST_PARAM_CONTROLLABLE)

#define GST_TYPE_VITGATE_PRECISION (gst_vitgate_precision_get_type())

static GType gst_vitgate_precision_get_type(void)
{
  static const GEnumValue values[] = {
    { VITGATE_PRECISION_AUTO, "Fastest precision that the model file records as accurate enough",
      "auto" },
    { VITGATE_PRECISION_FLOAT32, "float32", "float32" },
    { VITGATE_PRECISION_BF16, "bfloat16 (needs AVX-512 BF16, AMX or ARM's BF16)", "bf16" },
    { VITGATE_PRECISION_INT8, "8-bit integers with 32-bit sums (fastest)", "int8" },
    { 0, NULL, NULL },
  };
  static gsize type;

  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("GstVitgatePrecision", values));
  return type;
}

#define GST_TYPE_VITGATE_FIT (gst_vitgate_fit_get_type())

static GType gst_vitgate_fit_get_type(void)
{
  static const GEnumValue values[] = {
    { GST_VITGATE_FIT_MODEL, "As the model file says: mostly a crop of the centre", "model" },
    { GST_VITGATE_FIT_CROP, "Resize the shorter side and crop the centre", "crop" },
    { GST_VITGATE_FIT_SQUASH, "Squash the whole frame into a square", "squash" },
    { GST_VITGATE_FIT_LETTERBOX,
      "Resize the longer side of the whole frame and fill the rest with the mean colour",
      "letterbox" },
    { GST_VITGATE_FIT_SQUARES,
      "Infer overlapping squares that cover the frame: two for 16:9 and 4:3, one up to 6:5",
      "squares" },
    { GST_VITGATE_FIT_AUTO,
      "As the model file says, so as a taught model saw its pictures; squares if it does not",
      "auto" },
    { 0, NULL, NULL },
  };
  static gsize type;

  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("GstVitgateFit", values));
  return type;
}

/* Properties that select what is loaded. */
static void install_model(GObjectClass *class)
{
  gst_type_mark_as_plugin_api(GST_TYPE_VITGATE_PRECISION, 0);
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_MODEL,
      g_param_spec_string(
          "model", "Model",
          "Path of the model file, or of a folder from a hub (unset = " VITGATE_DEFAULT_MODEL
          " in $VITGATE_MODEL_DIR or the installed data folder). If set while playing, the new "
          "model is loaded in the background and takes over between two frames; if it cannot be "
          "used, a warning is posted and the old model stays in use",
          NULL, PLAYING));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_LABELS,
      g_param_spec_string("labels", "Labels",
                          "Path of a file of class labels: text with one label per line, in class "
                          "order, or another form that 'vitgate import --help' lists "
                          "(unset = the labels in the model file)",
                          NULL, PLAYING));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_THREADS,
      g_param_spec_uint("threads", "Threads",
                        "Number of threads per frame, including the streaming thread", 1,
                        VITGATE_MAX_THREADS, DEFAULT_THREADS, READY));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_PRECISION,
      g_param_spec_enum("precision", "Precision", "Number format of the matrix products",
                        GST_TYPE_VITGATE_PRECISION, DEFAULT_PRECISION, PLAYING));
  gst_type_mark_as_plugin_api(GST_TYPE_VITGATE_FIT, 0);
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_FIT,
      g_param_spec_enum("fit", "Fit",
                        "How a frame that is not square becomes the model's square input. "
                        "model and crop may not see the sides. Each square costs an inference. "
                        "Regions of a detector are always seen undistorted",
                        GST_TYPE_VITGATE_FIT, DEFAULT_FIT, PLAYING));
}

/* Properties of the results. */
static void install_results(GObjectClass *class)
{
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_TOP_K,
      g_param_spec_uint("top-k", "Top k",
                        "Maximum number of classes attached to a frame, "
                        "best first (0 = 5, or no limit if each class "
                        "has a probability of its own)",
                        0, G_MAXINT, DEFAULT_TOP_K, CONTROLLABLE));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_THRESHOLD,
      g_param_spec_float("threshold", "Threshold",
                         "Minimum probability for a class to be attached; a frame without one has "
                         "no label (-1 = 0.25 for the best class and 0 for the others; if each "
                         "class has a probability of its own, the model's threshold of each "
                         "class, or 0.5)",
                         -1.0f, 1.0f, DEFAULT_THRESHOLD, CONTROLLABLE));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_UNKNOWN_THRESHOLD,
      g_param_spec_double("unknown-threshold", "Unknown threshold",
                          "Score from which a frame shows none of the classes and has the label "
                          "\"unknown\": the share of the classes' own pictures that are nearer to "
                          "a class. No effect on models without such a score, which 'vitgate "
                          "teach' adds (0 = off)",
                          0.0, 1.0, DEFAULT_UNKNOWN_THRESHOLD, CONTROLLABLE));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_SMOOTHING,
      g_param_spec_double(
          "smoothing", "Smoothing",
          "Time constant in seconds of stream time with which the probabilities of "
          "a stream, or of a tracked region, are averaged. The average starts again "
          "after a cut, a flush, a gap and new caps (0 = no average)",
          0.0, 3600.0, DEFAULT_SMOOTHING, CONTROLLABLE));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_HYSTERESIS,
      g_param_spec_double(
          "hysteresis", "Hysteresis",
          "Lead in probability that another class needs to become the label, and by "
          "which a class that fell below the threshold must exceed it to return",
          0.0, 1.0, DEFAULT_HYSTERESIS, CONTROLLABLE));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_POST_MESSAGES,
      g_param_spec_boolean(
          "post-messages", "Post messages",
          "Post an element message with the result of every frame that was inferred "
          "or found unchanged (the application must then read the bus)",
          DEFAULT_POST_MESSAGES, PLAYING));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_TOKEN_MAP,
      g_param_spec_boolean("token-map", "Token map",
                           "Attach how many modules of the network ran for each patch of the "
                           "frame, which vitgateoverlay draws with show-tokens=true. Not for "
                           "regions",
                           DEFAULT_TOKEN_MAP, PLAYING));
}

/* Properties of what the network found before the classes. */
static void install_features(GObjectClass *class)
{
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_FEATURES,
      g_param_spec_boolean("features", "Features",
                           "Attach what the network computes the classes from, to compare frames "
                           "by. Not with several views of a frame (set fit=squash)",
                           DEFAULT_FEATURES, PLAYING));
}

/* Properties that set how much is computed for a frame. */
static void install_compute(GObjectClass *class)
{
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_COMPUTE,
      g_param_spec_double("compute", "Compute",
                          "The dial: average compute ratio to aim for (multiply-adds divided by "
                          "those of the dense teacher), clamped to the model's range, so 0 is the "
                          "model's minimum and 1 its maximum (-1 = the model's default)",
                          -1.0, 1.0, DEFAULT_COMPUTE, CONTROLLABLE));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_MIN_COMPUTE,
      g_param_spec_double("min-compute", "Minimum compute",
                          "Lowest setting of the dial that latency-budget may use (0 = the model's "
                          "minimum)",
                          0.0, 1.0, DEFAULT_MIN_COMPUTE, CONTROLLABLE));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_LATENCY_BUDGET,
      g_param_spec_uint64("latency-budget", "Latency budget",
                          "Maximum time per frame in nanoseconds. To keep it, the dial goes down "
                          "from compute to min-compute; if that is not enough, frames pass without "
                          "an inference (0 = no limit)",
                          0, G_MAXINT64, DEFAULT_LATENCY_BUDGET, CONTROLLABLE));
}

/* Properties that select which frames are inferred. */
static void install_inference(GObjectClass *class)
{
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_INFERENCE_INTERVAL,
      g_param_spec_uint("inference-interval", "Inference interval",
                        "Number of frames from one inference to the next; the frames between carry "
                        "the last result with its age (1 = infer every frame)",
                        1, G_MAXINT, DEFAULT_INFERENCE_INTERVAL, CONTROLLABLE));
}

static void install_orientation(GObjectClass *class)
{
  gst_type_mark_as_plugin_api(GST_TYPE_VITGATE_ORIENTATION, 0);
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_ORIENTATION,
      g_param_spec_enum("orientation", "Orientation",
                        "How to turn frames upright before they are classified. Frames pass as "
                        "they are, and regions keep their places",
                        GST_TYPE_VITGATE_ORIENTATION, DEFAULT_ORIENTATION, PLAYING));
}

/* Properties of a fixed part of the frame. Strings cannot be controlled. */
static void install_look(GObjectClass *class)
{
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_REGION,
      g_param_spec_string(
          "region", "Region",
          "The part of the frame to look at: x,y,width,height of the frame as it is stored, each "
          "in pixels or, with a %-sign, as a share of the frame, such as 25%,0,50%,480. "
          "fit applies to that part. With inference-region=roi-list, only objects whose centre "
          "lies there are classified (unset = the whole frame)",
          NULL, PLAYING));
  g_object_class_install_property(
      class, GST_VITGATE_SETTING_LOOK,
      g_param_spec_string("look", "Look",
                          "Name of what this element looks at, such as gate; results carry it, so "
                          "that those of several elements on one stream can be told apart",
                          NULL, PLAYING));
}

void gst_vitgate_settings_install(GObjectClass *class)
{
  install_model(class);
  install_results(class);
  install_features(class);
  install_compute(class);
  install_inference(class);
  install_orientation(class);
  install_look(class);
  gst_vitgate_temporal_settings_install(class);
  gst_vitgate_region_settings_install(class);
}

void gst_vitgate_settings_init(GstVitgateSettings *settings)
{
  *settings = (GstVitgateSettings){
    .top_k = DEFAULT_TOP_K,
    .threshold = DEFAULT_THRESHOLD,
    .unknown_threshold = DEFAULT_UNKNOWN_THRESHOLD,
    .smoothing = { DEFAULT_SMOOTHING, DEFAULT_HYSTERESIS },
    .interval = DEFAULT_INFERENCE_INTERVAL,
    .threads = DEFAULT_THREADS,
    .precision = DEFAULT_PRECISION,
    .fit = DEFAULT_FIT,
    .compute = DEFAULT_COMPUTE,
    .min_compute = DEFAULT_MIN_COMPUTE,
    .budget = DEFAULT_LATENCY_BUDGET,
    .post_messages = DEFAULT_POST_MESSAGES,
    .token_map = DEFAULT_TOKEN_MAP,
    .features = DEFAULT_FEATURES,
    .orientation = DEFAULT_ORIENTATION,
  };
  gst_vitgate_temporal_settings_init(&settings->temporal);
  gst_vitgate_region_settings_init(&settings->regions);
}

void gst_vitgate_settings_clear(GstVitgateSettings *settings)
{
  g_clear_pointer(&settings->model, g_free);
  g_clear_pointer(&settings->labels, g_free);
  g_clear_pointer(&settings->region, g_free);
}

/* An empty text unsets the property: a launch line has no other way to do so. */
static const char *get_text(const GValue *value)
{
  const char *text = g_value_get_string(value);

  return text && *text ? text : NULL;
}

static void set_text(char **text, const GValue *value)
{
  g_free(*text);
  *text = g_strdup(get_text(value));
}

/* A structure takes only valid UTF-8. */
static void set_look(GstVitgateSettings *settings, const char *look)
{
  g_autofree char *valid = look ? g_utf8_make_valid(look, -1) : NULL;

  settings->look = g_intern_string(valid);
}

gboolean gst_vitgate_settings_set(GstVitgateSettings *settings, guint id, const GValue *value)
{
  switch (id) {
  case GST_VITGATE_SETTING_MODEL:
    set_text(&settings->model, value);
    return TRUE;
  case GST_VITGATE_SETTING_LABELS:
    set_text(&settings->labels, value);
    return TRUE;
  case GST_VITGATE_SETTING_TOP_K:
    settings->top_k = g_value_get_uint(value);
    return TRUE;
  case GST_VITGATE_SETTING_THRESHOLD:
    settings->threshold = g_value_get_float(value);
    return TRUE;
  case GST_VITGATE_SETTING_UNKNOWN_THRESHOLD:
    settings->unknown_threshold = g_value_get_double(value);
    return TRUE;
  case GST_VITGATE_SETTING_SMOOTHING:
    settings->smoothing.time_constant = g_value_get_double(value);
    return TRUE;
  case GST_VITGATE_SETTING_HYSTERESIS:
    settings->smoothing.hysteresis = g_value_get_double(value);
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
  case GST_VITGATE_SETTING_FIT:
    settings->fit = (GstVitgateFit)g_value_get_enum(value);
    return TRUE;
  case GST_VITGATE_SETTING_COMPUTE:
    settings->compute = g_value_get_double(value);
    return TRUE;
  case GST_VITGATE_SETTING_MIN_COMPUTE:
    settings->min_compute = g_value_get_double(value);
    return TRUE;
  case GST_VITGATE_SETTING_LATENCY_BUDGET:
    settings->budget = g_value_get_uint64(value);
    return TRUE;
  case GST_VITGATE_SETTING_POST_MESSAGES:
    settings->post_messages = g_value_get_boolean(value);
    return TRUE;
  case GST_VITGATE_SETTING_TOKEN_MAP:
    settings->token_map = g_value_get_boolean(value);
    return TRUE;
  case GST_VITGATE_SETTING_FEATURES:
    settings->features = g_value_get_boolean(value);
    return TRUE;
  case GST_VITGATE_SETTING_ORIENTATION:
    settings->orientation = g_value_get_enum(value);
    return TRUE;
  case GST_VITGATE_SETTING_REGION:
    set_text(&settings->region, value);
    gst_vitgate_fixed_region_parse(settings->region, &settings->fixed_region, NULL);
    return TRUE;
  case GST_VITGATE_SETTING_LOOK:
    set_look(settings, get_text(value));
    return TRUE;
  default:
    return gst_vitgate_temporal_settings_set(&settings->temporal, id, value) ||
           gst_vitgate_region_settings_set(&settings->regions, id, value);
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
  case GST_VITGATE_SETTING_UNKNOWN_THRESHOLD:
    g_value_set_double(value, settings->unknown_threshold);
    return TRUE;
  case GST_VITGATE_SETTING_SMOOTHING:
    g_value_set_double(value, settings->smoothing.time_constant);
    return TRUE;
  case GST_VITGATE_SETTING_HYSTERESIS:
    g_value_set_double(value, settings->smoothing.hysteresis);
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
  case GST_VITGATE_SETTING_FIT:
    g_value_set_enum(value, (gint)settings->fit);
    return TRUE;
  case GST_VITGATE_SETTING_COMPUTE:
    g_value_set_double(value, settings->compute);
    return TRUE;
  case GST_VITGATE_SETTING_MIN_COMPUTE:
    g_value_set_double(value, settings->min_compute);
    return TRUE;
  case GST_VITGATE_SETTING_LATENCY_BUDGET:
    g_value_set_uint64(value, settings->budget);
    return TRUE;
  case GST_VITGATE_SETTING_POST_MESSAGES:
    g_value_set_boolean(value, settings->post_messages);
    return TRUE;
  case GST_VITGATE_SETTING_TOKEN_MAP:
    g_value_set_boolean(value, settings->token_map);
    return TRUE;
  case GST_VITGATE_SETTING_FEATURES:
    g_value_set_boolean(value, settings->features);
    return TRUE;
  case GST_VITGATE_SETTING_ORIENTATION:
    g_value_set_enum(value, settings->orientation);
    return TRUE;
  case GST_VITGATE_SETTING_REGION:
    g_value_set_string(value, settings->region);
    return TRUE;
  case GST_VITGATE_SETTING_LOOK:
    g_value_set_static_string(value, settings->look);
    return TRUE;
  default:
    return gst_vitgate_temporal_settings_get(&settings->temporal, id, value) ||
           gst_vitgate_region_settings_get(&settings->regions, id, value);
  }
}

gboolean gst_vitgate_settings_need_load(const char *name)
{
  static const char *loaded[] = { "model",    "labels",           "precision", "fit",
                                  "temporal", "inference-region", NULL };

  return g_strv_contains(loaded, name);
}
