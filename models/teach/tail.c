#include "teach/tail.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/random.h"
#include "file/architecture.h"
#include "teach/head.h"
#include "train/learn/optimizer.h"
#include "train/network/training-pass.h"
#include "train/network/training-team.h"

#define WARM_UP 0.1
#define RATE    1e-4
#define DECAY   0.05

/* A gate's decision has no gradient at this temperature. */
#define COLD 1e9

struct _Tail {
  Description description; /* shares everything with the whole network's */
  const Network *whole;
  Network *network;
  guint first;
  gboolean sigmoid;
  Team *team;
  TrainingPass *pass;
  Optimizer *optimizer;
  real *noise; /* zeros: [2 * depth][TAIL_BATCH] */

  /* Of the current step: */
  const guint8 *shown[TAIL_BATCH];
  real *gradients[VITGATE_MAX_THREADS];
  double squares[VITGATE_MAX_THREADS];
  double factor;
  gboolean sound;
};

guint tail_first(const Description *whole, guint n_blocks)
{
  const guint attention = vitgate__description_tail(whole);
  return MIN(whole->depth - MIN(whole->depth, n_blocks), MIN(attention, whole->depth - 1));
}

/* Only the blocks, the last norm and the head learn. */
static void fix_others(Network *network)
{
  for (guint i = 0; i < network->parameters->len; i++) {
    Parameter *p = &g_array_index(network->parameters, Parameter, i);
    const gboolean learns =
        g_str_has_prefix(p->name, "blocks.") || g_str_has_prefix(p->name, "norm.") ||
        g_str_has_prefix(p->name, "fc_norm.") || g_str_has_prefix(p->name, "head");
    if (!learns || strstr(p->name, "_gate.") || strstr(p->name, "substitute"))
      p->fixed = TRUE;
  }
}

static gboolean allocate(Tail *tail, guint threads, GError **error)
{
  tail->team = training_team_new(threads, error);
  if (!tail->team)
    return FALSE;
  tail->pass = training_pass_new(tail->network, tail->team, TAIL_BATCH, FALSE, TRUE, error);
  if (!tail->pass)
    return FALSE;
  for (guint i = 0; i < threads; i++)
    tail->gradients[i] = tail->pass->shares[i].gradient;
  tail->noise = g_new0(real, (gsize)2 * tail->description.depth * TAIL_BATCH);
  return TRUE;
}

Tail *tail_new(const Network *network, guint first, guint n_classes, gboolean sigmoid,
               double gate_bias, guint threads, GError **error)
{
  Tail *tail = g_new0(Tail, 1);
  tail->whole = network;
  tail->first = first;
  tail->sigmoid = sigmoid;
  tail->description = *network->description;
  tail->description.blocks += first;
  tail->description.depth -= first;
  tail->description.n_classes = n_classes;
  tail->network = network_new(&tail->description, FALSE);
  fix_others(tail->network);
  for (guint b = 0; b < tail->description.depth; b++)
    tail->network->blocks[b].merge_threshold = network->blocks[first + b].merge_threshold;
  if (!allocate(tail, threads, error)) {
    tail_free(&tail);
    return NULL;
  }
  TrainingPass *pass = tail->pass;
  pass->levels.n = 0;
  pass->decisions.sampling = TRUE;
  pass->decisions.temperature = COLD;
  pass->decisions.bias = gate_bias;
  pass->decisions.noise = tail->noise;
  return tail;
}

void tail_free(Tail **tail)
{
  Tail *t = g_steal_pointer(tail);
  if (!t)
    return;
  optimizer_free(&t->optimizer);
  training_pass_free(&t->pass);
  vitgate__team_free(&t->team);
  network_free(&t->network);
  g_free(t->noise);
  g_free(t);
}

const Network *tail_get_network(const Tail *tail)
{
  return tail->network;
}

/* ---- Values ---- */

char *tail_whole_name(const char *name, guint first)
{
  char *rest;
  if (!g_str_has_prefix(name, "blocks."))
    return g_strdup(name);
  const guint64 block = g_ascii_strtoull(name + strlen("blocks."), &rest, 10);
  return g_strdup_printf("blocks.%u%s", first + (guint)block, rest);
}

static void copy_whole(Tail *tail)
{
  for (guint i = 0; i < tail->network->parameters->len; i++) {
    const Parameter *p = &g_array_index(tail->network->parameters, Parameter, i);
    g_autofree char *name = tail_whole_name(p->name, tail->first);
    if (g_str_has_prefix(p->name, "head"))
      continue;
    const Parameter *from = network_find(tail->whole, name);
    memcpy(tail->network->values + p->offset, tail->whole->values + from->offset,
           p->n * sizeof(real));
  }
}

/* @first: of the features that the head reads */
static void set_head(Tail *tail, gsize weight_at, gsize bias_at, const float *weights,
                     const float *bias, guint first)
{
  const guint dim = tail->description.dim, f = vitgate__description_head_inputs(&tail->description);
  const real factor = f > dim ? 2 : 1; /* the mean of two heads counts */
  for (guint c = 0; c < tail->description.n_classes; c++) {
    for (guint k = 0; k < dim; k++)
      tail->network->values[weight_at + (gsize)c * dim + k] =
          factor * weights[(gsize)c * f + first + k];
    tail->network->values[bias_at + c] = bias[c];
  }
}

void tail_reset(Tail *tail, const float *weights, const float *bias)
{
  const OptimizerOptions options = { .rate = RATE,
                                     .decay = DECAY,
                                     .beta1 = 0.9,
                                     .beta2 = 0.999,
                                     .eps = 1e-8,
                                     .clip = 1,
                                     .average_keep = 0.998 };
  const Network *network = tail->network;
  copy_whole(tail);
  set_head(tail, network->head_weight, network->head_bias, weights, bias, 0);
  if (vitgate__description_n_class_heads(&tail->description) == 2)
    set_head(tail, network->head_dist_weight, network->head_dist_bias, weights, bias,
             tail->description.dim);
  optimizer_free(&tail->optimizer);
  tail->optimizer = optimizer_new(tail->network, &options);
}

/* ---- A step ---- */

/* Sets the gradient of the mean cross entropy by the logits. */
static void set_gradient(const Tail *tail, Share *share)
{
  const guint n_classes = tail->description.n_classes;
  const real n = tail->pass->n_images;
  memset(share->dclass, 0, (gsize)share->n * tail->description.dim * sizeof *share->dclass);
  share->compute_slope = 0;
  for (guint i = 0; i < share->n; i++) {
    const guint8 *shown = tail->shown[share->first + i];
    const real *logits = share->logits + (gsize)i * n_classes;
    real *d = share->dlogits + (gsize)i * n_classes, best = -INFINITY;
    double sum = 0;
    for (guint c = 0; c < n_classes; c++)
      best = MAX(best, logits[c]);
    for (guint c = 0; c < n_classes; c++)
      sum += exp(logits[c] - best);
    for (guint c = 0; c < n_classes; c++) {
      const double p =
          tail->sigmoid ? 1 / (1 + exp(-(double)logits[c])) : exp(logits[c] - best) / sum;
      d[c] = ((real)p - shown[c]) / n;
    }
  }
}

static void step_member(gpointer data, guint member)
{
  Tail *tail = data;
  const guint n = vitgate__team_size(tail->team);
  Share *share = &tail->pass->shares[member];
  memset(share->gradient, 0, tail->network->n_values * sizeof *share->gradient);
  training_pass_pack(share);
  training_pass_forward(share);
  set_gradient(tail, share);
  training_pass_backward(share);
  vitgate__team_barrier(tail->team);
  tail->squares[member] = optimizer_gather(tail->optimizer, tail->gradients, member, n);
  vitgate__team_barrier(tail->team);
  double square = 0;
  for (guint i = 0; i < n; i++)
    square += tail->squares[i];
  if (member == 0)
    tail->sound = isfinite(square);
  if (isfinite(square))
    optimizer_move(tail->optimizer, tail->gradients[0], sqrt(square), tail->factor, member, n);
}

/* ---- Training ---- */

typedef struct {
  guint example, view;
} Row;

static GArray *list_rows(const TailData *data)
{
  GArray *rows = g_array_new(FALSE, FALSE, sizeof(Row));
  for (guint i = 0; i < data->examples->list->len; i++)
    for (guint v = 0; v < data->n_views; v++) {
      const Row row = { i, v };
      if (!data->folds || data->folds[i] != data->held_out)
        g_array_append_val(rows, row);
    }
  return rows;
}

/* The rows are passed through again and again, each time in another order. */
static guint take_batch(Tail *tail, const TailData *data, const GArray *rows, guint64 seed,
                        guint step, const EntryTokens **entries)
{
  const guint n = MIN(TAIL_BATCH, rows->len);
  for (guint i = 0; i < n; i++) {
    const guint64 number = (guint64)step * n + i;
    const guint at = random_permute(random_key(seed, 1, number / rows->len), rows->len,
                                    (guint)(number % rows->len));
    const Row *row = &g_array_index(rows, Row, at);
    entries[i] = data->entries[(gsize)row->example * data->examples->n_views + row->view];
    tail->shown[i] = examples_get(data->examples, row->example)->shown;
  }
  return n;
}

gboolean tail_train(Tail *tail, const TailData *data, guint steps, guint64 seed, gint64 end)
{
  const EntryTokens *entries[TAIL_BATCH];
  g_autoptr(GArray) rows = list_rows(data);
  tail->pass->entries = entries;
  for (guint step = 0; step < steps && rows->len; step++) {
    if (g_get_monotonic_time() >= end)
      return FALSE;
    tail->pass->n_images = take_batch(tail, data, rows, seed, step, entries);
    tail->factor = optimizer_schedule((step + 1.0) / (steps + 1.0), WARM_UP);
    vitgate__team_run(tail->team, step_member, tail);
    if (!tail->sound)
      return FALSE;
    tail->optimizer->step++;
    if (data->progress)
      progress_update(data->progress, data->done + step + 1);
  }
  return TRUE;
}

/* Copies the features of the batch's views, which follow each other from @first on. */
static void take_features(const Tail *tail, guint first, Examples *out)
{
  const guint dim = tail->description.dim;
  const guint n_heads = vitgate__description_n_class_heads(&tail->description);
  for (guint s = 0; s < vitgate__team_size(tail->team); s++) {
    const Share *share = &tail->pass->shares[s];
    for (guint i = 0; i < share->n; i++) {
      const guint number = first + share->first + i, view = number % out->n_views;
      float *features = examples_get(out, number / out->n_views)->features;
      for (guint t = 0; t < n_heads; t++)
        for (guint k = 0; k < dim; k++)
          features[(gsize)view * out->n_features + t * dim + k] =
              (float)share->tokens[t][(gsize)i * dim + k];
    }
  }
}

void tail_features(Tail *tail, const TailData *data, Examples *out)
{
  const guint n = data->examples->list->len * data->examples->n_views;
  training_pass_pack_all(tail->pass);
  for (guint first = 0; first < n; first += TAIL_BATCH) {
    tail->pass->entries = data->entries + first;
    tail->pass->n_images = MIN(TAIL_BATCH, n - first);
    training_pass_forward_all(tail->pass);
    take_features(tail, first, out);
  }
}
