#include "train/cut/cholesky.h"

#include <math.h>
#include <string.h>

/* Number of columns that are factored before they are subtracted from the rest. */
#define PANEL 64

/* y[n] -= factor * x */
static inline void subtract(double *restrict y, double factor, const double *restrict x, guint n)
{
  for (guint i = 0; i < n; i++)
    y[i] -= factor * x[i];
}

/* Computes columns @first to @end of L, by substitution within the panel. */
static gboolean factor_panel(double *a, guint n, guint first, guint end)
{
  for (guint j = first; j < end; j++) {
    double *row = a + (gsize)j * n;
    double diagonal = row[j];
    for (guint k = first; k < j; k++)
      diagonal -= row[k] * row[k];
    if (!(diagonal > 0) || !isfinite(diagonal))
      return FALSE;
    row[j] = sqrt(diagonal);
    for (guint i = j + 1; i < n; i++) {
      double *below = a + (gsize)i * n, sum = below[j];
      for (guint k = first; k < j; k++)
        sum -= below[k] * row[k];
      below[j] = sum / row[j];
    }
  }
  return TRUE;
}

/* Subtracts the panel's products from the rest of the matrix.
 * @panel: [PANEL][n] scratch for the panel's transpose: the innermost loop then runs along rows */
static void subtract_panel(double *a, double *panel, guint n, guint first, guint end)
{
  for (guint i = end; i < n; i++)
    for (guint k = first; k < end; k++)
      panel[(gsize)(k - first) * n + i] = a[(gsize)i * n + k];
  for (guint i = end; i < n; i++)
    for (guint k = first; k < end; k++)
      subtract(a + (gsize)i * n + end, a[(gsize)i * n + k], panel + (gsize)(k - first) * n + end,
               i + 1 - end);
}

gboolean cholesky_factor(double *a, guint n)
{
  g_autofree double *panel = g_new(double, (gsize)PANEL *n);
  for (guint first = 0; first < n; first += PANEL) {
    const guint end = MIN(n, first + PANEL);
    if (!factor_panel(a, n, first, end))
      return FALSE;
    subtract_panel(a, panel, n, first, end);
  }
  return TRUE;
}

void cholesky_solve(const double *l, double *b, guint n, guint columns)
{
  for (guint i = 0; i < n; i++) {
    double *row = b + (gsize)i * columns;
    for (guint k = 0; k < i; k++)
      subtract(row, l[(gsize)i * n + k], b + (gsize)k * columns, columns);
    for (guint j = 0; j < columns; j++)
      row[j] /= l[(gsize)i * n + i];
  }
  for (guint i = n; i-- > 0;) {
    double *row = b + (gsize)i * columns;
    for (guint j = 0; j < columns; j++)
      row[j] /= l[(gsize)i * n + i];
    for (guint k = 0; k < i; k++)
      subtract(b + (gsize)k * columns, l[(gsize)i * n + k], row, columns);
  }
}

void cholesky_invert(double *inverse, const double *l, guint n)
{
  memset(inverse, 0, (gsize)n * n * sizeof *inverse);
  /* L^-1, whose row i has i + 1 values, then (L^-1)^T L^-1 */
  g_autofree double *half = g_new0(double, (gsize)n *n);
  for (guint i = 0; i < n; i++) {
    double *row = half + (gsize)i * n;
    row[i] = 1;
    for (guint k = 0; k < i; k++)
      subtract(row, l[(gsize)i * n + k], half + (gsize)k * n, k + 1);
    for (guint j = 0; j <= i; j++)
      row[j] /= l[(gsize)i * n + i];
  }
  for (guint k = 0; k < n; k++) {
    const double *row = half + (gsize)k * n;
    for (guint i = 0; i <= k; i++)
      subtract(inverse + (gsize)i * n, -row[i], row, i + 1);
  }
  for (guint i = 0; i < n; i++)
    for (guint j = i + 1; j < n; j++)
      inverse[(gsize)i * n + j] = inverse[(gsize)j * n + i];
}
