/* The trainer's number type. Programs train in float. The gradient test builds the same sources in
 * double, since finite differences need that precision. */
#pragma once

#include <glib.h>

#ifdef TRAIN_DOUBLE
typedef double real;
#else
typedef float real;
#endif
