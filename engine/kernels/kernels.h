/* The arithmetic, as one table of functions for each instruction set. kernels-float32.c and
 * kernels-image.c are compiled once for each set; kernels.c chooses the best set that the CPU and
 * the system support. Sizes are in elements. Arrays need only the alignment of their type. */
#pragma once

#include <glib.h>

typedef struct {
  const char *name;

  guint lanes; /* floats in a vector; packed matrices are padded to multiples of it */

  /* out[m][n] = (accumulate ? out : 0) + bias + a[m][k] * b[k][n]
   * b: packed by pack or pack_transposed; bias: NULL or [n] */
  void (*gemm)(float *out, gsize out_stride, const float *a, gsize a_stride, const float *b,
               const float *bias, gboolean accumulate, guint m, guint n, guint k);

  /* Pack b[k][n], or b[n][k], into panels [k][columns], with zeros beyond n. A panel has as many
   * columns as two vectors, the last one as many as one vector if that is enough. The result has
   * vitgate__packed_size(n, k) floats. */
  void (*pack)(float *packed, const float *b, gsize b_stride, guint n, guint k);
  void (*pack_transposed)(float *packed, const float *b, gsize b_stride, guint n, guint k);

  /* Replace some columns or rows of a packed b[k][n]: by b[n_columns][k], or by b[n_rows][n]. */
  void (*replace_columns)(float *packed, const float *b, gsize b_stride, const guint *columns,
                          guint n_columns, guint n, guint k);
  void (*replace_rows)(float *packed, const float *b, gsize b_stride, const guint *rows,
                       guint n_rows, guint n, guint k);

  /* out[m][n] = (x - mean(x)) / sqrt(var(x) + eps) * scale + shift, row by row of x[m][n] */
  void (*layer_norm)(float *out, const float *x, const float *scale, const float *shift, float eps,
                     guint m, guint n);

  /* x[n] = x * Phi(x), with Phi the normal distribution; the error of Phi is at most 2.5e-7 */
  void (*gelu)(float *x, gsize n);

  /* x[n] = exp(factor * x) / sum; the relative error of exp is below 2e-7 */
  void (*softmax)(float *x, float factor, guint n);

  /* x[m][n_features] = factor * exp(x - |v|^2 / 2) for v[m][n]; the argument of exp is clamped to
   * -87 … 87, its relative error is below 2e-7 */
  void (*positive_features)(float *x, const float *v, gsize v_stride, float factor, guint m,
                            guint n_features, guint n);

  /* Returns: the index of the largest of x[n], the first of equals; any index if one is NaN. n is
   * from 1 to 2^24 */
  guint (*find_largest)(const float *x, guint n);

  /* out[n] = the sum of x[parts][n] over parts, divided by its length; zeros if the length is below
   * 1e-6 */
  void (*unit_sum)(float *out, const float *x, guint parts, guint n);

  /* out[n] = the sum over rows of weights[row] * x[row][n]; weights: [m], or NULL: all 1 */
  void (*add_rows)(float *out, const float *x, gsize x_stride, const float *weights, guint m,
                   guint n);

  /* out[m] = bias[m] + the sum of a[m][n] * x[n] over n */
  void (*multiply_vector)(float *out, const float *a, const float *x, const float *bias, guint m,
                          guint n);

  /* out[n][IMAGE_LINES] = in[row][n] as floats; rows from n_rows on are zero */
  void (*interleave_rows)(float *out, const guint8 *in, gsize in_stride, guint n_rows, guint n);

  /* out[n][IMAGE_LINES] = scale * in[row][n]; samples of two bytes, low byte first; in_stride in
   * bytes */
  void (*interleave_rows16)(float *out, const guint8 *in, gsize in_stride, float scale,
                            guint n_rows, guint n);

  /* out[row][n] = sum over t of weights[x][t] * in[(starts[x] + t) * step][row], t below taps,
   * rounded to 0 … 255; in: from interleave_rows() */
  void (*resample_columns)(guint8 *out, gsize out_stride, const float *in, gsize step,
                           const guint *starts, const float *weights, guint taps, guint n_rows,
                           guint n);

  /* out[n] = sum over t of weights[t] * in[t][n], t below taps, rounded to 0 … 255 */
  void (*resample_rows)(float *out, const guint8 *in, gsize in_stride, const float *weights,
                        guint taps, guint n);

  /* out[c][n] = scale[c] * (offset[c] + sum over j of matrix[c][j] * in[j][n]) + shift[c], with
   * the parenthesis clamped to 0 … 255; c and j below 3 */
  void (*convert_colors)(float *const out[3], const float *const in[3], const float matrix[3][3],
                         const float offset[3], const float scale[3], const float shift[3],
                         guint n);
} Kernels;

/* Number of image rows that are resampled together. */
#define IMAGE_LINES 16

/* Returns: the table for this machine, always the same */
const Kernels *vitgate__kernels(void);

/* Returns: all tables that this machine can run, best first, NULL terminated: for tests */
const Kernels *const *vitgate__kernels_all(void);

/* Returns: the number of floats of a packed [k][n] matrix, in any table: n is rounded up to 16 */
static inline gsize vitgate__packed_size(guint n, guint k)
{
  return (gsize)(n + 15) / 16 * 16 * k;
}
