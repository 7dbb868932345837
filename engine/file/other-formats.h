/* Recognises files that are mistaken for safetensors. */
#pragma once

#include <glib.h>

/* @bytes: the first bytes of a file
 * Returns: (nullable): what the file is and how to get a safetensors file instead, or NULL if its
 * format is unknown */
const char *vitgate__other_format_describe(const char *bytes, gsize n_bytes);

/* Advice for PyTorch's own files. They are not read, because their pickles can run any code. */
extern const char vitgate__pickle_advice[];
