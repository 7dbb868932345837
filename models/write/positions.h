/* Position embeddings for images of another size than those that a model was trained on, as timm
 * makes them: bicubic, antialiased where there are fewer patches than before. */
#pragma once

#include "file/description.h"

/* @out: (out caller-allocates): [new_side * new_side][dim]
 * @in: [side * side][dim]
 * Returns: FALSE where memory is lacking */
gboolean vitgate__positions_interpolate(float *out, guint new_side, const float *in, guint side,
                                        guint dim);

/* Makes a dense model that @description is of see images of @image_size pixels: changes its
 * pos_embed and, in proportion, its pre-processing.
 * Returns: FALSE with VITGATE_ERROR_ARGUMENT where the size is none that the model can have,
 * _MEMORY where this machine has less memory than a session of such images takes, or _TENSOR */
gboolean vitgate__positions_resize(Safetensors *file, Description *description, guint image_size,
                                   GError **error);
