#include "network/vit-work.h"

#include <stdlib.h>

#include "base/arena.h"
#include "network/attend.h"

static guint most_heads(const Description *d)
{
  guint max = 0;
  for (guint i = 0; i < d->depth; i++)
    max = MAX(max, d->blocks[i].heads);
  return max;
}

static gboolean has_token_gates(const Description *d)
{
  for (guint i = 0; i < d->depth; i++)
    if (d->blocks[i].attention_tokens.present || d->blocks[i].mlp_tokens.present)
      return TRUE;
  return FALSE;
}

static gsize carve_scratch(Scratch *scratch, float *memory, const Vit *vit)
{
  const Description *d = vit->description;
  guint tokens = vitgate__description_n_tokens(d), width = most_heads(d) * d->head_dim;
  guint hidden = MAX(vitgate__description_patch_values(d), width);
  for (guint i = 0; i < d->depth; i++)
    hidden = MAX(hidden, MAX(d->blocks[i].neurons, MAX(d->blocks[i].attention_tokens.rank,
                                                       d->blocks[i].mlp_tokens.rank)));
  const gsize waiting = has_token_gates(d) ? (gsize)CHUNK * d->dim : 0;
  const Part parts[] = {
    { &scratch->norm, (gsize)CHUNK * d->dim },
    { &scratch->hidden, (gsize)CHUNK * hidden },
    { &scratch->input, vitgate__linear_input_size(vit->precision, MAX(d->dim, hidden)) },
    { &scratch->scores, vitgate__attend_scores_size(vit->precision, tokens) },
    { &scratch->attend, vitgate__attend_scratch_size(vit->precision, tokens, d->head_dim) },
    { &scratch->features, (gsize)4 * d->dim },
    { &scratch->open, waiting },
    { &scratch->closed, waiting },
    { &scratch->gathered, waiting },
    { &scratch->qkv, (gsize)tokens * 3 * width },
    { &scratch->heads,
      vitgate__attend_heads_size(vit->precision, most_heads(d), tokens, d->head_dim) },
  };
  return vitgate__carve(parts, G_N_ELEMENTS(parts), memory);
}

static gsize carve_image(ImageState *image, float *memory, const Description *d)
{
  const guint tokens = vitgate__description_n_tokens(d);
  const Part parts[] = {
    { &image->x, (gsize)tokens * d->dim },
    { &image->size, tokens },
    { &image->offsets, tokens },
    { &image->sums, vitgate__token_sums_size(tokens, d->dim) },
    { &image->token_logits, has_token_gates(d) ? tokens : 0 },
  };
  return vitgate__carve(parts, G_N_ELEMENTS(parts), memory);
}

VitWork *vitgate__vit_work_new(const Vit *vit, guint n_members, guint max_batch)
{
  const Description *d = vit->description;
  const guint tokens = vitgate__description_n_tokens(d);
  const gboolean merges = vitgate__dial_merges(d);
  Scratch no_scratch;
  ImageState no_image;
  const gsize each = carve_scratch(&no_scratch, NULL, vit), image = carve_image(&no_image, NULL, d);
  const gsize stem = vit->stem ? d->family->work_size(d, vit->precision) : 0;
  VitWork *work = g_new0(VitWork, 1);
  work->n_members = n_members;
  work->scratch = g_new0(Scratch, n_members);
  work->images = g_new0(ImageState, max_batch);
  work->outcomes = g_new0(VitOutcome, max_batch);
  work->ran = g_new0(guint8, (gsize)max_batch * 2 * d->depth + 1);
  work->tokens = g_new0(guint, (gsize)max_batch * 4 * d->depth + 1);
  if (has_token_gates(d))
    work->open = g_try_new0(guint8, (gsize)max_batch * tokens);
  gsize shares, images, n_bytes;
  gboolean complete = (work->open || !has_token_gates(d)) &&
                      g_size_checked_mul(&shares, each + stem, n_members) &&
                      g_size_checked_mul(&images, image, max_batch) &&
                      g_size_checked_add(&n_bytes, shares, images) &&
                      g_size_checked_mul(&n_bytes, n_bytes, sizeof(float)) &&
                      !posix_memalign((void **)&work->memory, 64, n_bytes);
  if (!complete)
    work->memory = NULL;
  for (guint i = 0; complete && i < max_batch; i++) {
    carve_image(&work->images[i], work->memory + image * i, d);
    work->images[i].outcome.ran = work->ran + (gsize)i * 2 * d->depth;
    work->images[i].outcome.tokens = work->tokens + (gsize)i * 4 * d->depth;
    work->images[i].outcome.closed = work->images[i].outcome.tokens + 2 * d->depth;
    work->images[i].open = work->open ? work->open + (gsize)i * tokens : NULL;
  }
  for (guint i = 0; complete && i < n_members; i++) {
    Scratch *scratch = &work->scratch[i];
    carve_scratch(scratch, work->memory + image * max_batch + each * i, vit);
    if (!merges)
      continue;
    scratch->into = g_try_new(guint, tokens);
    scratch->merge = vitgate__merge_scratch_new(tokens, d->head_dim);
    complete = scratch->into && scratch->merge;
  }
  if (complete && vit->stem)
    work->stem = d->family->work_new(
        d, vit->precision, work->memory + image * max_batch + each * n_members, n_members);
  if (!complete)
    vitgate__vit_work_free(&work);
  return work;
}

void vitgate__vit_work_free(VitWork **work)
{
  VitWork *w = g_steal_pointer(work);
  if (!w)
    return;
  for (guint i = 0; i < w->n_members; i++) {
    g_free(w->scratch[i].into);
    vitgate__merge_scratch_free(&w->scratch[i].merge);
  }
  free(w->memory);
  g_free(w->ran);
  g_free(w->tokens);
  g_free(w->open);
  g_free(w->outcomes);
  g_free(w->images);
  g_free(w->stem);
  g_free(w->scratch);
  g_free(w);
}
