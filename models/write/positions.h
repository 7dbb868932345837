/* Resizes position embeddings for images of another size than in training, as timm does: bicubic,
 * and antialiased if the number of patches decreases. */
#pragma once

#include "file/description.h"

/* @out: (out caller-allocates): [new_side * new_side][dim]
 * @in: [side * side][dim]
 * Returns: FALSE if out of memory */
gboolean vitgate__positions_interpolate(float *out, guint new_side, const float *in, guint side,
                                        guint dim);

/* Changes the input of a dense model to images of @image_size pixels: its pos_embed and, in
 * proportion, its pre-processing.
 * @description: of @file
 * Returns: FALSE with VITGATE_ERROR_ARGUMENT if the model cannot have this size, _MEMORY if this
 * machine has less memory than a session with such images needs, or _TENSOR */
gboolean vitgate__positions_resize(Safetensors *file, Description *description, guint image_size,
                                   GError **error);
