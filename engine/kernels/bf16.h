/* Products of bfloat16 matrices with float32 sums, on CPUs that have instructions for them. */
#pragma once

#include <glib.h>

/* Rows of a and columns of b are padded with zeros to a multiple of this along k. */
#define BF16_STEP 32

/* Rows of a that gemm may read at once. */
#define BF16_ROWS 32

typedef struct {
  const char *name;

  /* Rounds a[m][k] (to nearest, ties to even) to out[m][k rounded up to BF16_STEP]. */
  void (*convert)(guint16 *out, const float *a, gsize a_stride, guint m, guint k);

  /* Rounds the transpose: out[k][m rounded up to BF16_STEP] from a[m][k]. */
  void (*convert_transposed)(guint16 *out, const float *a, gsize a_stride, guint m, guint k);

  /* Packs b[k][n] or, for pack_transposed, b[n][k] for gemm: vitgate__bf16_packed_size(n, k)
   * values. */
  void (*pack)(guint16 *packed, const float *b, gsize b_stride, guint n, guint k);
  void (*pack_transposed)(guint16 *packed, const float *b, gsize b_stride, guint n, guint k);

  /* Replace some columns or rows of a packed b[k][n]: by b[n_columns][k], or by b[n_rows][n]. */
  void (*replace_columns)(guint16 *packed, const float *b, gsize b_stride, const guint *columns,
                          guint n_columns, guint n, guint k);
  void (*replace_rows)(guint16 *packed, const float *b, gsize b_stride, const guint *rows,
                       guint n_rows, guint n, guint k);

  /* out[m][n] = (accumulate ? out : 0) + bias + a[m][k] b[k][n]
   * a: as convert() wrote it. Whole blocks of 32 rows are read; the rest may hold anything. */
  void (*gemm)(float *out, gsize out_stride, const guint16 *a, const guint16 *b, const float *bias,
               gboolean accumulate, guint m, guint n, guint k);
} Bf16Kernels;

/* Returns: (nullable): the kernels for this machine, or NULL if it has none */
const Bf16Kernels *vitgate__bf16_kernels(void);

/* Returns: whether they are faster than the float32 kernels */
gboolean vitgate__bf16_is_fast(void);

static inline gsize vitgate__bf16_row_size(guint k)
{
  return (gsize)(k + BF16_STEP - 1) / BF16_STEP * BF16_STEP;
}

/* Columns are padded to multiples of 32. */
static inline gsize vitgate__bf16_packed_size(guint n, guint k)
{
  return (gsize)(n + 31) / 32 * 32 * vitgate__bf16_row_size(k);
}
