/* Finds the description of a network: the one its file carries or, if it carries none, the one its
 * tensors imply. */
#pragma once

#include "file/infer.h"

/* Checks also that @file has exactly the tensors of that network.
 * @hints: (nullable): for a file that carries no description
 * Returns: (transfer full): the description, or NULL with VITGATE_ERROR_UNSUPPORTED, _METADATA,
 * _TENSOR or _LABELS */
Description *vitgate__describe(const Safetensors *file, const Hints *hints, GError **error);
