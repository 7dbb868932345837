/* Products of 8-bit activations and 8-bit weights, with exact int32 sums.
 *
 * Activations x are quantised row by row at run time: x is close to scale * (q - zero), where q and
 * zero are from 0 to 255. Weights are symmetric, from -127 to 127, with one scale per column of the
 * product. All tables compute the same q and the same sums, bit for bit. Sizes are in elements.
 * Packed weights and quantised rows must be aligned to 4 bytes; other arrays need only the
 * alignment of their type. */
#pragma once

#include <glib.h>

/* Maximum k: a sum of this many products does not overflow, nor do the two 16-bit words that
 * x86/int8-gemm.c keeps of a sum of this many weights. */
#define INT8_MOST_K 32768

typedef struct {
  float scale;
  gint32 zero; /* the q that means 0 */
} Int8Row;

typedef enum {
  INT8_STORE,
  INT8_ADD,  /* adds the product to out: a residual connection */
  INT8_GELU, /* stores x Phi(x) of the product x, with an error of 1.2e-4: polynomials.h */
} Int8Mode;

typedef struct {
  const char *name;

  guint step;       /* quantised rows and packed columns are padded to a multiple of it along k */
  guint value_size; /* bytes of a quantised value: 1, or 2 if products are of 16-bit values */

  /* Quantises x[m][k] to q[m], rows of vitgate__int8_row_size() bytes.
   * q = round(x / scale) + zero, ties to even, clamped to 0 … 255; scale = (largest - smallest)
   * / 255, with 0 as one of the values. Beyond k, q = zero.
   * A row whose scale would be below FLT_MIN has the scale 0. A row with a value that is not finite
   * has the scale NaN and arbitrary q, so that its products are NaN. */
  void (*quantize)(gpointer q, Int8Row *rows, const float *x, gsize x_stride, guint m, guint k);

  /* Quantises softmax(factor * x), row by row. Terms with relative errors of 1.2e-4 give the same q
   * within 1 and the same sum of all q within 8. factor: above 0; zero = 0 in every row; beyond k,
   * q = 0. */
  void (*soften)(gpointer q, Int8Row *rows, const float *x, gsize x_stride, float factor, guint m,
                 guint k);

  /* Quantises w so that q[n][k] * scales[n] is close to w[n][k]. The largest magnitude of each row
   * becomes 127. A row whose scale would be below FLT_MIN becomes zeros with the scale 0; a row
   * with a value that is not finite becomes zeros with the scale NaN. */
  void (*quantize_rows)(gint8 *q, float *scales, const float *w, gsize w_stride, guint n, guint k);

  /* The same by columns: q[k][n] * scales[n] is close to w[k][n] */
  void (*quantize_columns)(gint8 *q, float *scales, const float *w, gsize w_stride, guint n,
                           guint k);

  /* Packs w[n][k], the layout of torch.nn.Linear, or for pack_transposed w[k][n], for gemm:
   * vitgate__int8_packed_size() bytes, which no other table can read. */
  void (*pack)(gpointer packed, const gint8 *w, gsize w_stride, guint n, guint k);
  void (*pack_transposed)(gpointer packed, const gint8 *w, gsize w_stride, guint n, guint k);

  /* Replace some columns or rows of a packed matrix, in any order. What was packed by pack() has
   * columns w[n_columns][k], what was packed by pack_transposed() has rows w[n_rows][n]. The result
   * is that of packing the whole changed matrix. */
  void (*replace_columns)(gpointer packed, const gint8 *w, const guint *columns, guint n_columns,
                          guint n, guint k);
  void (*replace_rows)(gpointer packed, const gint8 *w, const guint *rows, guint n_rows, guint n,
                       guint k);

  /* Multiplies the weights of a packed column by a factor from 0 to 1, rounded to nearest. Its sum
   * is wrong until replace_rows() has been called. */
  void (*scale_column)(gpointer packed, guint column, float factor, guint n, guint k);

  /* out[m][n] = sum over k of rows[m].scale * (q[m][k] - rows[m].zero) * scales[n] * w[n][k] +
   * bias[n], stored as mode says
   * q, rows: as quantize() wrote them; packed: as pack() wrote it; scales: [n]; bias: NULL or [n];
   * k: at most INT8_MOST_K */
  void (*gemm)(float *out, gsize out_stride, gconstpointer q, const Int8Row *rows,
               gconstpointer packed, const float *scales, const float *bias, Int8Mode mode, guint m,
               guint n, guint k);
} Int8Kernels;

/* Returns: the table for this machine; the same one in every call */
const Int8Kernels *vitgate__int8_kernels(void);

/* Returns: every table that this machine can run, best first, NULL terminated; for tests */
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

/* Bytes of packed w[n][k]: columns are padded to a multiple of 16 and have a sum each. */
static inline gsize vitgate__int8_packed_size(const Int8Kernels *kernels, guint n, guint k)
{
  return ((gsize)n + 15) / 16 * 16 * (sizeof(gint32) + vitgate__int8_padded(kernels, k));
}
