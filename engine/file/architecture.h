/* What the parts of the architecture share. */
#pragma once

#include "file/description.h"

/* columns 0: a vector */
void vitgate__add_spec(GArray *specs, const char *name, guint64 rows, guint64 columns);

/* A linear map: NAME.weight. */
void vitgate__add_weight(GArray *specs, const char *name, guint64 rows, guint64 columns);

/* A learned affine map: NAME.weight and NAME.bias. columns 0: a LayerNorm's scale and shift */
void vitgate__add_affine(GArray *specs, const char *name, guint64 rows, guint64 columns);

/* Returns: the tensor of that name with @n_dims dimensions, or NULL with VITGATE_ERROR_TENSOR or
 * _UNSUPPORTED */
const Tensor *vitgate__find_shaped(const Safetensors *file, const char *name, guint n_dims,
                                   GError **error);

/* Returns: the side of a square of @n_patches; 0: they make none of at most 4096 */
guint vitgate__side_of(guint64 n_patches);

/* ---- T2T-ViT's stem ---- */

void vitgate__stem_add_tensors(GArray *specs, const Description *description);

/* Tells the stem's kind, its dimensions and the image's from a file that has one.
 * Returns: FALSE with VITGATE_ERROR_TENSOR, or _UNSUPPORTED where they are none of a T2T-ViT's */
gboolean vitgate__stem_infer(Description *description, const Safetensors *file, GError **error);
