#include "network/vit-modules.h"

#include <math.h>

#include "network/attend.h"
#include "network/patches.h"
#include "network/rows.h"

void vitgate__vit_normalize(const Job *job, const LayerNorm *norm, guint first, guint rows)
{
  const Description *d = job->vit->description;
  vitgate__normalize(norm, d->layer_norm_eps, job->scratch->norm,
                     job->image->x + (gsize)first * d->dim, d->dim, rows);
}

/* Merges tokens with similar keys. The keys are still in qkv. */
static void merge_tokens(Job *job, guint block)
{
  const Description *d = job->vit->description;
  const guint heads = d->blocks[block].heads, width = heads * d->head_dim;
  ImageState *image = job->image;
  if (job->dial->thresholds[block] >= MERGE_NEVER)
    return;
  const ProfilePart part = vitgate__profile_part(PART_MERGING);
  if (job->leads) {
    const guint before = image->n_tokens, prefix = job->vit->n_prefix;
    image->outcome.gmacs += vitgate__merge_gmacs(before - prefix, d->head_dim);
    image->n_tokens =
        vitgate__merge_match(job->scratch->merge, job->scratch->into, job->qkv + width, 3 * width,
                             heads, d->head_dim, before, prefix, job->dial->thresholds[block]);
    if (image->n_tokens < before) {
      vitgate__merge_apply(job->scratch->merge, image->x, image->size, job->scratch->into, before,
                           prefix, d->dim);
      vitgate__patches_move(image, job->vit, job->scratch->into);
      for (guint i = 0; i < image->n_tokens; i++)
        image->offsets[i] =
            image->size[i] > 1 ? logf(image->size[i]) * sqrtf((float)d->head_dim) : 0.0f;
      image->merged = TRUE;
    }
  }
  wait_for_others(job);
  share_rows(job);
  vitgate__profile_part(part);
}

/* Computes the attention of all heads for rows @first to @last - 1. All threads that share the
 * image call it, each with its own rows. */
static void attend(const Job *job, guint heads, guint first, guint last)
{
  const Description *d = job->vit->description;
  const ImageState *image = job->image;
  const guint n = d->head_dim;
  const Attention attention = {
    .precision = job->vit->precision,
    .heads = heads,
    .head_dim = n,
    .n_tokens = image->slots ? vitgate__description_n_tokens(d) : image->n_tokens,
    .slots = image->slots,
    .n_new = image->n_tokens,
    .factor = 1.0f / sqrtf((float)n),
    .offsets = image->merged ? image->offsets : NULL,
    .qkv = job->qkv,
    .packed = job->heads,
    .scores = job->scratch->scores,
    .scratch = job->scratch->attend,
    .team = job->team,
    .member = job->member,
    .n = job->n,
  };
  vitgate__attend(&attention, first, last);
}

void vitgate__vit_attention(Job *job, guint b)
{
  const Description *d = job->vit->description;
  const Block *block = &job->vit->blocks[b];
  const guint heads = d->blocks[b].heads, width = heads * d->head_dim;
  /* Until here thread 0 may still be using the shared qkv for another image. */
  wait_for_others(job);
  for (guint row = job->first, rows; row < job->last; row += rows) {
    rows = vitgate__linear_rows(job->last - row);
    float *qkv = job->qkv + (gsize)row * 3 * width;
    vitgate__vit_normalize(job, &block->norm1, row, rows);
    if (block->q.n_out)
      vitgate__vit_multiply(job, &block->q, qkv, 3 * width, job->scratch->norm, d->dim,
                            LINEAR_STORE, rows);
    vitgate__vit_multiply(job, &block->qkv, block->q.n_out ? qkv + width : qkv, 3 * width,
                          job->scratch->norm, d->dim, LINEAR_STORE, rows);
  }
  wait_for_others(job);
  attend(job, heads, job->first, job->last);
  vitgate__vit_multiply(job, &block->proj, job->image->x + (gsize)job->first * d->dim, d->dim,
                        job->qkv + (gsize)job->first * 3 * width, 3 * width, LINEAR_ADD,
                        job->last - job->first);
  wait_for_others(job);
  merge_tokens(job, b);
}

void vitgate__vit_attend_open(Job *job, guint b, gboolean weighed)
{
  wait_for_others(job);
  const guint n_open = vitgate__rows_query(job, b, weighed);
  wait_for_others(job);
  attend(job, job->vit->description->blocks[b].heads, job->first, job->first + n_open);
  vitgate__rows_project(job, b);
  wait_for_others(job);
  merge_tokens(job, b);
}

/* All threads compute keys and values. The little that remains is left to the leading thread. */
void vitgate__vit_attend_tail(const Job *job)
{
  const Vit *vit = job->vit;
  const Description *d = vit->description;
  const Block *block = &vit->blocks[vit->tail];
  const guint heads = d->blocks[vit->tail].heads, width = heads * d->head_dim;
  wait_for_others(job);
  for (guint row = job->first, rows; row < job->last; row += rows) {
    rows = vitgate__linear_rows(job->last - row);
    float *qkv = job->qkv + (gsize)row * 3 * width;
    vitgate__vit_normalize(job, &block->norm1, row, rows);
    vitgate__vit_multiply(job, &block->qkv, qkv + width, 3 * width, job->scratch->norm, d->dim,
                          LINEAR_STORE, rows);
    if (row < vit->n_prefix)
      vitgate__vit_multiply(job, &block->q, qkv, 3 * width, job->scratch->norm, d->dim,
                            LINEAR_STORE, MIN(rows, vit->n_prefix - row));
  }
  wait_for_others(job);
  attend(job, heads, 0, job->leads ? vit->n_prefix : 0);
  if (!job->leads)
    return;
  vitgate__vit_multiply(job, &block->proj, job->image->x, d->dim, job->qkv, 3 * width, LINEAR_ADD,
                        vit->n_prefix);
}

void vitgate__vit_mlp(const Job *job, guint b)
{
  const Description *d = job->vit->description;
  const Block *block = &job->vit->blocks[b];
  const guint neurons = d->blocks[b].neurons;
  for (guint row = job->first, rows; row < job->last; row += rows) {
    rows = vitgate__linear_rows(job->last - row);
    vitgate__vit_normalize(job, &block->norm2, row, rows);
    vitgate__vit_multiply(job, &block->fc1, job->scratch->hidden, neurons, job->scratch->norm,
                          d->dim, LINEAR_GELU, rows);
    vitgate__vit_multiply(job, &block->fc2, job->image->x + (gsize)row * d->dim, d->dim,
                          job->scratch->hidden, neurons, LINEAR_ADD, rows);
  }
}
