/* The network's weights as a file stores them: as floats, or as 8 bit integers with one scale for
 * each row of a matrix (tensor NAME_scale beside NAME). */
#pragma once

#include "file/description.h"

/* Returns: whether @file holds the tensors of @description and no others; else VITGATE_ERROR_TENSOR
 * or _UNSUPPORTED */
gboolean vitgate__weights_check(const Description *description, const Safetensors *file,
                                GError **error);

/* Reads one tensor of a file that was checked.
 * @values: (out caller-allocates)
 * Returns: FALSE with VITGATE_ERROR_TENSOR where a value is not finite, or a scale not positive, or
 * VITGATE_ERROR_IO */
gboolean vitgate__weights_read(const Safetensors *file, const char *name, float *values,
                               GError **error);

/* The same of a layer as it is computed: with the LayerScale behind it, where the file has one,
 * folded into it. */
gboolean vitgate__weights_read_folded(const Safetensors *file, const char *name, float *values,
                                      GError **error);
