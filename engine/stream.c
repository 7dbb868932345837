#include "stream-plan.h"

#include <string.h>

#include "base/error.h"
#include "file/architecture.h"
#include "image/change-map.h"
#include "model.h"
#include "session.h"

/* Change from which a patch shows something new: that of the default for unchanged frames. */
#define NEW_CHANGE (8.0f / 255)

struct _VitgateStream {
  VitgateModel *model;
  VitgateStreamOptions options;
  StreamPlan plan;
  ChangeMap *map;
  KvCache *cache; /* NULL without updates */
  VitgateDecision decision;
  gboolean looked;               /* decision is of a frame that has not been followed yet */
  guint8 *marks;                 /* [n_patches] */
  guint *rows;                   /* [n_tokens] */
  float *logits, *probabilities; /* [n_classes] of the last result */
  float *features;               /* [head_inputs] */
  float unknown;
  guint8 *no_flags; /* [2 * depth][n_patches] zeros, for unchanged frames */
  guint *no_tokens; /* [2 * depth] */
};

const char *vitgate_pass_name(VitgatePass pass)
{
  static const char *const names[] = { "independent", "full", "updated", "unchanged" };
  return names[pass];
}

const char *vitgate_reason_name(VitgateReason reason)
{
  static const char *const names[] = { "none",    "first",   "motion", "interval",
                                       "settled", "expired", "dial" };
  return names[reason];
}

/* ---- Options ---- */

VitgateStreamOptions vitgate_stream_default_options(void)
{
  return (VitgateStreamOptions){
    .temporal = TRUE,
    .unchanged = 8.0 / 255,
    .changed = 3.0 / 255,
    .interval = 50,
  };
}

static gboolean check_share(const char *name, double value, GError **error)
{
  if (value <= 1) /* false for a NaN */
    return TRUE;
  vitgate__set_error(error, VITGATE_ERROR_ARGUMENT, "%s is %g, expected at most 1", name, value);
  return FALSE;
}

static gboolean check_options(const VitgateStreamOptions *options, GError **error)
{
  return vitgate__check_reserved(options->reserved, G_N_ELEMENTS(options->reserved), "stream",
                                 error) &&
         check_share("unchanged", options->unchanged, error) &&
         check_share("changed", options->changed, error) &&
         check_share("max_compute", options->max_compute, error);
}

gboolean vitgate_stream_set_options(VitgateStream *stream, const VitgateStreamOptions *options,
                                    GError **error)
{
  if (!check_options(options, error))
    return FALSE;
  if (options->temporal && !stream->cache) {
    vitgate__set_error(error, VITGATE_ERROR_ARGUMENT,
                       "temporal is set, but the stream was made without");
    return FALSE;
  }
  stream->options = *options;
  return TRUE;
}

/* ---- Life ---- */

VitgateStream *vitgate_stream_new(VitgateModel *model, const VitgateStreamOptions *options,
                                  GError **error)
{
  const VitgateStreamOptions o = options ? *options : vitgate_stream_default_options();
  const Description *d = vitgate__model_get_description(model);
  const gsize modules = 2 * (gsize)d->depth, patches = vitgate__description_n_patches(d);
  if (!check_options(&o, error))
    return NULL;
  VitgateStream *stream = g_new0(VitgateStream, 1);
  stream->model = vitgate_model_ref(model);
  stream->options = o;
  stream->map = vitgate__change_map_new(d);
  stream->marks = g_new0(guint8, patches);
  stream->rows = g_new0(guint, vitgate__description_n_tokens(d));
  stream->logits = g_new0(float, d->n_classes);
  stream->probabilities = g_new0(float, d->n_classes);
  stream->features = g_new0(float, vitgate__description_head_inputs(d));
  stream->no_flags = g_new0(guint8, modules * patches + 1);
  stream->no_tokens = g_new0(guint, modules + 1);
  vitgate__stream_plan_init(&stream->plan, d);
  vitgate__stream_plan_restart(&stream->plan, &o);
  if (o.temporal && !(stream->cache = vitgate__kv_cache_new(vitgate__model_get_vit(model)))) {
    vitgate__set_error(error, VITGATE_ERROR_MEMORY,
                       "not enough memory for the keys and values of a stream: %" G_GSIZE_FORMAT
                       " bytes",
                       vitgate__kv_cache_size(vitgate__model_get_vit(model)));
    vitgate_stream_free(&stream);
  }
  return stream;
}

void vitgate_stream_free(VitgateStream **stream)
{
  VitgateStream *s = g_steal_pointer(stream);
  if (!s)
    return;
  vitgate__kv_cache_free(&s->cache);
  vitgate__change_map_free(&s->map);
  vitgate_model_unref(&s->model);
  g_free(s->marks);
  g_free(s->rows);
  g_free(s->logits);
  g_free(s->probabilities);
  g_free(s->features);
  g_free(s->no_flags);
  g_free(s->no_tokens);
  g_free(s);
}

void vitgate_stream_expire(VitgateStream *stream)
{
  stream->plan.expired = TRUE;
}

void vitgate_stream_accept(VitgateStream *stream)
{
  vitgate__change_map_keep(stream->map, NULL);
  stream->plan.cached = FALSE;
}

void vitgate_stream_forget(VitgateStream *stream)
{
  vitgate__stream_plan_restart(&stream->plan, &stream->options);
  vitgate__change_map_forget(stream->map);
  stream->looked = FALSE;
}

/* ---- Decisions ---- */

/* Returns: how far the dial is below its default, from 0 to 1 at its minimum */
static double lowered(const VitgateStream *stream, double compute)
{
  const VitgateModelInfo *info = vitgate_model_get_info(stream->model);
  const double range = info->default_compute - info->min_compute;
  return range > 0 ? CLAMP((info->default_compute - compute) / range, 0, 1) : 0;
}

static guint count_patches(const VitgateStream *stream)
{
  return vitgate__description_n_patches(vitgate__model_get_description(stream->model));
}

const VitgateDecision *vitgate_stream_look(VitgateStream *stream, const VitgateSession *session,
                                           const float *tensor)
{
  const VitgateStreamOptions *o = &stream->options;
  if (vitgate__session_get_model(session) != stream->model) {
    stream->looked = FALSE; /* the tensor may be too small; vitgate_session_follow() refuses */
    return &stream->decision;
  }
  const double dial = vitgate__session_get_dial(session)->compute, low = lowered(stream, dial);
  const float change = vitgate__change_map_look(stream->map, tensor);
  const float threshold = (float)(o->changed * (1 + low));
  const guint n = vitgate__change_map_mark(stream->map, stream->marks, threshold, low <= 0.5);
  const guint n_new = vitgate__change_map_count_new(stream->map, threshold, NEW_CHANGE);
  VitgateReason reason;
  const VitgatePass pass = vitgate__stream_plan_decide(
      &stream->plan, o, &(PlanFrame){ dial, change, n, n_new }, &reason);
  stream->decision = (VitgateDecision){
    .pass = pass,
    .reason = reason,
    .n_patches = pass == VITGATE_PASS_UNCHANGED ? 0
                 : pass == VITGATE_PASS_UPDATED ? n
                                                : count_patches(stream),
    .marks = stream->marks,
    .change = change,
  };
  if (pass != VITGATE_PASS_UPDATED)
    memset(stream->marks, pass != VITGATE_PASS_UNCHANGED, count_patches(stream));
  stream->looked = TRUE;
  return &stream->decision;
}

gboolean vitgate__stream_stands_still(const VitgateStream *stream)
{
  return stream->decision.pass == VITGATE_PASS_UNCHANGED;
}

double vitgate_stream_changed_share(const VitgateStream *stream, double change)
{
  return vitgate__change_map_share(stream->map, (float)change);
}

/* ---- Passes ---- */

/* Returns: the number of rows: the tokens before the patches, and the marked patches */
static guint list_rows(VitgateStream *stream)
{
  const guint prefix = vitgate__model_get_vit(stream->model)->n_prefix;
  guint n = 0;
  for (guint token = 0; token < prefix; token++)
    stream->rows[n++] = token;
  for (guint p = 0; p < count_patches(stream); p++)
    if (stream->marks[p])
      stream->rows[n++] = prefix + p;
  return n;
}

/* The result of a frame for which nothing was computed. */
static VitgateResult last_result(const VitgateStream *stream, const VitgateSession *session)
{
  return (VitgateResult){
    .n_classes = vitgate_model_get_info(stream->model)->n_classes,
    .probabilities = stream->probabilities,
    .logits = stream->logits,
    .features = stream->features,
    .unknown = stream->unknown,
    .modules = stream->no_flags,
    .module_tokens = stream->no_tokens,
    .module_substitutes = stream->no_tokens,
    .patches = vitgate__session_records_patches(session) ? stream->no_flags : NULL,
  };
}

/* Computes a frame as the session's image number @i. */
static void compute(VitgateSession *session, VitgateStream *stream, const float *tensor, guint i)
{
  switch (stream->decision.pass) {
  case VITGATE_PASS_INDEPENDENT:
    vitgate__session_run_alone(session, tensor, i);
    break;
  case VITGATE_PASS_FULL:
    vitgate__session_continue(session, &(CachedPass){ stream->cache, NULL, 0 }, tensor, i);
    break;
  case VITGATE_PASS_UPDATED:
    vitgate__session_continue(
        session, &(CachedPass){ stream->cache, stream->rows, list_rows(stream) }, tensor, i);
    break;
  case VITGATE_PASS_UNCHANGED:
    vitgate__session_get_results(session)[i] = last_result(stream, session);
    break;
  }
}

/* Keys or values that are not numbers reach every later class token. */
static gboolean is_finite(const VitgateResult *result)
{
  float sum = 0;
  for (guint i = 0; i < result->n_classes; i++)
    sum += result->logits[i] * 0;
  return sum == 0;
}

static void keep(VitgateStream *stream, const VitgateResult *result)
{
  const gsize n_bytes = result->n_classes * sizeof(float);
  const VitgatePass pass = stream->decision.pass;
  if (pass != VITGATE_PASS_UNCHANGED) {
    memcpy(stream->logits, result->logits, n_bytes);
    memcpy(stream->probabilities, result->probabilities, n_bytes);
    memcpy(stream->features, result->features,
           vitgate_model_get_info(stream->model)->n_features * sizeof(float));
    stream->unknown = result->unknown;
    vitgate__change_map_keep(stream->map, pass == VITGATE_PASS_UPDATED ? stream->marks : NULL);
  }
  vitgate__stream_plan_record(&stream->plan, pass, result->compute_ratio);
  if (!is_finite(result))
    stream->plan.cached = FALSE;
  stream->looked = FALSE;
}

static gboolean check_streams(const VitgateSession *session, VitgateStream *const *streams, guint n,
                              GError **error)
{
  if (!vitgate__session_check_batch(session, n, error))
    return FALSE;
  for (guint i = 0; i < n; i++) {
    const gboolean fits = vitgate__session_get_model(session) == streams[i]->model;
    if (fits && streams[i]->looked)
      continue;
    vitgate__set_error(error, VITGATE_ERROR_ARGUMENT,
                       fits ? "stream %u of %u has not looked at its frame"
                            : "stream %u of %u is of another model than the session",
                       i + 1, n);
    return FALSE;
  }
  return TRUE;
}

/* Images that share nothing with earlier ones can be a batch. */
static gboolean all_are_independent(VitgateStream *const *streams, guint n)
{
  for (guint i = 0; i < n; i++)
    if (streams[i]->decision.pass != VITGATE_PASS_INDEPENDENT)
      return FALSE;
  return TRUE;
}

const VitgateResult *vitgate_session_follow(VitgateSession *session, VitgateStream *const *streams,
                                            const float *tensors, guint n, GError **error)
{
  if (!check_streams(session, streams, n, error))
    return NULL;
  const guint size = vitgate_model_get_info(streams[0]->model)->image_size;
  VitgateResult *results = vitgate__session_get_results(session);
  if (all_are_independent(streams, n))
    vitgate_session_forward(session, tensors, n, NULL);
  else
    for (guint i = 0; i < n; i++)
      compute(session, streams[i], tensors + i * 3 * (gsize)size * size, i);
  for (guint i = 0; i < n; i++) {
    keep(streams[i], &results[i]);
    results[i].decision = &streams[i]->decision;
  }
  return results;
}
