/* classifier.c: everything that classifies one stream. */
#include "classify/classifier.h"

#define DEFAULT_TOP_K             5
#define DEFAULT_SIGMOID_THRESHOLD 0.5f

/* Of 2,000 photographs of train-more.tar, the default model's label is right for 80 % of those
 * above it, and for 24 % of those below. */
#define DEFAULT_LABEL_THRESHOLD 0.25f

static void ranking_init(GstVitgateRanking *ranking, guint n_classes)
{
  ranking->indices = g_new(guint, n_classes);
  ranking->scores = g_new(float, n_classes);
}

static void ranking_clear(GstVitgateRanking *ranking)
{
  g_free(ranking->indices);
  g_free(ranking->scores);
}

/* A model whose file says what it was made for, as that of a taught one does, sees frames so. Most
 * files do not, and mean the crop of published models, which cuts off the sides. The maximum over
 * squares would not do for classes such as "empty", which are right only if they are right
 * everywhere. Returns: never AUTO */
static GstVitgateFit choose_fit(GstVitgateFit fit, const VitgateModelInfo *info)
{
  if (fit != GST_VITGATE_FIT_AUTO)
    return fit;
  return info->has_fit ? GST_VITGATE_FIT_MODEL : GST_VITGATE_FIT_SQUARES;
}

static gboolean load(GstVitgateClassifier *self, const GstVitgateClassifierOptions *options,
                     const char **doing, GError **error)
{
  *doing = "Cannot load the model";
  self->model = vitgate_model_open_with(options->model, options->precision, error);
  if (!self->model)
    return FALSE;
  self->info = vitgate_model_get_info(self->model);
  const GstVitgateFit fit = choose_fit(options->fit, self->info);
  const gboolean squares = !options->regions && fit == GST_VITGATE_FIT_SQUARES;
  const guint views = squares ? GST_VITGATE_MAX_VIEWS : 1;
  const VitgateSessionOptions session = {
    .threads = options->threads,
    .max_batch = options->regions ? GST_VITGATE_REGION_BATCH : views,
    .fit = fit == GST_VITGATE_FIT_SQUARES ? VITGATE_FIT_SQUASH : (VitgateFit)fit,
    .patches = !options->regions,
  };
  *doing = "Cannot prepare the streams";
  if (!gst_vitgate_views_init(&self->views, self->model, squares, options->temporal, error))
    return FALSE;
  self->temporal = options->temporal;
  self->views.fit = session.fit;
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
  self->smoothing_memory = g_malloc(gst_vitgate_smoothing_size(self->info->n_classes));
  gst_vitgate_smoothing_init(&self->smoothing, self->info->n_classes, self->smoothing_memory);
  ranking_init(&self->found, self->info->n_classes);
  ranking_init(&self->raw, self->info->n_classes);
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
  g_free(self->smoothing_memory);
  ranking_clear(&self->found);
  ranking_clear(&self->raw);
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

gboolean gst_vitgate_classifier_look(GstVitgateClassifier *self, double compute,
                                     const VitgateStreamOptions *options)
{
  vitgate_session_set_compute(self->session, compute);
  self->compute = compute;
  return gst_vitgate_views_look(&self->views, self->session, options) && self->result;
}

gboolean gst_vitgate_classifier_infer(GstVitgateClassifier *self, GstClockTime stream_time,
                                      GError **error)
{
  const VitgateResult *result;

  self->result = NULL;
  self->age = 0;
  result = gst_vitgate_views_infer(&self->views, self->session, error);
  if (!result)
    return FALSE;
  self->last = *result;
  self->decision = *result->decision;
  self->decision.marks = NULL;
  self->last.decision = &self->decision;
  self->last.preprocess_ns = self->preprocess_ns;
  self->result = &self->last;
  self->result_compute = self->compute;
  self->inferred_at = stream_time;
  return TRUE;
}

/* Weight of the latest frame in the running mean. */
#define NEW 0.25

void gst_vitgate_classifier_record_time(GstVitgateClassifier *self, GstClockTime taken)
{
  const double compute = self->last.compute_ratio * self->views.n;

  if (self->decision.n_patches < self->views.n * self->views.n_patches || compute <= 0)
    return;
  if (self->whole_time <= 0)
    self->whole_time = taken / compute;
  self->whole_time += NEW * (taken / compute - self->whole_time);
}

void gst_vitgate_classifier_forget(GstVitgateClassifier *self)
{
  self->result = NULL;
  self->age = 0;
  gst_vitgate_views_forget(&self->views);
  gst_vitgate_smoothing_restart(&self->smoothing);
  if (self->regions)
    gst_vitgate_region_classifier_forget(self->regions);
}

/* Moves class @best to the front, or inserts it there. */
static void lead(GstVitgateRanking *ranking, guint best, float score, guint k)
{
  guint place = 0;

  while (place < ranking->n && ranking->indices[place] != best)
    place++;
  if (place == ranking->n && ranking->n < k)
    ranking->n++;
  for (place = MIN(place, ranking->n - 1); place > 0; place--) {
    ranking->indices[place] = ranking->indices[place - 1];
    ranking->scores[place] = ranking->scores[place - 1];
  }
  ranking->indices[0] = best;
  ranking->scores[0] = score;
}

/* Returns: the lowest of the thresholds, for which vitgate_result_top_k() finds all classes. */
static float lowest_threshold(const GstVitgateSmoothingLimits *limits, guint n_classes)
{
  float lowest = limits->thresholds ? 1 : limits->threshold;

  for (guint i = 0; limits->thresholds && i < n_classes; i++)
    lowest = MIN(lowest, limits->thresholds[i]);
  return lowest;
}

/* Ranks the shown classes, at most @k. */
static void rank_shown(GstVitgateRanking *ranking, const GstVitgateSmoothing *smoothing,
                       const VitgateResult *average, guint k)
{
  const float threshold = lowest_threshold(&smoothing->limits, average->n_classes);
  guint n_hidden = 0, n, n_shown = 0;

  /* Classes that the hysteresis hides are above the threshold, but must take no place. */
  for (guint i = 0; i < average->n_classes; i++)
    n_hidden +=
        average->probabilities[i] >= threshold && !gst_vitgate_smoothing_is_shown(smoothing, i);
  n = vitgate_result_top_k(average, MIN(k + n_hidden, average->n_classes), threshold,
                           ranking->indices, ranking->scores);
  for (guint i = 0; i < n && n_shown < k; i++) {
    if (!gst_vitgate_smoothing_is_shown(smoothing, ranking->indices[i]))
      continue;
    ranking->indices[n_shown] = ranking->indices[i];
    ranking->scores[n_shown++] = ranking->scores[i];
  }
  ranking->n = n_shown;
}

void gst_vitgate_classifier_rank(GstVitgateClassifier *self, const VitgateResult *result,
                                 GstVitgateSmoothing *smoothing,
                                 const GstVitgateRankingOptions *options)
{
  const gboolean any_number = self->info->activation == VITGATE_ACTIVATION_SIGMOID;
  const guint n_classes = self->info->n_classes;
  const VitgateResult average = { .n_classes = n_classes, .probabilities = smoothing->mean };
  GstVitgateSmoothingLimits limits = {
    .hysteresis = options->hysteresis,
    .threshold = options->threshold,
    .unknown = options->unknown_threshold,
  };
  guint k = options->top_k;

  if (k == 0)
    k = any_number ? n_classes : DEFAULT_TOP_K;
  k = MIN(k, n_classes);
  if (options->threshold < 0) {
    limits.threshold = any_number ? DEFAULT_SIGMOID_THRESHOLD : DEFAULT_LABEL_THRESHOLD;
    limits.thresholds = self->info->thresholds;
  }
  if (any_number && limits.thresholds)
    self->raw.n = vitgate_result_top_k_above(result, k, limits.thresholds, self->raw.indices,
                                             self->raw.scores);
  else
    self->raw.n = vitgate_result_top_k(result, k, any_number ? limits.threshold : 0,
                                       self->raw.indices, self->raw.scores);

  gst_vitgate_smoothing_choose(smoothing, &limits);
  if (gst_vitgate_smoothing_is_unknown(smoothing)) {
    self->found.n = 1;
    self->found.indices[0] = n_classes;
    self->found.scores[0] = smoothing->unknown;
    return;
  }
  self->found.n = 0;
  if (smoothing->best < 0)
    return;
  if (options->threshold < 0 && !any_number)
    self->found.n = vitgate_result_top_k(&average, k, 0, self->found.indices, self->found.scores);
  else
    rank_shown(&self->found, smoothing, &average, k);
  lead(&self->found, (guint)smoothing->best, smoothing->mean[smoothing->best], k);
}
