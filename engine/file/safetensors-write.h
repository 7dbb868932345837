/* Writes safetensors files. */
#pragma once

#include "file/safetensors.h"

/* Writes a temporary file in the folder of @path and renames it to @path when it is complete.
 * @metadata: (nullable): char * → char *, written as the header's __metadata__
 * Returns: FALSE with VITGATE_ERROR_IO or _MEMORY, and @path unchanged */
gboolean vitgate__safetensors_write(const char *path, const Tensor *tensors, guint n_tensors,
                                    GHashTable *metadata, GError **error);
