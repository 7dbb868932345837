/* bfloat16 products on the AMX tile unit (Sapphire Rapids and later).
 *
 * TDPBF16PS multiplies a tile of A (16 rows of 32 values along k) by a tile of B (16 pairs along k
 * of 16 columns) and adds the products to 16 x 16 float32 sums. Four tiles of sums, a block of SIDE
 * x SIDE, share two tiles of A and two of B. */
#include "kernels/x86/bf16-layout.h"

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

/* Writes at most 32 x 32 sums from @block, plus the bias, to the output, or adds them to it. */
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

/* Loads tiles 0 to 3 from a block of 32 x 32 values whose rows are @stride bytes apart; 0: all rows
 * are the same. */
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

/* Adds products to the block in tiles 0 to 3.
 * @low: FALSE: only to its first 16 rows */
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

/* The outer loop is over rows: a block of A stays in the first-level cache while B comes from the
 * second, and the output is written in order. */
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
  .convert = vitgate__bf16_convert,
  .convert_transposed = vitgate__bf16_convert_transposed,
  .pack = vitgate__bf16_pack,
  .pack_transposed = vitgate__bf16_pack_transposed,
  .replace_columns = vitgate__bf16_replace_columns,
  .replace_rows = vitgate__bf16_replace_rows,
  .gemm = gemm,
};
