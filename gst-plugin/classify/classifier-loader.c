/* classifier-loader.c: makes an element's classifier, at the start and in the background. */
#include "classify/classifier-loader.h"

#include "common/errors.h"

#define GST_CAT_DEFAULT gst_vitgate_debug

void gst_vitgate_loader_init(GstVitgate *self)
{
  g_cond_init(&self->loader.cond);
}

void gst_vitgate_loader_clear(GstVitgate *self)
{
  g_cond_clear(&self->loader.cond);
}

/* Copies the settings to load. Call with the object lock held. */
static GstVitgateClassifierOptions take_options(GstVitgate *self)
{
  const GstVitgateSettings *settings = &self->settings;
  const gboolean regions =
      settings->regions.inference_region == GST_VITGATE_INFERENCE_REGION_ROI_LIST;

  self->loader.changed = FALSE;
  return (GstVitgateClassifierOptions){
    .model = g_strdup(settings->model),
    .labels = g_strdup(settings->labels),
    .precision = settings->precision,
    .fit = settings->fit,
    .threads = settings->threads,
    .temporal = !regions && settings->temporal.mode != GST_VITGATE_TEMPORAL_OFF,
    .regions = regions,
  };
}

static gboolean find_default(GstVitgateClassifierOptions *options, const char **doing,
                             GError **error)
{
  g_autoptr(GError) missing = NULL;

  options->model = vitgate_default_model_find(&missing);
  if (options->model)
    return TRUE;
  *doing = "Set the property \"model\" to a model file";
  g_set_error_literal(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, missing->message);
  return FALSE;
}

/* @options: (transfer full) */
static GstVitgateClassifier *load(GstVitgate *self, GstVitgateClassifierOptions options,
                                  const char **doing, GError **error)
{
  GstVitgateClassifier *classifier = NULL;

  if (options.model || find_default(&options, doing, error)) {
    GST_INFO_OBJECT(self, "loading %s", options.model);
    classifier = gst_vitgate_classifier_new(&options, doing, error);
  }
  if (classifier)
    GST_INFO_OBJECT(self, "computing products in %s (precision set to %s)",
                    vitgate_precision_name(classifier->info->precision),
                    vitgate_precision_name(options.precision));
  g_free(options.model);
  g_free(options.labels);
  return classifier;
}

GstVitgateClassifier *gst_vitgate_loader_open(GstVitgate *self)
{
  g_autoptr(GError) error = NULL;
  GstVitgateClassifierOptions options;
  GstVitgateClassifier *classifier;
  const char *doing;

  GST_OBJECT_LOCK(self);
  options = take_options(self);
  GST_OBJECT_UNLOCK(self);

  classifier = load(self, options, &doing, &error);
  if (!classifier) {
    gst_vitgate_post_error(GST_ELEMENT(self), doing, error);
    return NULL;
  }
  GST_OBJECT_LOCK(self);
  self->loader.open = TRUE;
  GST_OBJECT_UNLOCK(self);
  gst_vitgate_loader_run(self); /* for settings that changed during the load */
  return classifier;
}

/* Call with the object lock held; it is released during the load. */
static void load_in_background(GstVitgate *self)
{
  const GstVitgateClassifierOptions options = take_options(self);
  g_autoptr(GError) error = NULL;
  GstVitgateClassifier *classifier, *old;
  const char *doing;
  gboolean wanted;

  GST_OBJECT_UNLOCK(self);
  classifier = load(self, options, &doing, &error);
  GST_OBJECT_LOCK(self);

  wanted = self->loader.open && !self->loader.changed;
  old = wanted && classifier ? self->loader.ready : classifier;
  if (wanted && classifier)
    self->loader.ready = classifier;
  GST_OBJECT_UNLOCK(self);
  gst_vitgate_classifier_free(&old);
  if (wanted && error)
    gst_vitgate_post_warning(GST_ELEMENT(self), doing, error);
  GST_OBJECT_LOCK(self);
}

/* Call with the object lock held; it is released while memory is freed. */
static void free_retired(GstVitgate *self)
{
  GstVitgateClassifier *old = g_steal_pointer(&self->loader.retired);

  GST_OBJECT_UNLOCK(self);
  gst_vitgate_classifier_free(&old);
  GST_OBJECT_LOCK(self);
}

static gpointer run(gpointer data)
{
  GstVitgate *self = data;
  GstVitgateLoader *loader = &self->loader;

  GST_OBJECT_LOCK(self);
  while (loader->open) {
    if (loader->retired)
      free_retired(self);
    else if (loader->changed)
      load_in_background(self);
    else if (loader->ready)
      g_cond_wait(&loader->cond, GST_OBJECT_GET_LOCK(self));
    else
      break;
  }
  loader->busy = FALSE;
  GST_OBJECT_UNLOCK(self);
  return NULL;
}

void gst_vitgate_loader_run(GstVitgate *self)
{
  GstVitgateLoader *loader = &self->loader;
  g_autoptr(GError) error = NULL;
  GThread *ended = NULL;

  GST_OBJECT_LOCK(self);
  if (loader->open && loader->changed) {
    if (loader->busy) {
      g_cond_signal(&loader->cond);
    } else {
      ended = loader->thread;
      loader->thread = g_thread_try_new("vitgate-loader", run, self, &error);
      loader->busy = loader->thread != NULL;
    }
  }
  GST_OBJECT_UNLOCK(self);

  if (ended)
    g_thread_join(ended);
  if (error)
    gst_vitgate_post_warning(GST_ELEMENT(self), "Cannot load the new settings", error);
}

void gst_vitgate_loader_close(GstVitgate *self)
{
  GstVitgateLoader *loader = &self->loader;
  GstVitgateClassifier *ready, *retired;
  GThread *thread;

  GST_OBJECT_LOCK(self);
  loader->open = FALSE;
  g_cond_signal(&loader->cond);
  thread = g_steal_pointer(&loader->thread);
  GST_OBJECT_UNLOCK(self);

  if (thread)
    g_thread_join(thread);

  GST_OBJECT_LOCK(self);
  ready = g_steal_pointer(&loader->ready);
  retired = g_steal_pointer(&loader->retired);
  GST_OBJECT_UNLOCK(self);
  gst_vitgate_classifier_free(&ready);
  gst_vitgate_classifier_free(&retired);
}

gboolean gst_vitgate_loader_swap(GstVitgate *self)
{
  GstVitgateLoader *loader = &self->loader;

  /* The thread may not have freed the last one yet. */
  if (!loader->ready || loader->retired)
    return FALSE;
  loader->retired = self->classifier;
  self->classifier = g_steal_pointer(&loader->ready);
  g_cond_signal(&loader->cond);
  return TRUE;
}
