/* bfloat16 products with AVX-512 BF16 (Cooper Lake, Zen 4 and later).
 *
 * VDPBF16PS adds the products of sixteen pairs along k to sixteen float32 sums. A pair along k of
 * the 32 columns of a panel is multiplied by up to twelve rows of A. So each load of B serves as
 * many sums as the registers hold, and these sums hide the latency of the instruction. */
#include <string.h>

#include "kernels/x86/bf16-layout.h"

#define ROWS        12
#define FOR_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)

static inline __m512 multiply_pairs(__m512 sum, const guint16 *pair, __m512i b)
{
  gint32 both;
  memcpy(&both, pair, sizeof both);
  return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_set1_epi32(both), (__m512bh)b);
}

/* Multiplies some rows of A by a panel of B into as many rows and at most 32 columns of @out.
 * @rows: at most ROWS, a constant at every call */
static inline __attribute__((always_inline)) void
multiply_tile(float *out, gsize out_stride, const guint16 *a, gsize k, const guint16 *b,
              const float *bias, gboolean accumulate, const guint rows, guint columns)
{
  const __mmask16 masks[2] = { lanes_below(0, columns), lanes_below(TILE, columns) };
  __m512 sums[ROWS][2];
#pragma GCC unroll 12
  for (guint i = 0; i < rows; i++)
    for (guint half = 0; half < 2; half++)
      sums[i][half] =
          bias ? _mm512_maskz_loadu_ps(masks[half], bias + half * TILE) : _mm512_setzero_ps();
  for (gsize step = 0; step < k; step += BF16_STEP, b += 2 * TILE * BF16_STEP)
    for (guint pair = 0; pair < BF16_STEP / 2; pair++) {
      const __m512i left = _mm512_loadu_si512(b + pair * 32);
      const __m512i right = _mm512_loadu_si512(b + (TILE + pair) * 32);
#pragma GCC unroll 12
      for (guint i = 0; i < rows; i++) {
        const guint16 *pairs = a + i * k + step + 2 * pair;
        sums[i][0] = multiply_pairs(sums[i][0], pairs, left);
        sums[i][1] = multiply_pairs(sums[i][1], pairs, right);
      }
    }
#pragma GCC unroll 12
  for (guint i = 0; i < rows; i++)
    for (guint half = 0; half < 2; half++) {
      float *o = out + i * out_stride + half * TILE;
      if (accumulate)
        sums[i][half] += _mm512_maskz_loadu_ps(masks[half], o);
      _mm512_mask_storeu_ps(o, masks[half], sums[i][half]);
    }
}

/* Multiplies @m rows by a panel, in tiles whose heights differ by at most one row. */
static void multiply_panel(float *out, gsize out_stride, const guint16 *a, gsize k,
                           const guint16 *b, const float *bias, gboolean accumulate, guint m,
                           guint columns)
{
  for (guint tiles = (m + ROWS - 1) / ROWS; tiles; tiles--) {
    const guint rows = m / tiles;
    switch (rows) {
#define CASE(r)                                                                                    \
  case r:                                                                                          \
    multiply_tile(out, out_stride, a, k, b, bias, accumulate, r, columns);                         \
    break;
      FOR_ROWS(CASE)
#undef CASE
    }
    m -= rows;
    out += rows * out_stride;
    a += rows * k;
  }
}

/* The outer loop is over rows: a block of A and a panel of B share the first-level cache, and B
 * comes from the second. */
static void gemm(float *out, gsize out_stride, const guint16 *a, const guint16 *b,
                 const float *bias, gboolean accumulate, guint m, guint n, guint k)
{
  const gsize a_stride = vitgate__bf16_row_size(k);
  for (guint blocks = (m + SIDE - 1) / SIDE; blocks; blocks--) {
    const guint rows = m / blocks;
    for (guint j = 0; j < n; j += SIDE)
      multiply_panel(out + j, out_stride, a, a_stride, b + j * a_stride, bias ? bias + j : NULL,
                     accumulate, rows, MIN(n - j, SIDE));
    m -= rows;
    out += rows * out_stride;
    a += rows * a_stride;
  }
}

const Bf16Kernels vitgate__bf16_avx512 = {
  .name = "avx512",
  .convert = vitgate__bf16_convert,
  .convert_transposed = vitgate__bf16_convert_transposed,
  .pack = vitgate__bf16_pack,
  .pack_transposed = vitgate__bf16_pack_transposed,
  .replace_columns = vitgate__bf16_replace_columns,
  .replace_rows = vitgate__bf16_replace_rows,
  .gemm = gemm,
};
