/* Symmetric positive definite matrices in double precision: what the closed forms of compression
 * need, at sizes up to a few thousand. */
#pragma once

#include <glib.h>

/* a[n][n] = L L^T; L takes the place of the lower triangle, the upper is left as it is.
 * Returns: FALSE where @a is not positive definite; it is then spoilt */
gboolean cholesky_factor(double *a, guint n);

/* b[n][columns] = (L L^T)^-1 b */
void cholesky_solve(const double *l, double *b, guint n, guint columns);

/* inverse[n][n] = (L L^T)^-1, both triangles */
void cholesky_invert(double *inverse, const double *l, guint n);
