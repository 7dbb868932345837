/* Measures how fast this machine runs models. */
#pragma once

#include <glib.h>

/* Classifies some frames with the default model, within a second or so.
 * Returns: GMAC/s of all processors together, rounded to a power of the square root of two, since
 * two measurements are never the same; 0 if the model cannot be used */
double speed_measure(void);
