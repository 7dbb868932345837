/* The arithmetic of the reference, in double precision. */
#pragma once

#include <glib.h>

/* out[n] = LayerNorm(x[n]) */
void reference_layer_norm(double *out, const double *x, const float *scale, const float *shift,
                          double eps, guint n);

double reference_gelu(double x);

/* x[n] += more[n] */
void reference_add(double *x, const double *more, guint n);

/* Returns: the cosine of the angle between a[n] and b[n] */
double reference_cosine(const double *a, const double *b, guint n);
