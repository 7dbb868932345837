/* ViT and DeiT (Dosovitskiy et al. 2021, Touvron et al. 2021): square patches of pixels are
 * embedded as they are, so there is no stem. */
#include <string.h>

#include "base/error.h"
#include "file/description.h"
#include "file/tensor-specs.h"
#include "network/families/families.h"

static gboolean matches(const Safetensors *file)
{
  return vitgate__safetensors_find(file, "patch_embed.proj.weight") != NULL;
}

static gboolean infer(Description *d, const Safetensors *file, GError **error)
{
  const Tensor *patch = vitgate__find_shaped(file, "patch_embed.proj.weight", 4, error);
  const Tensor *position = patch ? vitgate__find_shaped(file, "pos_embed", 3, error) : NULL;
  if (!position)
    return FALSE;
  d->distilled = vitgate__safetensors_find(file, "dist_token") != NULL;
  d->mean_pooling = !d->distilled && vitgate__safetensors_find(file, "fc_norm.weight");
  const guint side = vitgate__side_of(position->shape[1] - (d->distilled ? 2 : 1));
  if (!side || !patch->shape[0] || patch->shape[0] > DESCRIPTION_MAX_DIM || !patch->shape[3] ||
      patch->shape[3] > DESCRIPTION_MAX_IMAGE / side) {
    g_autofree char *p = vitgate__tensor_describe_shape(patch->shape, 4);
    g_autofree char *e = vitgate__tensor_describe_shape(position->shape, 3);
    vitgate__set_error(error, VITGATE_ERROR_UNSUPPORTED,
                       "%s: patch_embed.proj.weight %s and pos_embed %s imply no square image of "
                       "at most %d pixels a side",
                       vitgate__safetensors_get_path(file), p, e, DESCRIPTION_MAX_IMAGE);
    return FALSE;
  }
  d->dim = (guint)patch->shape[0];
  d->patch_size = (guint)patch->shape[3];
  d->image_size = side * d->patch_size;
  return TRUE;
}

static guint patch_values(const Description *d)
{
  return 3 * d->patch_size * d->patch_size;
}

static void add_tensors(GArray *specs, const Description *d)
{
  const TensorSpec embedding[] = {
    { "patch_embed.proj.weight", 4, { d->dim, 3, d->patch_size, d->patch_size } },
    { "patch_embed.proj.bias", 1, { d->dim } },
  };
  g_array_append_vals(specs, embedding, G_N_ELEMENTS(embedding));
}

static double gmacs(const Description *d)
{
  return 0;
}

/* Values in the order of the convolution's weights: channel, row, column. */
static void gather(const Description *d, const StemWork *work, guint base, float *patches,
                   const float *tensor, guint first, guint rows)
{
  const guint size = d->image_size, patch = d->patch_size, side = size / patch;
  for (guint p = first; p < first + rows; p++) {
    const float *corner = tensor + (gsize)(p / side * patch) * size + p % side * patch;
    for (guint c = 0; c < 3; c++)
      for (guint y = 0; y < patch; y++, patches += patch)
        memcpy(patches, corner + ((gsize)c * size + y) * size, patch * sizeof *patches);
  }
}

const Family vitgate__family_vit = {
  .name = "vit",
  .title = "ViT",
  .embedding = "patch_embed.proj",
  .layer_norm_eps = 1e-6,
  .crop_share = 0.875,
  .matches = matches,
  .infer = infer,
  .patch_values = patch_values,
  .add_tensors = add_tensors,
  .gmacs = gmacs,
  .gather = gather,
};
