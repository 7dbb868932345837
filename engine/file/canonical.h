/* Brings published ViTs that differ from the plain form into that form: position embeddings without
 * the class token get zeros for it, and a norm that comes after the class token is picked becomes
 * one that comes before. */
#pragma once

#include "file/safetensors.h"

/* Changes the tensors of @file, which have timm's names.
 * @class_token: the head reads the class token, even if there is an fc_norm
 * @no_class_position: (out): whether zeros were added for the class token
 * Returns: FALSE with VITGATE_ERROR_TENSOR, _UNSUPPORTED, _IO or _MEMORY */
gboolean vitgate__canonicalize(Safetensors *file, gboolean class_token, gboolean *no_class_position,
                               GError **error);
