/* bfloat16 products on the AMX tile unit (Sapphire Rapids and later).
 *
 * A tile is 16 rows of 64 bytes. TDPBF16PS multiplies a tile of A (16 rows of 32 values along k)
 * with one of B (16 pairs along k, of 16 columns) into 16 x 16 float32 sums. Four sums at a time
 * share two tiles of A and two of B.
 *
 * Packed B: panels of 32 columns; in each, for every 32 values along k, two tiles of 16 columns. */
#include <immintrin.h>
#include <string.h>

#include "bf16.h"

#define SIDE 32 /* of the block of output that four tiles hold */
#define TILE 16

typedef struct {
  guint8 palette, start_row, reserved[14];
  guint16 row_bytes[16];
  guint8 rows[16];
} TileConfig;

static void configure_tiles(void)
{
  TileConfig config = { .palette = 1 };
  for (guint i = 0; i < 8; i++) {
    config.row_bytes[i] = 64;
    config.rows[i] = TILE;
  }
  _tile_loadconfig(&config);
}

static inline __m512i to_bf16(const float *low, const float *high, __mmask16 low_mask,
                              __mmask16 high_mask)
{
  return (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(high_mask, high),
                                      _mm512_maskz_loadu_ps(low_mask, low));
}

/* Ones for those of 16 lanes from @i on that lie below @n. */
static inline __mmask16 lanes_below(guint i, guint n)
{
  return i >= n ? 0 : n - i >= 16 ? 0xffff : (__mmask16)((1u << (n - i)) - 1);
}

static void convert(guint16 *out, const float *a, gsize a_stride, guint m, guint k)
{
  for (guint i = 0; i < m; i++, a += a_stride)
    for (guint j = 0; j < k; j += BF16_STEP, out += BF16_STEP)
      _mm512_storeu_si512(
          out, to_bf16(a + j, a + MIN(j + 16, k - 1), lanes_below(j, k), lanes_below(j + 16, k)));
}

/* Rows x and y of 16 columns as pairs (x0 y0 x1 y1 ...) in bfloat16. */
static inline __m512i interleave_rows(const float *x, const float *y, __mmask16 columns,
                                      gboolean has_y)
{
  const __m512i zip = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
                                       23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(zip, to_bf16(x, y, columns, has_y ? columns : 0));
}

static void pack(guint16 *packed, const float *b, gsize b_stride, guint n, guint k)
{
  for (guint panel = 0; panel < n; panel += SIDE)
    for (guint i = 0; i < k; i += BF16_STEP)
      for (guint half = panel; half < panel + SIDE; half += TILE)
        for (guint row = i; row < i + BF16_STEP; row += 2, packed += 32) {
          const __mmask16 columns = lanes_below(half, n);
          const float *x = b + MIN(row, k - 1) * b_stride + MIN(half, n - 1);
          const gboolean has_y = row + 1 < k;
          _mm512_storeu_si512(
              packed, interleave_rows(x, has_y ? x + b_stride : x, row < k ? columns : 0, has_y));
        }
}

/* 16 x 16 words of 32 bits. */
static inline __attribute__((always_inline)) void transpose_words(__m512i v[16])
{
  __m512i t[16];
#pragma GCC unroll 16
  for (guint i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
  }
#pragma GCC unroll 16
  for (guint i = 0; i < 16; i += 4)
    for (guint j = 0; j < 2; j++) {
      v[i + 2 * j] = _mm512_unpacklo_epi64(t[i + j], t[i + j + 2]);
      v[i + 2 * j + 1] = _mm512_unpackhi_epi64(t[i + j], t[i + j + 2]);
    }
#pragma GCC unroll 16
  for (guint i = 0; i < 16; i += 8)
    for (guint j = 0; j < 4; j++) {
      t[i + j] = _mm512_shuffle_i32x4(v[i + j], v[i + j + 4], 0x88);
      t[i + j + 4] = _mm512_shuffle_i32x4(v[i + j], v[i + j + 4], 0xdd);
    }
#pragma GCC unroll 16
  for (guint j = 0; j < 8; j++) {
    v[j] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0x88);
    v[j + 8] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0xdd);
  }
}

/* Sixteen rows' pairs along k, side by side: a tile of B from rows of its transpose. */
static void pack_transposed(guint16 *packed, const float *b, gsize b_stride, guint n, guint k)
{
  for (guint panel = 0; panel < n; panel += SIDE)
    for (guint i = 0; i < k; i += BF16_STEP)
      for (guint half = panel; half < panel + SIDE; half += TILE, packed += TILE * 32) {
        __m512i v[16];
        for (guint j = 0; j < TILE; j++) {
          const float *row = b + MIN(half + j, n - 1) * b_stride;
          const gboolean inside = half + j < n;
          v[j] = to_bf16(row + i, row + MIN(i + 16, k - 1), inside ? lanes_below(i, k) : 0,
                         inside ? lanes_below(i + 16, k) : 0);
        }
        transpose_words(v);
        for (guint j = 0; j < TILE; j++)
          _mm512_storeu_si512(packed + j * 32, v[j]);
      }
}

/* out[k][m]: 32 rows of a become 32 columns; words hold the pairs of rows 2i and 2i + 1. */
static void convert_transposed(guint16 *out, const float *a, gsize a_stride, guint m, guint k)
{
  const gsize stride = vitgate__bf16_row_size(m);
  for (guint i = 0; i < m; i += BF16_STEP)
    for (guint j = 0; j < k; j += TILE) {
      const __mmask16 columns = lanes_below(j, k);
      __m512i v[16];
      for (guint pair = 0; pair < 16; pair++) {
        const guint row = i + 2 * pair;
        const float *x = a + MIN(row, m - 1) * a_stride + j;
        const gboolean has_y = row + 1 < m;
        v[pair] = interleave_rows(x, has_y ? x + a_stride : x, row < m ? columns : 0, has_y);
      }
      transpose_words(v);
      for (guint column = 0; column < MIN(TILE, k - j); column++)
        _mm512_storeu_si512(out + (j + column) * stride + i, v[column]);
    }
}

/* Adds up to 32 x 32 sums in @block to the output. */
static void add_block(float *out, gsize out_stride, const float *block, const float *bias,
                      gboolean accumulate, guint rows, guint columns)
{
  for (guint i = 0; i < rows; i++)
    for (guint j = 0; j < columns; j += 16) {
      const __mmask16 mask = lanes_below(j, columns);
      float *o = out + i * out_stride + j;
      __m512 v = _mm512_load_ps(block + i * SIDE + j);
      if (accumulate)
        v += _mm512_maskz_loadu_ps(mask, o);
      if (bias)
        v += _mm512_maskz_loadu_ps(mask, bias + j);
      _mm512_mask_storeu_ps(o, mask, v);
    }
}

/* Tiles 0 to 3 as one block of 32 x 32 values, rows @stride bytes apart; 0: every row the same. */
static inline void load_block(const float *block, gsize stride)
{
  _tile_loadd(0, block, stride);
  _tile_loadd(1, block + TILE, stride);
  _tile_loadd(2, (const char *)block + TILE * stride, stride);
  _tile_loadd(3, (const char *)(block + TILE) + TILE * stride, stride);
}

static inline void store_block(float *block, gsize stride)
{
  _tile_stored(0, block, stride);
  _tile_stored(1, block + TILE, stride);
  _tile_stored(2, (char *)block + TILE * stride, stride);
  _tile_stored(3, (char *)(block + TILE) + TILE * stride, stride);
}

/* Adds products to the block in tiles 0 to 3; only to its first 16 rows where @low is FALSE. */
static inline void multiply(const guint16 *a, gsize a_stride, const guint16 *b, guint k,
                            gboolean low)
{
  const gsize a_bytes = a_stride * sizeof *a;
  for (guint i = 0; i < k; i += BF16_STEP, a += BF16_STEP, b += 2 * TILE * 32) {
    _tile_loadd(4, a, a_bytes);
    _tile_loadd(6, b, 64);
    _tile_loadd(7, b + TILE * 32, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    if (low) {
      _tile_loadd(5, a + TILE * a_stride, a_bytes);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
}

/* Rows outside: a block of A stays in the first cache while B passes by from the second, and the
 * output is written in order. */
static void gemm(float *out, gsize out_stride, const guint16 *a, const guint16 *b,
                 const float *bias, gboolean accumulate, guint m, guint n, guint k)
{
  const gsize a_stride = vitgate__bf16_row_size(k), stride = out_stride * sizeof *out;
  float block[SIDE * SIDE] __attribute__((aligned(64)));
  configure_tiles();
  for (guint i = 0; i < m; i += SIDE, a += SIDE * a_stride)
    for (guint j = 0; j < n; j += SIDE) {
      const guint rows = MIN(m - i, SIDE), columns = MIN(n - j, SIDE);
      const gboolean whole = rows == SIDE && columns == SIDE && !(bias && accumulate);
      float *o = out + i * out_stride + j;
      if (whole && accumulate) {
        load_block(o, stride);
      } else if (whole && bias) {
        load_block(bias + j, 0);
      } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
      }
      multiply(a, a_stride, b + j * a_stride, k, rows > TILE);
      if (whole) {
        store_block(o, stride);
      } else {
        store_block(block, SIDE * sizeof *block);
        add_block(o, out_stride, block, bias ? bias + j : NULL, accumulate, rows, columns);
      }
    }
  _tile_release();
}

const Bf16Kernels vitgate__bf16_amx = {
  .name = "amx",
  .convert = convert,
  .convert_transposed = convert_transposed,
  .pack = pack,
  .pack_transposed = pack_transposed,
  .gemm = gemm,
};
