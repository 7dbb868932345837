/* Checks that a network's arrays can be addressed: on a 32-bit machine the sizes that a valid file
 * implies may overflow. */
#pragma once

#include "file/description.h"

/* @max_bytes: maximum size of an array; G_MAXSIZE except in tests
 * Returns: whether the weights, and a session's memory for one image and one thread, stay within
 * it */
gboolean vitgate__addressable(const Description *description, gsize max_bytes);
