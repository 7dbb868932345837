/* Products of bfloat16 matrices with float32 sums, where the CPU has instructions for them. */
#pragma once

#include <glib.h>

/* Rows of @a and columns of @b are padded with zeros to whole multiples of this along k. */
#define BF16_STEP 32

/* Rows of @a that gemm may read at once. */
#define BF16_ROWS 32

typedef struct {
  const char *name;

  /* Rounds a[m][k] (nearest, ties to even) to out[m][k up to a multiple of BF16_STEP]. */
  void (*convert)(guint16 *out, const float *a, gsize a_stride, guint m, guint k);

  /* The same for the transpose: out[k][m up to a multiple of BF16_STEP] from a[m][k]. */
  void (*convert_transposed)(guint16 *out, const float *a, gsize a_stride, guint m, guint k);

  /* Arranges b[k][n] (or, transposed, b[n][k]) for gemm: vitgate__bf16_packed_size(n, k) values. */
  void (*pack)(guint16 *packed, const float *b, gsize b_stride, guint n, guint k);
  void (*pack_transposed)(guint16 *packed, const float *b, gsize b_stride, guint n, guint k);

  /* out[m][n] = (accumulate ? out : 0) + bias + a[m][k] b[k][n]
   * a: as convert() wrote it; whole blocks of 32 rows are read, whatever those behind m hold */
  void (*gemm)(float *out, gsize out_stride, const guint16 *a, const guint16 *b, const float *bias,
               gboolean accumulate, guint m, guint n, guint k);
} Bf16Kernels;

/* Returns: (nullable): the kernels for this machine; NULL where it has none */
const Bf16Kernels *vitgate__bf16_kernels(void);

/* Returns: whether they take less time than those of float32 */
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
