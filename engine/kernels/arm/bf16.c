/* bfloat16 products on AArch64 with the instructions of ARMv8.6 (FEAT_BF16).
 *
 * BFMMLA multiplies four values along k of two rows by those of two columns and adds the products
 * to four float32 sums. A tile of sums stays in registers while the loop runs along k, each sum in
 * its own variable.
 *
 * Packed B consists of panels of PANEL columns: [k / GROUP][PANEL][GROUP], padded with zeros. */
#include <string.h>

#include "kernels/arm/pairs.h"
#include "kernels/bf16.h"
#include "kernels/kernels-isa.h"

#define GROUP LANES

/* ---- Products ---- */

/* One tile of the output. */
typedef struct {
  float *out;
  gsize out_stride;
  const guint16 *a, *b;
  const float *bias;
  gboolean accumulate;
  gsize k;       /* rounded up to BF16_STEP */
  guint columns; /* at most PANEL */
} Tile;

static inline vec load_some(const float *p, guint n)
{
  vec v = zero();
  if (n >= LANES)
    return load(p);
  memcpy(&v, p, n * sizeof *p);
  return v;
}

/* Stores four sums of a row, from @column on. */
static inline void store_sums(const Tile *t, guint row, guint column, int32x4_t sums)
{
  if (column >= t->columns)
    return;
  const guint n = MIN(t->columns - column, LANES);
  float *o = t->out + row * t->out_stride + column;
  vec v = (vec)sums;
  if (t->bias)
    v += load_some(t->bias + column, n);
  if (t->accumulate)
    v += load_some(o, n);
  memcpy(o, &v, n * sizeof *o);
}

static inline bfloat16x8_t load_weights(const guint16 *b)
{
  return vreinterpretq_bf16_u16(vld1q_u16(b));
}

/* @rows: at most ROWS, a constant at every call */
static inline __attribute__((always_inline)) void multiply_tile(const Tile *t, const guint rows)
{
  const guint16 *a = t->a, *b = t->b, *const end = a + t->k;
#define DECLARE_SUMS(p, c) float32x4_t acc##p##_##c = vdupq_n_f32(0);
#define DECLARE(p)         EACH_COLUMN_PAIR(p, DECLARE_SUMS)
  FOR_PAIRS(DECLARE)
#define LOAD(p)                                                                                    \
  const bfloat16x8_t a##p = vreinterpretq_bf16_u8(                                                 \
      rows > 2 * p ? load_pair(a + 2 * p * t->k, a + SECOND_ROW(p, rows) * t->k) : vdupq_n_u8(0));
#define MULTIPLY_PAIR(p, c)                                                                        \
  if (rows > 2 * p)                                                                                \
    acc##p##_##c = vbfmmlaq_f32(acc##p##_##c, a##p, w##c);
  /* The asm keeps GCC from loading all weights at once, for which there are not enough registers.
   */
#define MULTIPLY(c)                                                                                \
  __asm__("" ::: "memory");                                                                        \
  const bfloat16x8_t w##c = load_weights(b + 2 * GROUP * c);                                       \
  MULTIPLY_PAIR(0, c) MULTIPLY_PAIR(1, c) MULTIPLY_PAIR(2, c)
  for (; a < end; a += GROUP, b += PANEL * GROUP) {
    FOR_PAIRS(LOAD)
    FOR_COLUMN_PAIRS(MULTIPLY)
  }
#define STORE_FOUR(p, row, left, right)                                                            \
  store_sums(t, row, 2 * left,                                                                     \
             join_sums(vreinterpretq_s32_f32(acc##p##_##left),                                     \
                       vreinterpretq_s32_f32(acc##p##_##right), row % 2));
#define STORE_ROW(p, row)                                                                          \
  if (rows > row) {                                                                                \
    STORE_FOUR(p, row, 0, 1)                                                                       \
    STORE_FOUR(p, row, 2, 3)                                                                       \
    STORE_FOUR(p, row, 4, 5)                                                                       \
    STORE_FOUR(p, row, 6, 7)                                                                       \
  }
#define STORE(p) STORE_ROW(p, 2 * p) STORE_ROW(p, (2 * p + 1))
  FOR_PAIRS(STORE)
#undef DECLARE_SUMS
#undef DECLARE
#undef LOAD
#undef MULTIPLY_PAIR
#undef MULTIPLY
#undef STORE_FOUR
#undef STORE_ROW
#undef STORE
}

/* Multiplies @m rows by a panel, in tiles whose heights differ by at most one row. */
static void multiply_panel(Tile t, guint m)
{
  for (guint tiles = (m + ROWS - 1) / ROWS; tiles; tiles--) {
    const guint rows = m / tiles;
    switch (rows) {
#define CASE(r)                                                                                    \
  case r:                                                                                          \
    multiply_tile(&t, r);                                                                          \
    break;
      CASE(1)
      CASE(2)
      CASE(3)
      CASE(4)
      CASE(5)
      CASE(6)
#undef CASE
    }
    m -= rows;
    t.out += rows * t.out_stride;
    t.a += rows * t.k;
  }
}

/* The outer loop is over panels: a panel stays in the first-level cache while the rows come from
 * the second. */
static void gemm(float *out, gsize out_stride, const guint16 *a, const guint16 *b,
                 const float *bias, gboolean accumulate, guint m, guint n, guint k)
{
  const gsize stride = vitgate__bf16_row_size(k);
  Tile t = { out, out_stride, a, b, bias, accumulate, stride, 0 };
  for (guint j = 0; j < n; j += PANEL, t.out += PANEL, t.b += PANEL * stride) {
    t.columns = MIN(n - j, PANEL);
    t.bias = bias ? bias + j : NULL;
    multiply_panel(t, m);
  }
}

/* ---- Rounding and packing ---- */

static inline void store_rounded(guint16 *out, vec v)
{
  const bfloat16x4_t rounded = vcvt_bf16_f32((float32x4_t)v);
  memcpy(out, &rounded, sizeof rounded);
}

/* Loads a block of at most four rows and columns, padded with zeros. @rows and @columns may be
 * larger, or 0. */
static inline void load_block(vec block[LANES], const float *a, gsize a_stride, guint rows,
                              guint columns)
{
  for (guint i = 0; i < LANES; i++)
    block[i] = i < rows && columns ? load_some(a + i * a_stride, columns) : zero();
}

static inline guint left(guint n, guint done)
{
  return n > done ? n - done : 0;
}

static void convert(guint16 *out, const float *a, gsize a_stride, guint m, guint k)
{
  for (guint i = 0; i < m; i++, a += a_stride)
    for (guint j = 0; j < vitgate__bf16_row_size(k); j += LANES, out += LANES)
      store_rounded(out, j < k ? load_some(a + j, k - j) : zero());
}

static void convert_transposed(guint16 *out, const float *a, gsize a_stride, guint m, guint k)
{
  const gsize stride = vitgate__bf16_row_size(m);
  vec block[LANES];
  for (guint i = 0; i < stride; i += LANES)
    for (guint j = 0; j < k; j += LANES) {
      load_block(block, a + MIN(i, m - 1) * a_stride + j, a_stride, left(m, i), k - j);
      transpose(block);
      for (guint column = 0; column < MIN(LANES, k - j); column++)
        store_rounded(out + (j + column) * stride + i, block[column]);
    }
}

/* Packs b[k][n], or if @turned b[n][k]. */
static inline __attribute__((always_inline)) void
pack_any(guint16 *packed, const float *b, gsize b_stride, guint n, guint k, const gboolean turned)
{
  vec block[LANES];
  for (guint panel = 0; panel < n; panel += PANEL)
    for (guint i = 0; i < vitgate__bf16_row_size(k); i += GROUP)
      for (guint j = panel; j < panel + PANEL; j += LANES, packed += LANES * GROUP) {
        const gsize y = MIN(i, k - 1), x = MIN(j, n - 1);
        if (turned) {
          load_block(block, b + x * b_stride + y, b_stride, left(n, j), left(k, i));
        } else {
          load_block(block, b + y * b_stride + x, b_stride, left(k, i), left(n, j));
          transpose(block);
        }
        for (guint column = 0; column < LANES; column++)
          store_rounded(packed + column * GROUP, block[column]);
      }
}

static void pack(guint16 *packed, const float *b, gsize b_stride, guint n, guint k)
{
  pack_any(packed, b, b_stride, n, k, FALSE);
}

static void pack_transposed(guint16 *packed, const float *b, gsize b_stride, guint n, guint k)
{
  pack_any(packed, b, b_stride, n, k, TRUE);
}

/* Returns: where packed b[k][n] has the value in row @i and column @j */
static inline gsize place_of(guint i, guint j, guint k)
{
  return j / PANEL * (PANEL * vitgate__bf16_row_size(k)) + i / GROUP * (PANEL * GROUP) +
         j % PANEL * GROUP + i % GROUP;
}

static inline guint16 round_one(float x)
{
  guint16 four[LANES];
  store_rounded(four, splat(x));
  return four[0];
}

static void replace_columns(guint16 *packed, const float *b, gsize b_stride, const guint *columns,
                            guint n_columns, guint n, guint k)
{
  for (guint c = 0; c < n_columns; c++, b += b_stride)
    for (guint i = 0; i < k; i++)
      packed[place_of(i, columns[c], k)] = round_one(b[i]);
}

static void replace_rows(guint16 *packed, const float *b, gsize b_stride, const guint *rows,
                         guint n_rows, guint n, guint k)
{
  for (guint r = 0; r < n_rows; r++, b += b_stride)
    for (guint j = 0; j < n; j++)
      packed[place_of(rows[r], j, k)] = round_one(b[j]);
}

const Bf16Kernels vitgate__bf16_neon = {
  .name = "neon-bf16",
  .convert = convert,
  .convert_transposed = convert_transposed,
  .pack = pack,
  .pack_transposed = pack_transposed,
  .replace_columns = replace_columns,
  .replace_rows = replace_rows,
  .gemm = gemm,
};
