/* Weights in several safetensors files, with an index that says which tensor is in which file. */
#pragma once

#include "file/safetensors.h"

#define SHARDS_INDEX "model.safetensors.index.json"

/* Opens all files that the index @path names.
 * Returns: (transfer full): their tensors, or NULL with VITGATE_ERROR_NOT_FOUND, _IO, _FORMAT or
 * _UNSUPPORTED */
Safetensors *vitgate__shards_open(const char *path, GError **error);
