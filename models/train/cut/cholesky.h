/* Cholesky factorisation in double precision of symmetric positive definite matrices with up to a
 * few thousand rows, for the closed forms of compression. */
#pragma once

#include <glib.h>

/* Factors a[n][n] = L L^T. L replaces the lower triangle; the upper one is unchanged.
 * Returns: FALSE if @a is not positive definite; its contents are then undefined */
gboolean cholesky_factor(double *a, guint n);

/* Computes b[n][columns] = (L L^T)^-1 b. */
void cholesky_solve(const double *l, double *b, guint n, guint columns);

/* Computes both triangles of inverse[n][n] = (L L^T)^-1. */
void cholesky_invert(double *inverse, const double *l, guint n);
