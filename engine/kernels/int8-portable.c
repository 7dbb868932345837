/* int8 products in plain C.
 *
 * Packed weights are the sums of all rows, then the rows as they are. The compiler turns the loop
 * over k into multiply-adds of 16-bit words, which nearly every CPU has. */
#include <string.h>

#include "kernels/int8-isa.h"

#define ROWS    2
#define COLUMNS 4

static gint32 add_weights(const gint8 *w, guint k)
{
  gint32 sum = 0;
  for (guint i = 0; i < k; i++)
    sum += w[i];
  return sum;
}

static void pack(gpointer packed, const gint8 *w, gsize w_stride, guint n, guint k)
{
  gint32 *sums = packed;
  gint8 *weights = (gint8 *)(sums + n);
  for (guint j = 0; j < n; j++, w += w_stride, weights += k) {
    sums[j] = add_weights(w, k);
    memcpy(weights, w, k);
  }
}

static void pack_transposed(gpointer packed, const gint8 *w, gsize w_stride, guint n, guint k)
{
  gint32 *sums = packed;
  gint8 *weights = (gint8 *)(sums + n);
  memset(sums, 0, n * sizeof *sums);
  for (guint i = 0; i < k; i++, w += w_stride)
    for (guint j = 0; j < n; j++) {
      sums[j] += w[j];
      weights[(gsize)j * k + i] = w[j];
    }
}

static void replace_columns(gpointer packed, const gint8 *w, const guint *columns, guint n_columns,
                            guint n, guint k)
{
  gint32 *sums = packed;
  gint8 *weights = (gint8 *)(sums + n);
  for (guint i = 0; i < n_columns; i++, w += k) {
    memcpy(weights + (gsize)columns[i] * k, w, k);
    sums[columns[i]] = add_weights(w, k);
  }
}

static void replace_rows(gpointer packed, const gint8 *w, const guint *rows, guint n_rows, guint n,
                         guint k)
{
  gint32 *sums = packed;
  gint8 *weights = (gint8 *)(sums + n);
  for (guint j = 0; j < n; j++, weights += k) {
    for (guint i = 0; i < n_rows; i++)
      weights[rows[i]] = w[(gsize)i * n + j];
    sums[j] = add_weights(weights, k);
  }
}

static void scale_column(gpointer packed, guint j, float factor, guint n, guint k)
{
  guint8 *weights = (guint8 *)packed + n * sizeof(gint32) + (gsize)j * k;
  for (guint i = 0; i < k; i++)
    weights[i] = scale_weight(weights[i], factor);
}

/* sums[ROWS][COLUMNS] = q[ROWS][k] * w[COLUMNS][k] */
static void multiply(gint32 sums[ROWS][COLUMNS], const Quantity *const q[ROWS],
                     const gint8 *const w[COLUMNS], guint k)
{
  const Quantity *q0 = q[0], *q1 = q[1];
  const gint8 *w0 = w[0], *w1 = w[1], *w2 = w[2], *w3 = w[3];
  gint32 s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0;
  for (guint i = 0; i < k; i++) {
    s00 += q0[i] * w0[i];
    s01 += q0[i] * w1[i];
    s02 += q0[i] * w2[i];
    s03 += q0[i] * w3[i];
    s10 += q1[i] * w0[i];
    s11 += q1[i] * w1[i];
    s12 += q1[i] * w2[i];
    s13 += q1[i] * w3[i];
  }
  const gint32 block[ROWS][COLUMNS] = { { s00, s01, s02, s03 }, { s10, s11, s12, s13 } };
  memcpy(sums, block, sizeof block);
}

static void apply_gelu(float *x, guint n)
{
  guint i = 0;
  for (; i + LANES <= n; i += LANES)
    store(x + i, coarse_gelu(load(x + i)));
  if (i < n) {
    float rest[LANES] = { 0 };
    memcpy(rest, x + i, (n - i) * sizeof *x);
    store(rest, coarse_gelu(load(rest)));
    memcpy(x + i, rest, (n - i) * sizeof *x);
  }
}

/* Beyond the last row or column it computes the last one again and does not store it. */
static void gemm(float *out, gsize out_stride, gconstpointer q, const Int8Row *rows,
                 gconstpointer packed, const float *scales, const float *bias, Int8Mode mode,
                 guint m, guint n, guint k)
{
  const gsize padded = ((gsize)k + GROUP - 1) / GROUP * GROUP;
  const gint32 *column_sums = packed;
  const gint8 *weights = (const gint8 *)(column_sums + n);
  const Quantity *left = q;
  gint32 sums[ROWS][COLUMNS];
  for (guint i = 0; i < m; i += ROWS) {
    const Quantity *const a[ROWS] = { left + i * padded, left + MIN(i + 1, m - 1) * padded };
    for (guint j = 0; j < n; j += COLUMNS) {
      const gint8 *w[COLUMNS];
      for (guint c = 0; c < COLUMNS; c++)
        w[c] = weights + (gsize)MIN(j + c, n - 1) * k;
      multiply(sums, a, w, k);
      for (guint r = 0; r < MIN(ROWS, m - i); r++)
        for (guint c = 0; c < MIN(COLUMNS, n - j); c++) {
          const Int8Row *row = &rows[i + r];
          float *o = out + (i + r) * out_stride + j + c;
          const gint32 sum = sums[r][c] - row->zero * column_sums[j + c];
          const float value = (float)sum * (row->scale * scales[j + c]);
          *o = (mode == INT8_ADD ? *o : 0.0f) + (value + (bias ? bias[j + c] : 0.0f));
        }
    }
    if (mode == INT8_GELU)
      for (guint r = i; r < MIN(i + ROWS, m); r++)
        apply_gelu(out + r * out_stride, n);
  }
}

DEFINE_TABLE("portable");
