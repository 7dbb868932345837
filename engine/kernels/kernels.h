/* The functions that do the arithmetic, one table per instruction set. kernels-float32.c and
 * kernels-image.c are compiled once for each set; kernels.c picks the best that CPU and system
 * can run. Sizes are in elements; arrays need no alignment beyond their type's. */
#pragma once

#include <glib.h>

typedef struct {
  const char *name;

  guint lanes; /* floats in a vector; packed matrices are padded to multiples of it */

  /* out[m][n] = (accumulate ? out : 0) + bias + a[m][k] * b[k][n]
   * b: packed by pack or pack_transposed; bias: NULL or [n] */
  void (*gemm)(float *out, gsize out_stride, const float *a, gsize a_stride, const float *b,
               const float *bias, gboolean accumulate, guint m, guint n, guint k);

  /* Panels of two vectors' columns (one, for a last panel that fills no more), each [k][columns]
   * with zeros beyond n: vitgate__packed_size(n, k) floats. From b[k][n] and from b[n][k]. */
  void (*pack)(float *packed, const float *b, gsize b_stride, guint n, guint k);
  void (*pack_transposed)(float *packed, const float *b, gsize b_stride, guint n, guint k);

  /* out[m][n] = (x - mean(x)) / sqrt(var(x) + eps) * scale + shift, row by row of x[m][n] */
  void (*layer_norm)(float *out, const float *x, const float *scale, const float *shift, float eps,
                     guint m, guint n);

  /* x[n] = x * Phi(x), Phi the normal distribution; Phi's largest error is 2.5e-7 */
  void (*gelu)(float *x, gsize n);

  /* x[n] = exp(factor * x) / sum; relative error of exp below 2e-7 */
  void (*softmax)(float *x, float factor, guint n);

  /* x[m][n_features] = factor * exp(x - |v|^2 / 2), of v[m][n]; exp's argument is kept within
   * -87 … 87, its relative error below 2e-7 */
  void (*positive_features)(float *x, const float *v, gsize v_stride, float factor, guint m,
                            guint n_features, guint n);

  /* Returns: the first place of the largest of x[n], n from 1 to 2^24; some place where one is NaN
   */
  guint (*find_largest)(const float *x, guint n);

  /* out[n] = the sum of x[parts][n] over parts, divided by its length; zeros where that is below
   * 1e-6 */
  void (*unit_sum)(float *out, const float *x, guint parts, guint n);

  /* out[n] = the sum over rows of weights[row] * x[row][n]; weights: NULL: all 1, or [m] */
  void (*add_rows)(float *out, const float *x, gsize x_stride, const float *weights, guint m,
                   guint n);

  /* out[m] = bias[m] + the sum of a[m][n] * x[n] over n */
  void (*multiply_vector)(float *out, const float *a, const float *x, const float *bias, guint m,
                          guint n);

  /* Sixteen rows of bytes, side by side: out[n][IMAGE_LINES] = in[row][n] as floats; rows beyond
   * n_rows are zero */
  void (*interleave_rows)(float *out, const guint8 *in, gsize in_stride, guint n_rows, guint n);

  /* out[row][n] = sum over t of weights[x][t] * in[(starts[x] + t) * step][row], t below taps,
   * rounded to 0 … 255; in: as interleave_rows() wrote it */
  void (*resample_columns)(guint8 *out, gsize out_stride, const float *in, gsize step,
                           const guint *starts, const float *weights, guint taps, guint n_rows,
                           guint n);

  /* out[n] = sum over t of weights[t] * in[t][n], t below taps, rounded to 0 … 255 */
  void (*resample_rows)(float *out, const guint8 *in, gsize in_stride, const float *weights,
                        guint taps, guint n);

  /* out[c][n] = scale[c] * (offset[c] + sum over j of matrix[c][j] * in[j][n]) + shift[c], the
   * bracket kept within 0 … 255; c and j below 3 */
  void (*convert_colors)(float *const out[3], const float *const in[3], const float matrix[3][3],
                         const float offset[3], const float scale[3], const float shift[3],
                         guint n);
} Kernels;

/* Rows of an image that are resampled together. */
#define IMAGE_LINES 16

/* Returns: the table for this machine; the same one in every call */
const Kernels *vitgate__kernels(void);

/* Every table that this machine can run, best first, NULL terminated: for tests. */
const Kernels *const *vitgate__kernels_all(void);

/* Floats that a packed [k][n] matrix takes, whatever the table: a multiple of 16 columns. */
static inline gsize vitgate__packed_size(guint n, guint k)
{
  return (gsize)(n + 15) / 16 * 16 * k;
}
