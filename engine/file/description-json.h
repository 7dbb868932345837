/* The description of a network as JSON, as a model file carries it under the metadata key
 * "vitgate". FORMAT.md documents every field. */
#pragma once

#include "file/description.h"

#define DESCRIPTION_KEY     "vitgate"
#define DESCRIPTION_VERSION 1

/* Reads the description from the file's metadata. The tensors are ignored.
 * Returns: (transfer full): the description, or NULL with VITGATE_ERROR_METADATA, _UNSUPPORTED or
 * _LABELS */
Description *vitgate__description_read(const Safetensors *file, GError **error);

/* Returns: (transfer full): the JSON text */
char *vitgate__description_to_json(const Description *description);
