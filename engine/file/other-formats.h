/* Files that are taken for weights in safetensors and are something else. */
#pragma once

#include <glib.h>

/* Returns: (nullable): what the file is whose first bytes these are, and how to get what is wanted;
 * NULL: nothing that is known here */
const char *vitgate__other_format_describe(const char *bytes, gsize n_bytes);

/* What is said of PyTorch's own files, whose pickles could run any code. */
extern const char vitgate__pickle_advice[];
