#include "network/patches.h"

#include <string.h>

void vitgate__patches_start(ImageState *image, const Vit *vit)
{
  const Description *d = vit->description;
  const guint n = vitgate__description_n_patches(d), prefix = vit->n_prefix;
  if (!image->outcome.patches)
    return;
  for (guint p = 0; p < n; p++)
    image->token_of[p] = image->slots ? G_MAXUINT : prefix + p;
  if (!image->slots)
    return;
  memset(image->outcome.patches, 0, 2 * d->depth * (gsize)n);
  for (guint row = prefix; row < image->n_tokens; row++)
    image->token_of[image->slots[row] - prefix] = row;
}

void vitgate__patches_record(const Job *job, guint b, gboolean mlp, gboolean runs,
                             const guint8 *open)
{
  const ImageState *image = job->image;
  const guint n = vitgate__description_n_patches(job->vit->description);
  if (!image->outcome.patches || b >= job->vit->tail)
    return;
  guint8 *flags = image->outcome.patches + (gsize)(2 * b + mlp) * n;
  for (guint p = 0; p < n; p++) {
    const guint token = image->token_of[p];
    if (token < job->first || token >= job->last)
      continue;
    flags[p] = (runs && (!open || open[token]) ? VITGATE_PATCH_RAN : 0) |
               (image->size[token] > 1 ? VITGATE_PATCH_MERGED : 0);
  }
}

void vitgate__patches_move(ImageState *image, const Vit *vit, const guint *into)
{
  const guint n = vitgate__description_n_patches(vit->description);
  for (guint p = 0; image->outcome.patches && p < n; p++)
    image->token_of[p] = into[image->token_of[p]];
}
