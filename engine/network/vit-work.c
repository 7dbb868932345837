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

static gsize carve_scratch(Scratch *scratch, float *memory, const Vit *vit)
{
  const Description *d = vit->description;
  guint tokens = vitgate__description_n_tokens(d), width = most_heads(d) * d->head_dim;
  guint hidden = MAX(vitgate__description_patch_values(d), width);
  for (guint i = 0; i < d->depth; i++)
    hidden = MAX(hidden, MAX(d->blocks[i].neurons, MAX(d->blocks[i].attention_tokens.rank,
                                                       d->blocks[i].mlp_tokens.rank)));
  const gsize waiting = vitgate__description_has_token_gates(d) ? (gsize)CHUNK * d->dim : 0;
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
    { &image->token_logits, vitgate__description_has_token_gates(d) ? tokens : 0 },
    { &image->outcome.features, vitgate__description_head_inputs(d) },
  };
  return vitgate__carve(parts, G_N_ELEMENTS(parts), memory);
}

/* Allocates the images' arrays of integers.
 * Returns: FALSE if out of memory */
static gboolean allocate_integers(VitWork *work, const Description *d, guint max_batch,
                                  gboolean patches)
{
  const gsize tokens = vitgate__description_n_tokens(d);
  const gsize n_patches = vitgate__description_n_patches(d), modules = 2 * (gsize)d->depth;
  work->ran = g_new0(guint8, max_batch * modules + 1);
  work->tokens = g_new0(guint, max_batch * 2 * modules + 1);
  work->open = vitgate__description_has_token_gates(d) ? g_try_malloc0_n(max_batch, tokens) : NULL;
  work->patches = patches ? g_try_malloc0_n(max_batch, modules * n_patches + 1) : NULL;
  work->token_of = patches ? g_try_malloc0_n(max_batch, n_patches * sizeof(guint)) : NULL;
  if ((vitgate__description_has_token_gates(d) && !work->open) ||
      (patches && (!work->patches || !work->token_of)))
    return FALSE;
  for (gsize i = 0; i < max_batch; i++) {
    ImageState *image = &work->images[i];
    image->outcome.ran = work->ran + i * modules;
    image->outcome.tokens = work->tokens + 2 * i * modules;
    image->outcome.closed = image->outcome.tokens + modules;
    image->open = work->open ? work->open + i * tokens : NULL;
    image->outcome.patches = patches ? work->patches + i * modules * n_patches : NULL;
    image->token_of = patches ? work->token_of + i * n_patches : NULL;
  }
  return TRUE;
}

VitWork *vitgate__vit_work_new(const Vit *vit, guint n_members, guint max_batch, gboolean patches)
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
  gsize shares, images, n_bytes;
  gboolean complete = allocate_integers(work, d, max_batch, patches) &&
                      g_size_checked_mul(&shares, each + stem, n_members) &&
                      g_size_checked_mul(&images, image, max_batch) &&
                      g_size_checked_add(&n_bytes, shares, images) &&
                      g_size_checked_mul(&n_bytes, n_bytes, sizeof(float)) &&
                      !posix_memalign((void **)&work->memory, 64, n_bytes);
  if (!complete)
    work->memory = NULL;
  for (guint i = 0; complete && i < max_batch; i++)
    carve_image(&work->images[i], work->memory + image * i, d);
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
  g_free(w->patches);
  g_free(w->token_of);
  g_free(w->outcomes);
  g_free(w->images);
  g_free(w->stem);
  g_free(w->scratch);
  g_free(w);
}
