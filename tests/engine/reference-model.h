/* Models with random weights whose gates distinguish images and tokens. */
#pragma once

#include "reference.h"

/* Returns: (transfer full): a model of @description with weights large enough for gates to
 * distinguish images */
ModelFile *reference_model(const Description *description, guint32 seed);

/* Shifts the bias of each gate so that it opens for about half of the images, and so that no image
 * is close to the opposite decision when gates decide by sample. */
void reference_balance_gates(ModelFile *file, const Description *description, const float *tensors,
                             guint n_images);

/* Embeds images with the engine, for a family with a stem.
 * @name: of a golden model
 * Returns: (transfer full): [n_images][n_tokens][dim] the tokens that enter the first block */
float *reference_embed(const char *name, const float *tensors, guint n_images);
