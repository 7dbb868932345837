/* Products of activations in 8 bits and weights in 8 bits, with exact int32 sums.
 *
 * Activations x are quantised row by row at run time: x = scale * (q - zero), nearly, where q and
 * zero lie within 0 ... 255. Weights are symmetric, from -127 to 127, with one scale per column of
 * the product. All tables make the same q and the same sums, bit by bit. Sizes are in elements;
 * arrays need no alignment beyond their type's, packed weights and quantised rows one of 4 bytes.
 */
#pragma once

#include <glib.h>

/* No sum of so many products overflows, nor half of the bits of one of so many weights. */
#define INT8_MOST_K 32768

typedef struct {
  float scale;
  gint32 zero; /* stands for 0 */
} Int8Row;

typedef enum {
  INT8_STORE,
  INT8_ADD,  /* to what is there: a residual connection */
  INT8_GELU, /* x Phi(x), with an error of 1.2e-4: polynomials.h */
} Int8Mode;

typedef struct {
  const char *name;

  guint step;       /* quantised rows and packed columns are padded to multiples of it along k */
  guint value_size; /* bytes of a quantised value: 1, or 2 where sums are made of 16 bits */

  /* Quantises x[m][k] to q[m] rows of vitgate__int8_row_size() bytes.
   * q = round(x / scale) + zero, ties to even, kept within 0 ... 255; scale = (largest - smallest)
   * / 255, 0 counting as one of the values. What lies beyond k is q = zero.
   * A row whose scale would be below FLT_MIN has the scale 0. One that holds what is not finite
   * has the scale NaN and any q, and so makes a row of NaN. */
  void (*quantize)(gpointer q, Int8Row *rows, const float *x, gsize x_stride, guint m, guint k);

  /* The same of softmax(factor * x) by rows: q is within 1, and the sum of all q within 8, of what
   * terms with relative errors of 1.2e-4 give. factor: above 0; zero = 0 in every row, and what
   * lies beyond k is 0. */
  void (*soften)(gpointer q, Int8Row *rows, const float *x, gsize x_stride, float factor, guint m,
                 guint k);

  /* q[n][k] * scales[n] = w[n][k], nearly: each row's largest magnitude becomes 127. A row whose
   * scale would be below FLT_MIN has the scale 0 and zeros; one that holds what is not finite, the
   * scale NaN and zeros. */
  void (*quantize_rows)(gint8 *q, float *scales, const float *w, gsize w_stride, guint n, guint k);

  /* The same by columns: q[k][n] * scales[n] = w[k][n] */
  void (*quantize_columns)(gint8 *q, float *scales, const float *w, gsize w_stride, guint n,
                           guint k);

  /* Arranges w[n][k], the layout of torch.nn.Linear, for gemm: vitgate__int8_packed_size() bytes,
   * which no other table can read. Or, transposed, w[k][n]. */
  void (*pack)(gpointer packed, const gint8 *w, gsize w_stride, guint n, guint k);
  void (*pack_transposed)(gpointer packed, const gint8 *w, gsize w_stride, guint n, guint k);

  /* out[m][n] = sum over k of rows[m].scale * (q[m][k] - rows[m].zero) * scales[n] * w[n][k] +
   * bias[n], stored, added or made GELU of
   * q, rows: as quantize() wrote them; packed: as pack() did; scales: [n]; bias: NULL or [n];
   * k: up to INT8_MOST_K */
  void (*gemm)(float *out, gsize out_stride, gconstpointer q, const Int8Row *rows,
               gconstpointer packed, const float *scales, const float *bias, Int8Mode mode, guint m,
               guint n, guint k);
} Int8Kernels;

/* Returns: the table for this machine; the same one in every call */
const Int8Kernels *vitgate__int8_kernels(void);

/* Every table that this machine can run, best first, NULL terminated: for tests. */
const Int8Kernels *const *vitgate__int8_kernels_all(void);

static inline gsize vitgate__int8_padded(const Int8Kernels *kernels, guint k)
{
  return ((gsize)k + kernels->step - 1) / kernels->step * kernels->step;
}

/* Bytes of one quantised row. */
static inline gsize vitgate__int8_row_size(const Int8Kernels *kernels, guint k)
{
  return vitgate__int8_padded(kernels, k) * kernels->value_size;
}

/* Bytes of w[n][k] packed, columns padded to a multiple of 16, with a sum for each. */
static inline gsize vitgate__int8_packed_size(const Int8Kernels *kernels, guint n, guint k)
{
  return ((gsize)n + 15) / 16 * 16 * (sizeof(gint32) + vitgate__int8_padded(kernels, k));
}
