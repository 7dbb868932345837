/* classifier.c: everything that classifies one stream. */
#include "classify/classifier.h"

#define DEFAULT_TOP_K             5
#define DEFAULT_SIGMOID_THRESHOLD 0.5f

static gboolean load(GstVitgateClassifier *self, const GstVitgateClassifierOptions *options,
                     const char **doing, GError **error)
{
  const gboolean squares = !options->regions && options->fit == GST_VITGATE_FIT_SQUARES;
  const guint views = squares ? GST_VITGATE_MAX_VIEWS : 1;
  const VitgateSessionOptions session = {
    .threads = options->threads,
    .max_batch = options->regions ? GST_VITGATE_REGION_BATCH : views,
    .fit = options->fit == GST_VITGATE_FIT_SQUARES ? VITGATE_FIT_SQUASH : (VitgateFit)options->fit,
  };

  *doing = "Cannot load the model";
  self->model = vitgate_model_open_with(options->model, options->precision, error);
  if (!self->model)
    return FALSE;
  self->info = vitgate_model_get_info(self->model);
  gst_vitgate_views_init(&self->views, self->info, squares);
  self->labels = self->info->labels;
  if (options->labels) {
    *doing = "Cannot use the labels";
    self->own_labels = vitgate_labels_read(options->labels, self->info->n_classes, NULL, error);
    if (!self->own_labels)
      return FALSE;
    self->labels = (const char *const *)self->own_labels;
  }
  *doing = "Cannot prepare the inference";
  self->session = vitgate_session_new(self->model, &session, error);
  return self->session != NULL;
}

GstVitgateClassifier *gst_vitgate_classifier_new(const GstVitgateClassifierOptions *options,
                                                 const char **doing, GError **error)
{
  GstVitgateClassifier *self = g_new0(GstVitgateClassifier, 1);

  if (!load(self, options, doing, error)) {
    gst_vitgate_classifier_free(&self);
    return NULL;
  }
  self->path = g_strdup(options->model);
  if (options->regions)
    self->regions = gst_vitgate_region_classifier_new();
  self->indices = g_new(guint, self->info->n_classes);
  self->scores = g_new(float, self->info->n_classes);
  return self;
}

void gst_vitgate_classifier_free(GstVitgateClassifier **classifier)
{
  GstVitgateClassifier *self = *classifier;

  *classifier = NULL;
  if (!self)
    return;
  vitgate_session_free(&self->session);
  vitgate_model_unref(&self->model);
  gst_vitgate_views_clear(&self->views);
  gst_vitgate_region_classifier_free(&self->regions);
  g_strfreev(self->own_labels);
  g_free(self->path);
  g_free(self->indices);
  g_free(self->scores);
  g_free(self);
}

gboolean gst_vitgate_classifier_preprocess(GstVitgateClassifier *self, const VitgateImage *image,
                                           GError **error)
{
  const GstClockTime start = gst_util_get_timestamp();

  if (!gst_vitgate_views_preprocess(&self->views, self->session, image, error))
    return FALSE;
  self->preprocess_ns = gst_util_get_timestamp() - start;
  return TRUE;
}

gboolean gst_vitgate_classifier_infer(GstVitgateClassifier *self, double compute,
                                      GstClockTime stream_time, GError **error)
{
  const VitgateResult *result;

  gst_vitgate_classifier_forget(self);
  vitgate_session_set_compute(self->session, compute);
  result = gst_vitgate_views_infer(&self->views, self->session, error);
  if (!result)
    return FALSE;
  self->last = *result;
  self->last.preprocess_ns = self->preprocess_ns;
  self->result = &self->last;
  self->compute = compute;
  self->inferred_at = stream_time;
  return TRUE;
}

GstClockTime gst_vitgate_age_time(GstClockTime inferred_at, GstClockTime stream_time)
{
  if (!GST_CLOCK_TIME_IS_VALID(stream_time) || !GST_CLOCK_TIME_IS_VALID(inferred_at))
    return GST_CLOCK_TIME_NONE;
  return ABS(GST_CLOCK_DIFF(inferred_at, stream_time)); /* a stream may play backwards */
}

void gst_vitgate_classifier_forget(GstVitgateClassifier *self)
{
  self->result = NULL;
  self->age = 0;
  if (self->regions)
    gst_vitgate_region_classifier_forget(self->regions);
}

guint gst_vitgate_classifier_top_k(GstVitgateClassifier *self, const VitgateResult *result, guint k,
                                   float threshold)
{
  const gboolean any_number = self->info->activation == VITGATE_ACTIVATION_SIGMOID;

  if (k == 0)
    k = any_number ? self->info->n_classes : DEFAULT_TOP_K;
  if (threshold < 0)
    threshold = any_number ? DEFAULT_SIGMOID_THRESHOLD : 0;
  return vitgate_result_top_k(result, MIN(k, self->info->n_classes), threshold, self->indices,
                              self->scores);
}
