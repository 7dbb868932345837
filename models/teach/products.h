/* Products of matrices in double precision, for fits. Columns of results come in groups of
 * PRODUCTS_COLUMNS, so callers pad them with zeros. */
#pragma once

#include <glib.h>

#define PRODUCTS_COLUMNS 4

/* Returns: @n, rounded up to a whole number of groups */
static inline guint products_pad(guint n)
{
  return (n + PRODUCTS_COLUMNS - 1) / PRODUCTS_COLUMNS * PRODUCTS_COLUMNS;
}

/* Computes out[rows][columns] = x[rows][inner] w[inner][columns]. */
void products_forward(double *out, const double *x, const double *w, guint rows, guint inner,
                      guint columns);

/* Computes out[inner][columns] += x[rows][inner]^T y[rows][columns]. */
void products_backward(double *out, const double *x, const double *y, guint rows, guint inner,
                       guint columns);
