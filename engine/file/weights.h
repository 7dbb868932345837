/* Reads the weights of a network from a file. They are stored as floats, or as 8-bit integers with
 * one scale per row of a matrix (in tensor NAME_scale). */
#pragma once

#include "file/description.h"

/* The stored features that `vitgate teach` continues from. */
#define TEACH_FEATURES "teach.features"

/* Checks that @file holds the tensors of @description and no others.
 * Returns: FALSE with VITGATE_ERROR_TENSOR or _UNSUPPORTED */
gboolean vitgate__weights_check(const Description *description, const Safetensors *file,
                                GError **error);

/* Checks the values of the stored features, of which the engine needs nothing else: a piece at a
 * time, in memory that does not depend on their number.
 * Returns: FALSE with VITGATE_ERROR_TENSOR if one is not finite or a scale is not positive, or with
 * VITGATE_ERROR_IO */
gboolean vitgate__weights_check_views(const Description *description, const Safetensors *file,
                                      GError **error);

/* Reads one tensor of a file that has passed vitgate__weights_check().
 * @values: (out caller-allocates)
 * Returns: FALSE with VITGATE_ERROR_TENSOR if a value is not finite or a scale is not positive, or
 * with VITGATE_ERROR_IO */
gboolean vitgate__weights_read(const Safetensors *file, const char *name, float *values,
                               GError **error);

/* As vitgate__weights_read(), but if a LayerScale follows the layer, it is folded into the
 * values. */
gboolean vitgate__weights_read_folded(const Safetensors *file, const char *name, float *values,
                                      GError **error);
