/* classifier.c: all that one stream's classification needs. */
#include "classifier.h"

static gboolean load(GstVitgateClassifier *self, const char *model, const char *labels,
                     VitgatePrecision precision, guint threads, const char **doing, GError **error)
{
  const VitgateSessionOptions options = { .threads = threads, .max_batch = 1 };

  *doing = "Cannot load the model";
  self->model = vitgate_model_open_with(model, precision, error);
  if (!self->model)
    return FALSE;
  self->info = vitgate_model_get_info(self->model);
  self->labels = self->info->labels;
  if (labels) {
    *doing = "Cannot use the labels";
    self->own_labels = vitgate_labels_read(labels, self->info->n_classes, NULL, error);
    if (!self->own_labels)
      return FALSE;
    self->labels = (const char *const *)self->own_labels;
  }
  *doing = "Cannot prepare the inference";
  self->session = vitgate_session_new(self->model, &options, error);
  return self->session != NULL;
}

GstVitgateClassifier *gst_vitgate_classifier_new(const char *model, const char *labels,
                                                 VitgatePrecision precision, guint threads,
                                                 const char **doing, GError **error)
{
  GstVitgateClassifier *self = g_new0(GstVitgateClassifier, 1);

  if (!load(self, model, labels, precision, threads, doing, error)) {
    gst_vitgate_classifier_free(&self);
    return NULL;
  }
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
  g_strfreev(self->own_labels);
  g_free(self->indices);
  g_free(self->scores);
  g_free(self);
}

gboolean gst_vitgate_classifier_infer(GstVitgateClassifier *self, const VitgateImage *image,
                                      GError **error)
{
  self->result = vitgate_session_classify(self->session, image, 1, error);
  self->age = 0;
  return self->result != NULL;
}

void gst_vitgate_classifier_forget(GstVitgateClassifier *self)
{
  self->result = NULL;
  self->age = 0;
}

guint gst_vitgate_classifier_top_k(GstVitgateClassifier *self, guint k, float threshold)
{
  return vitgate_result_top_k(self->result, MIN(k, self->info->n_classes), threshold, self->indices,
                              self->scores);
}
