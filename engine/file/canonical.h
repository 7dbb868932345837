/* What a published ViT may have otherwise than a plain one, brought to the same form: position
 * embeddings that leave the class token out get zeros for it, and a norm behind the choice of the
 * class token is the norm before it. */
#pragma once

#include "file/safetensors.h"

typedef struct {
  gboolean no_class_position;
} Variants;

/* Changes the tensors of @file, which have timm's names.
 * @class_token: the head sees the class token, even where there is an fc_norm
 * @found: (out caller-allocates)
 * Returns: FALSE with VITGATE_ERROR_TENSOR, _UNSUPPORTED, _IO or _MEMORY */
gboolean vitgate__variants_resolve(Safetensors *file, gboolean class_token, Variants *found,
                                   GError **error);
