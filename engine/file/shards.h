/* Weights in several safetensors files, and the index that tells which tensor is in which. */
#pragma once

#include "file/safetensors.h"

#define SHARDS_INDEX "model.safetensors.index.json"

/* Returns: (transfer full): all tensors that the index @path names, or NULL with
 * VITGATE_ERROR_NOT_FOUND, _IO, _FORMAT or _UNSUPPORTED */
Safetensors *vitgate__shards_open(const char *path, GError **error);
