#include "session.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "file/architecture.h"
#include "image/image.h"
#include "model.h"

struct _VitgateSession {
  VitgateModel *model;
  guint max_batch;
  Dial dial;
  VitSettings settings;
  Preprocessing preprocessing;
  Team *team;
  VitWork *work;
  ImageConverter *converter;
  float *tensors;       /* [max_batch][3][image_size][image_size] */
  guint64 image_hash;   /* of the first tensor's image, if a stream stands still; otherwise 0 */
  float *logits;        /* [max_batch][n_classes] */
  float *probabilities; /* [max_batch][n_classes] */
  VitgateResult *results;
};

static gboolean check_option(const char *name, guint value, guint max, GError **error)
{
  if (value <= max)
    return TRUE;
  vitgate__set_error(error, VITGATE_ERROR_ARGUMENT, "%s is %u, expected at most %u", name, value,
                     max);
  return FALSE;
}

void vitgate_session_set_compute(VitgateSession *session, double compute)
{
  vitgate__dial_set(&session->dial, vitgate__model_get_description(session->model), compute);
}

/* Returns: the number of neighbouring images that share each gate's decision */
static guint group_of(const VitgateSessionOptions *options)
{
  switch (options->granularity) {
  case VITGATE_GRANULARITY_GROUP:
    return MAX(options->group_size, 1);
  case VITGATE_GRANULARITY_BATCH:
    return VITGATE_MAX_BATCH;
  case VITGATE_GRANULARITY_SAMPLE:
    break;
  }
  return 1;
}

/* The tokens of images that have merged have no positions in common. */
static gboolean check_positions(const VitgateSessionOptions *options, const Description *d,
                                GError **error)
{
  if (group_of(options) == 1 || !vitgate__description_has_token_gates(d) ||
      !vitgate__dial_merges(d))
    return TRUE;
  vitgate__set_error(error, VITGATE_ERROR_ARGUMENT,
                     "granularity is %s, expected sample for model %s: it has token gates, which "
                     "images share by position, and its dial merges tokens",
                     options->granularity == VITGATE_GRANULARITY_GROUP ? "group" : "batch",
                     d->name);
  return FALSE;
}

static Preprocessing preprocessing_of(const VitgateSessionOptions *options, const Description *d)
{
  Preprocessing p = d->preprocessing;
  if (options->fit == VITGATE_FIT_MODEL)
    return p;
  p.fit = options->fit;
  if (p.fit != VITGATE_FIT_CROP)
    p.resize = d->image_size;
  return p;
}

VitgateSession *vitgate_session_new(VitgateModel *model, const VitgateSessionOptions *options,
                                    GError **error)
{
  const VitgateSessionOptions none = { 0 }, *o = options ? options : &none;
  const Description *d = vitgate__model_get_description(model);
  if (!check_option("threads", o->threads, VITGATE_MAX_THREADS, error) ||
      !check_option("max_batch", o->max_batch, VITGATE_MAX_BATCH, error) ||
      !check_option("granularity", o->granularity, VITGATE_GRANULARITY_BATCH, error) ||
      !check_option("group_size", o->group_size, VITGATE_MAX_BATCH, error) ||
      !check_option("fit", o->fit, VITGATE_FIT_LETTERBOX, error) ||
      !vitgate__check_reserved(o->reserved, G_N_ELEMENTS(o->reserved), "session", error) ||
      !check_positions(o, d, error))
    return NULL;
  const guint threads = MAX(o->threads, 1), batch = MAX(o->max_batch, 1);
  const gsize image = (gsize)3 * d->image_size * d->image_size;

  VitgateSession *session = g_new0(VitgateSession, 1);
  session->model = vitgate_model_ref(model);
  session->max_batch = batch;
  session->settings = (VitSettings){ .dial = &session->dial, .group = group_of(o) };
  session->preprocessing = preprocessing_of(o, d);
  vitgate_session_set_compute(session, vitgate_model_get_info(model)->default_compute);
  session->team = vitgate__team_new(threads);
  session->work = vitgate__vit_work_new(vitgate__model_get_vit(model), threads, batch, o->patches);
  session->converter = vitgate__image_converter_new(d->image_size, &session->preprocessing);
  /* g_try_malloc0_n() fails if the product of its arguments overflows. */
  session->tensors = g_try_malloc0_n(batch, image * sizeof(float));
  session->logits = g_try_malloc0_n(batch, d->n_classes * sizeof(float));
  session->probabilities = g_try_malloc0_n(batch, d->n_classes * sizeof(float));
  session->results = g_new0(VitgateResult, batch);
  if (!session->team || !session->work || !session->tensors || !session->logits ||
      !session->probabilities) {
    vitgate__set_error(error, VITGATE_ERROR_MEMORY,
                       "not enough memory or threads for a session of %u images on %u threads",
                       batch, threads);
    vitgate_session_free(&session);
  } else {
    vitgate__image_converter_set_team(session->converter, session->team);
  }
  return session;
}

void vitgate_session_free(VitgateSession **session)
{
  VitgateSession *s = g_steal_pointer(session);
  if (!s)
    return;
  vitgate__image_converter_free(&s->converter);
  vitgate__team_free(&s->team);
  vitgate__logit_control_free(&s->settings.control);
  vitgate__vit_work_free(&s->work);
  vitgate_model_unref(&s->model);
  g_free(s->tensors);
  g_free(s->logits);
  g_free(s->probabilities);
  g_free(s->results);
  g_free(s);
}

static gint64 now_ns(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (gint64)t.tv_sec * 1000000000 + t.tv_nsec;
}

gboolean vitgate__session_check_batch(const VitgateSession *session, guint n_images, GError **error)
{
  if (n_images >= 1 && n_images <= session->max_batch)
    return TRUE;
  vitgate__set_error(error, VITGATE_ERROR_ARGUMENT, "%u images, expected 1 to max_batch (%u)",
                     n_images, session->max_batch);
  return FALSE;
}

static void activate(float *probabilities, const float *logits, const VitgateModelInfo *info)
{
  if (info->activation == VITGATE_ACTIVATION_SIGMOID) {
    for (guint i = 0; i < info->n_classes; i++)
      probabilities[i] = 1.0f / (1.0f + expf(-logits[i]));
    return;
  }
  memcpy(probabilities, logits, info->n_classes * sizeof *logits);
  vitgate__kernels()->softmax(probabilities, 1.0f, info->n_classes);
}

/* Classifies @n_images images as images number @first and following of the session.
 * Returns: their results */
static const VitgateResult *run(VitgateSession *session, const VitSettings *settings,
                                const float *tensors, guint first, guint n_images)
{
  const VitgateModelInfo *info = vitgate_model_get_info(session->model);
  VitWork work = *session->work;
  work.images += first;
  work.outcomes += first;
  float *all_logits = session->logits + (gsize)first * info->n_classes;
  float *all_probabilities = session->probabilities + (gsize)first * info->n_classes;
  VitgateResult *results = session->results + first;
  const gint64 start = now_ns();
  const VitOutcome *outcomes =
      vitgate__vit_forward(vitgate__model_get_vit(session->model), &work, session->team, settings,
                           all_logits, tensors, n_images);
  for (guint i = 0; i < n_images; i++) {
    const float *logits = all_logits + (gsize)i * info->n_classes;
    float *probabilities = all_probabilities + (gsize)i * info->n_classes;
    activate(probabilities, logits, info);
    results[i] = (VitgateResult){
      .n_classes = info->n_classes,
      .probabilities = probabilities,
      .logits = logits,
      .gmacs = outcomes[i].gmacs,
      .compute_ratio = outcomes[i].gmacs / info->dense_gmacs,
      .modules = outcomes[i].ran,
      .n_tokens = outcomes[i].n_tokens,
      .module_tokens = outcomes[i].tokens,
      .patches = outcomes[i].patches,
      .module_substitutes = outcomes[i].closed,
      .features = outcomes[i].features,
      .unknown = outcomes[i].unknown,
    };
  }
  const gint64 each = (now_ns() - start) / n_images;
  for (guint i = 0; i < n_images; i++)
    results[i].forward_ns = each;
  return results;
}

const VitgateResult *vitgate_session_forward(VitgateSession *session, const float *tensors,
                                             guint n_images, GError **error)
{
  return vitgate__session_check_batch(session, n_images, error)
             ? run(session, &session->settings, tensors, 0, n_images)
             : NULL;
}

const Dial *vitgate__session_get_dial(const VitgateSession *session)
{
  return &session->dial;
}

VitgateModel *vitgate__session_get_model(const VitgateSession *session)
{
  return session->model;
}

VitgateResult *vitgate__session_get_results(VitgateSession *session)
{
  return session->results;
}

void vitgate__session_run_alone(VitgateSession *session, const float *tensor, guint i)
{
  run(session, &session->settings, tensor, i, 1);
}

gboolean vitgate__session_records_patches(const VitgateSession *session)
{
  return session->work->images->outcome.patches != NULL;
}

void vitgate__session_continue(VitgateSession *session, const CachedPass *pass, const float *tensor,
                               guint i)
{
  Dial dial = session->dial;
  for (guint b = 0; b < DESCRIPTION_MAX_DEPTH; b++)
    dial.thresholds[b] = MERGE_NEVER;
  const VitSettings settings = { .dial = &dial,
                                 .group = 1,
                                 .control = session->settings.control,
                                 .cache = pass->cache,
                                 .rows = pass->rows,
                                 .n_rows = pass->n_rows };
  run(session, &settings, tensor, i, 1);
}

gboolean vitgate_session_preprocess(VitgateSession *session, const VitgateImage *image,
                                    float *tensor, GError **error)
{
  return vitgate__image_convert(session->converter, tensor, image, error);
}

gboolean vitgate_session_get_view(const VitgateSession *session, const VitgateImage *image,
                                  VitgateRectangle *view, GError **error)
{
  return vitgate__image_get_view(session->converter, image, view, error);
}

const VitgateResult *vitgate_session_classify(VitgateSession *session, const VitgateImage *images,
                                              guint n_images, GError **error)
{
  if (!vitgate__session_check_batch(session, n_images, error))
    return NULL;
  const guint size = vitgate_model_get_info(session->model)->image_size;
  const gsize image = (gsize)3 * size * size;
  gint64 times[VITGATE_MAX_BATCH];
  session->image_hash = 0;
  const ProfilePart part = vitgate__profile_part(PART_PREPROCESS);
  for (guint i = 0; i < n_images; i++) {
    const gint64 start = now_ns();
    if (!vitgate__image_convert(session->converter, session->tensors + i * image, &images[i],
                                error)) {
      if (n_images > 1)
        g_prefix_error(error, "image %u of %u: ", i + 1, n_images);
      return NULL;
    }
    times[i] = now_ns() - start;
  }
  vitgate__profile_part(part);
  if (!vitgate_session_forward(session, session->tensors, n_images, error))
    return NULL;
  for (guint i = 0; i < n_images; i++)
    session->results[i].preprocess_ns = times[i];
  return session->results;
}

const VitgateResult *vitgate_session_classify_next(VitgateSession *session, VitgateStream *stream,
                                                   const VitgateImage *image, GError **error)
{
  const gint64 start = now_ns();
  const guint64 hash = vitgate__stream_stands_still(stream) ? vitgate_image_hash(image) : 0;
  const gboolean same = hash && hash == session->image_hash;
  if (!same && !vitgate__image_convert(session->converter, session->tensors, image, error))
    return NULL;
  session->image_hash = hash;
  vitgate_stream_look(stream, session, session->tensors);
  const gint64 taken = now_ns() - start;
  if (!vitgate_session_follow(session, &stream, session->tensors, 1, error))
    return NULL;
  session->results->preprocess_ns = taken;
  return session->results;
}

void vitgate__session_get_tokens(const VitgateSession *session, guint image, float *tokens)
{
  vitgate__vit_get_tokens(vitgate__model_get_vit(session->model), session->work, image, tokens);
}

void vitgate__session_set_gate_control(VitgateSession *session, LogitControlKind kind)
{
  vitgate__logit_control_free(&session->settings.control);
  session->settings.control =
      vitgate__logit_control_new(kind, vitgate__model_get_description(session->model));
}

/* @thresholds: [n_classes], or a single one if @step is 0 */
static guint find_best(const VitgateResult *result, guint k, const float *thresholds, guint step,
                       guint *indices, float *scores)
{
  guint n = 0;
  for (guint i = 0; i < result->n_classes && k; i++) {
    const float p = result->probabilities[i];
    if (!(p >= thresholds[i * step]) || (n == k && p <= result->probabilities[indices[n - 1]]))
      continue;
    guint place = n < k ? n++ : n - 1;
    for (; place > 0 && result->probabilities[indices[place - 1]] < p; place--)
      indices[place] = indices[place - 1];
    indices[place] = i;
  }
  for (guint i = 0; scores && i < n; i++)
    scores[i] = result->probabilities[indices[i]];
  return n;
}

guint vitgate_result_top_k(const VitgateResult *result, guint k, float threshold, guint *indices,
                           float *scores)
{
  return find_best(result, k, &threshold, 0, indices, scores);
}

guint vitgate_result_top_k_above(const VitgateResult *result, guint k, const float *thresholds,
                                 guint *indices, float *scores)
{
  return find_best(result, k, thresholds, 1, indices, scores);
}
