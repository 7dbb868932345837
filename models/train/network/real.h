/* The number type of the trainer. Programs train in float; the gradient test builds the same
 * sources in double, where finite differences mean something. */
#pragma once

#include <glib.h>

#ifdef TRAIN_DOUBLE
typedef double real;
#else
typedef float real;
#endif
