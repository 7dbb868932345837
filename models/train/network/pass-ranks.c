#include "train/network/pass-ranks.h"

#include <string.h>

void pass_gather(Share *share, real *values)
{
  const TrainingPass *pass = share->pass;
  vitgate__team_barrier(pass->team);
  if (!pass->shared || ranks_count() == 1)
    return;
  if (share == pass->shares)
    ranks_gather(values, pass->n_images, sizeof *values);
  vitgate__team_barrier(pass->team);
}

void pass_gather_decisions(TrainingPass *pass)
{
  if (!pass->shared || ranks_count() == 1)
    return;
  const Decisions *d = &pass->decisions;
  real *const arrays[] = { d->logit, d->open, d->macs, d->rate };
  const guint n_modules = 2 * pass->network->description->depth;
  const gsize each = (gsize)n_modules * G_N_ELEMENTS(arrays);
  const guint first = pass_own_first(pass), end = first + pass_own_count(pass);
  g_autofree real *all = g_new(real, pass->n_images * each);
  for (guint i = first; i < end; i++)
    for (guint k = 0; k < each; k++)
      all[i * each + k] = arrays[k / n_modules][(gsize)(k % n_modules) * pass->capacity + i];
  ranks_gather(all, pass->n_images, each * sizeof *all);
  for (guint i = 0; i < pass->n_images; i++)
    for (guint k = 0; k < each; k++)
      arrays[k / n_modules][(gsize)(k % n_modules) * pass->capacity + i] = all[i * each + k];
}

void pass_gather_logits(TrainingPass *pass)
{
  if (!pass->logits)
    return;
  const gsize n = pass->network->description->n_classes;
  for (guint m = 0; m < vitgate__team_size(pass->team); m++) {
    const Share *share = &pass->shares[m];
    memcpy(pass->logits + share->first * n, share->logits, share->n * n * sizeof *pass->logits);
  }
  ranks_gather(pass->logits, pass->n_images, n * sizeof *pass->logits);
}
