#include "train/network/pass-attention.h"

#include <math.h>
#include <string.h>

#include "file/architecture.h"
#include "network/merge.h"
#include "train/network/mask.h"
#include "train/network/pass-gate.h"
#include "train/network/pass-linear.h"
#include "train/network/pass-token-gate.h"
#include "train/network/training-kernels.h"

gboolean pass_attention_reserve(Share *share)
{
  const Description *d = share->pass->network->description;
  const guint tokens = vitgate__description_n_tokens(d);
  return matmul_scratch_reserve(share->scratch, tokens, tokens, d->head_dim) &&
         matmul_scratch_reserve(share->scratch, tokens, d->head_dim, tokens);
}

/* Returns: head @h's query (@part 0), key (1) or value (2) in a row of qkv */
static real *part_of(real *qkv, guint part, guint width, guint h, guint head_dim)
{
  return qkv + part * width + h * head_dim;
}

/* scores[queries][t] = softmax(q k^T / sqrt(head_dim) + log size), for one image and head */
static void attention_scores(Share *share, guint b, guint i, guint h)
{
  const Description *d = share->pass->network->description;
  Activations *a = &share->blocks[b];
  const guint width = share->pass->network->blocks[b].heads * d->head_dim;
  const guint t = a->rows[i + 1] - a->rows[i], queries = a->queries[i + 1] - a->queries[i];
  real *qkv = a->qkv + (gsize)a->rows[i] * 3 * width;
  const Operand q = { .data = part_of(qkv, 0, width, h, d->head_dim), .stride = 3 * width };
  const Operand k = { .data = part_of(qkv, 1, width, h, d->head_dim),
                      .stride = 3 * width,
                      .transposed = TRUE };
  matmul(share->scratch, share->scores, t, q, k, NULL, FALSE, queries, t, d->head_dim);
  training_kernels()->softmax(share->scores, 1 / (real)sqrt(d->head_dim), a->log_size + a->rows[i],
                              queries, t);
}

static void attend(Share *share, guint b)
{
  const Description *d = share->pass->network->description;
  Activations *a = &share->blocks[b];
  const guint heads = share->pass->network->blocks[b].heads, width = heads * d->head_dim;
  for (guint i = 0; i < share->n; i++) {
    const guint t = a->rows[i + 1] - a->rows[i];
    real *qkv = a->qkv + (gsize)a->rows[i] * 3 * width;
    for (guint h = 0; h < heads; h++) {
      attention_scores(share, b, i, h);
      matmul(share->scratch, a->heads + (gsize)a->queries[i] * width + h * d->head_dim, width,
             (Operand){ .data = share->scores, .stride = t },
             (Operand){ .data = part_of(qkv, 2, width, h, d->head_dim), .stride = 3 * width }, NULL,
             FALSE, a->queries[i + 1] - a->queries[i], d->head_dim, t);
    }
  }
}

/* Decides which tokens of an image merge. Returns: how many remain */
static guint match_tokens(Share *share, guint b, guint i)
{
  const Network *network = share->pass->network;
  const Description *d = network->description;
  const TrainBlock *block = &network->blocks[b];
  Activations *a = &share->blocks[b];
  const guint t = a->rows[i + 1] - a->rows[i], width = block->heads * d->head_dim;
  guint *into = a->into + a->rows[i];
  if (b >= share->pass->tail || block->merge_threshold > 1 || !block->heads ||
      share->pass->decisions.open[ATTENTION_OF(b) * share->pass->capacity + share->first + i] ==
          0) {
    for (guint j = 0; j < t; j++)
      into[j] = j;
    return a->queries[i + 1] - a->queries[i];
  }
  const real *keys = a->qkv + (gsize)a->rows[i] * 3 * width + width;
#ifdef TRAIN_DOUBLE
  g_autofree float *copy = g_new(float, (gsize)t *width);
  for (guint j = 0; j < t; j++)
    for (guint k = 0; k < width; k++)
      copy[(gsize)j * width + k] = (float)keys[(gsize)j * 3 * width + k];
  return vitgate__merge_match(share->merge, into, copy, width, block->heads, d->head_dim, t,
                              network->n_prefix, (float)block->merge_threshold);
#else
  return vitgate__merge_match(share->merge, into, keys, 3 * width, block->heads, d->head_dim, t,
                              network->n_prefix, (float)block->merge_threshold);
#endif
}

/* Merges the rows of y into z as given by into, and sets the sizes of the next block's tokens. */
static void merge(Share *share, guint b)
{
  const Description *d = share->pass->network->description;
  Activations *a = &share->blocks[b], *next = &share->blocks[b + 1];
  for (guint i = 0; i < share->n; i++) {
    const guint remaining = match_tokens(share, b, i), first = a->rows[i];
    const guint end = first + a->queries[i + 1] - a->queries[i];
    a->merged[i + 1] = a->merged[i] + remaining;
    real *z = a->z + (gsize)a->merged[i] * d->dim, *size = next->size + a->merged[i];
    memset(z, 0, (gsize)remaining * d->dim * sizeof *z);
    memset(size, 0, remaining * sizeof *size);
    for (guint j = first; j < end; j++)
      size[a->into[j]] += a->size[j];
    for (guint j = first; j < end; j++)
      training_kernels()->add_scaled(z + (gsize)a->into[j] * d->dim, a->size[j] / size[a->into[j]],
                                     a->y + (gsize)(a->queries[i] + j - first) * d->dim, d->dim);
    for (guint j = 0; j < remaining; j++)
      next->log_size[a->merged[i] + j] = (real)log(size[j]);
  }
  memcpy(next->rows, a->merged, (share->n + 1) * sizeof *a->merged);
}

/* Chooses the rows that attention is computed for, and copies them to y. */
static void choose_queries(Share *share, guint b)
{
  const Network *network = share->pass->network;
  const guint dim = network->description->dim;
  Activations *a = &share->blocks[b];
  for (guint i = 0; i < share->n; i++) {
    const guint t = a->rows[i + 1] - a->rows[i];
    const guint queries = b == share->pass->tail ? network->n_prefix : t;
    a->queries[i + 1] = a->queries[i] + queries;
    memcpy(a->y + (gsize)a->queries[i] * dim, a->x + (gsize)a->rows[i] * dim,
           (gsize)queries * dim * sizeof *a->y);
  }
}

void pass_attention(Share *share, guint b)
{
  const Network *network = share->pass->network;
  const Description *d = network->description;
  const TrainBlock *block = &network->blocks[b];
  const TrainingKernels *f = training_kernels();
  Activations *a = &share->blocks[b];
  const guint rows = a->rows[share->n], width = block->heads * d->head_dim;
  choose_queries(share, b);
  if (block->heads) {
    f->layer_norm(a->h1, a->mean1, a->inverse1, a->x, network_at(network, block->norm1_scale),
                  network_at(network, block->norm1_shift), (real)d->layer_norm_eps, rows, d->dim);
    pass_linear(share, N_BLOCK_WEIGHTS * b + QKV, a->qkv, a->h1, FALSE, rows);
    attend(share, b);
    if (block->heads_choice.n) {
      mask_make(network, &block->heads_choice, share->heads_mask, d->head_dim);
      f->scale_columns(a->heads, share->heads_mask, a->queries[share->n], width);
    }
    pass_linear(share, N_BLOCK_WEIGHTS * b + PROJ, a->f, a->heads, FALSE, a->queries[share->n]);
    pass_token_gate(share, b, FALSE);
    if (pass_token_gate_of(share, b, FALSE))
      pass_token_gate_apply(share, b, FALSE, a->y, a->f);
    else
      pass_gate_apply(share, ATTENTION_OF(b), a->y, a->f, a->queries);
  }
  merge(share, b);
}

static void swap_gradients(Share *share)
{
  real *dz = share->dz;
  share->dz = share->dx;
  share->dx = dz;
}

/* Replaces dy by dx in share->dx. Rows of x that are not in y get zeros. */
static void choose_queries_backward(Share *share, guint b)
{
  const guint dim = share->pass->network->description->dim;
  const Activations *a = &share->blocks[b];
  if (b != share->pass->tail)
    return;
  memset(share->dz, 0, (gsize)a->rows[share->n] * dim * sizeof *share->dz);
  for (guint i = 0; i < share->n; i++)
    memcpy(share->dz + (gsize)a->rows[i] * dim, share->dx + (gsize)a->queries[i] * dim,
           (gsize)(a->queries[i + 1] - a->queries[i]) * dim * sizeof *share->dz);
  swap_gradients(share);
}

/* Replaces dz by dy in share->dx. Each row gets its part of the row that it merged into. */
static void merge_backward(Share *share, guint b)
{
  const Description *d = share->pass->network->description;
  const Activations *a = &share->blocks[b], *next = &share->blocks[b + 1];
  const guint rows = a->rows[share->n];
  if (b >= share->pass->tail || a->merged[share->n] == rows)
    return;
  memset(share->dz, 0, (gsize)rows * d->dim * sizeof *share->dz);
  for (guint i = 0; i < share->n; i++)
    for (guint j = a->rows[i]; j < a->rows[i + 1]; j++) {
      const guint to = a->merged[i] + a->into[j];
      training_kernels()->add_scaled(share->dz + (gsize)j * d->dim, a->size[j] / next->size[to],
                                     share->dx + (gsize)to * d->dim, d->dim);
    }
  swap_gradients(share);
}

/* Computes share->dqkv from share->dheads, the gradient of the heads' outputs. */
static void attend_backward(Share *share, guint b)
{
  const Description *d = share->pass->network->description;
  const TrainingKernels *f = training_kernels();
  Activations *a = &share->blocks[b];
  const guint heads = share->pass->network->blocks[b].heads, n = d->head_dim, width = heads * n;
  const guint stride = 3 * width;
  const real factor = 1 / (real)sqrt(n);
  if (b == share->pass->tail)
    memset(share->dqkv, 0, (gsize)a->rows[share->n] * stride * sizeof *share->dqkv);
  for (guint i = 0; i < share->n; i++) {
    const guint t = a->rows[i + 1] - a->rows[i], queries = a->queries[i + 1] - a->queries[i];
    real *qkv = a->qkv + (gsize)a->rows[i] * stride,
         *dqkv = share->dqkv + (gsize)a->rows[i] * stride;
    for (guint h = 0; h < heads; h++) {
      const Operand dout = { .data = share->dheads + (gsize)a->queries[i] * width + h * n,
                             .stride = width };
      Operand v = { .data = part_of(qkv, 2, width, h, n), .stride = stride, .transposed = TRUE };
      Operand p = { .data = share->scores, .stride = t, .transposed = TRUE };
      Operand ds = { .data = share->dscores, .stride = t };
      attention_scores(share, b, i, h);
      matmul(share->scratch, share->dscores, t, dout, v, NULL, FALSE, queries, t, n);
      matmul(share->scratch, part_of(dqkv, 2, width, h, n), stride, p, dout, NULL, FALSE, t, n,
             queries);
      f->softmax_backward(share->dscores, share->scores, factor, queries, t);
      const Operand q = { .data = part_of(qkv, 0, width, h, n), .stride = stride };
      const Operand k = { .data = part_of(qkv, 1, width, h, n), .stride = stride };
      matmul(share->scratch, part_of(dqkv, 0, width, h, n), stride, ds, k, NULL, FALSE, queries, n,
             t);
      ds.transposed = TRUE;
      matmul(share->scratch, part_of(dqkv, 1, width, h, n), stride, ds, q, NULL, FALSE, t, n,
             queries);
    }
  }
}

void pass_attention_backward(Share *share, guint b)
{
  const Network *network = share->pass->network;
  const Description *d = network->description;
  const TrainBlock *block = &network->blocks[b];
  const TrainingKernels *f = training_kernels();
  Activations *a = &share->blocks[b];
  const guint rows = a->rows[share->n], queries = a->queries[share->n];
  const guint width = block->heads * d->head_dim;
  merge_backward(share, b);
  if (!block->heads)
    return;
  real *df = share->dz;
  if (pass_token_gate_of(share, b, FALSE))
    pass_token_gate_apply_backward(share, b, FALSE, df, a->f);
  else
    pass_gate_apply_backward(share, ATTENTION_OF(b), df, a->f, a->queries);
  pass_linear_backward(share, N_BLOCK_WEIGHTS * b + PROJ, share->dheads, df, a->heads, FALSE,
                       queries);
  if (block->heads_choice.n) {
    /* The heads' outputs were masked in place, but the mask's gradient needs them unmasked. */
    attend(share, b);
    mask_make(network, &block->heads_choice, share->heads_mask, d->head_dim);
    mask_backward(share, &block->heads_choice, share->dheads, a->heads, queries, width,
                  d->head_dim);
    f->scale_columns(share->dheads, share->heads_mask, queries, width);
  }
  attend_backward(share, b);
  choose_queries_backward(share, b);
  pass_linear_backward(share, N_BLOCK_WEIGHTS * b + QKV, share->dh, share->dqkv, a->h1, FALSE,
                       rows);
  pass_token_gate_backward(share, b, FALSE);
  f->layer_norm_backward(share->dx, share->gradient + block->norm1_scale,
                         share->gradient + block->norm1_shift, share->dh, a->x,
                         network_at(network, block->norm1_scale), a->mean1, a->inverse1, rows,
                         d->dim);
}
