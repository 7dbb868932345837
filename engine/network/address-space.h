/* Whether a network's arrays can be addressed at all: on a 32-bit machine sizes of a file that is
 * in order may wrap around. */
#pragma once

#include "file/description.h"

/* @most: the largest size of an array, in bytes: G_MAXSIZE
 * Returns: whether no size of weights, or of a session's memory for one image and one thread,
 * exceeds it */
gboolean vitgate__addressable(const Description *description, gsize most);
