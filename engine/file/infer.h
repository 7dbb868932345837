/* Describes a network that carries no description, from the names and shapes of its tensors. */
#pragma once

#include "file/description.h"

/* What other files say about such weights; 0: unknown. */
typedef struct {
  guint heads; /* per block; if unknown, a head has 64 dimensions */
  double layer_norm_eps;
  gboolean class_head_only; /* if the model is distilled, its second token has no head */
} Hints;

/* @file: its tensors have timm's names
 * Returns: (transfer full): the description, or NULL with VITGATE_ERROR_UNSUPPORTED or _TENSOR */
Description *vitgate__description_infer(const Safetensors *file, const Hints *hints,
                                        GError **error);
