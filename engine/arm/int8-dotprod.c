/* int8 products on AArch64 by the dot products of bytes of ARMv8.2.
 *
 * SDOT adds up four products of signed bytes in each 32 bit lane, so rows become q - 128 as they
 * are loaded, and zero points with them. Four groups of a row are loaded at once and meet two
 * vectors of columns each. A tile of sums stays in registers while it walks k, each in a variable
 * of its own.
 *
 * Packed weights: panels of PANEL columns; in each, the sum of every column's weights, then
 * [k / GROUP][PANEL][GROUP] bytes, with zeros behind the last column and value. */
#include <arm_neon.h>

#include "int8-isa.h"

#define PANEL       (2 * LANES)
#define ROWS        8
#define FOR_ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)

/* Rows hold q; products take q - MIDDLE. */
#define MIDDLE 128

/* Some rows of the product by one panel's columns. */
typedef struct {
  float *out;
  gsize out_stride;
  const guint8 *q;
  gsize groups; /* in a row of q, and in a column of the panel */
  const Int8Row *rows;
  const gint8 *panel;
  const float *scales, *bias; /* bias: NULL or [PANEL] */
  Int8Mode mode;
} Block;

static inline int8x16_t load_groups(const guint8 *q)
{
  return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(q), vdupq_n_u8(MIDDLE)));
}

static inline int8x16_t repeat_group(const guint8 *q)
{
  gint32 group;
  memcpy(&group, q, sizeof group);
  return vreinterpretq_s8_u8(
      veorq_u8(vreinterpretq_u8_s32(vdupq_n_s32(group)), vdupq_n_u8(MIDDLE)));
}

static inline void store_sums(const Block *t, guint row, int32x4_t sums0, int32x4_t sums1)
{
  float *o = t->out + row * t->out_stride;
  const float scale = t->rows[row].scale;
  vec v0 = (vec)vcvtq_f32_s32(sums0) * (scale * load(t->scales));
  vec v1 = (vec)vcvtq_f32_s32(sums1) * (scale * load(t->scales + LANES));
  if (t->bias) {
    v0 += load(t->bias);
    v1 += load(t->bias + LANES);
  }
  if (t->mode == INT8_GELU) {
    v0 = coarse_gelu(v0);
    v1 = coarse_gelu(v1);
  } else if (t->mode == INT8_ADD) {
    v0 += load(o);
    v1 += load(o + LANES);
  }
  store(o, v0);
  store(o + LANES, v1);
}

/* @rows: up to ROWS, a constant at every call, so that every condition on it folds away. */
static inline __attribute__((always_inline)) void multiply_tile(const Block *t, const guint rows)
{
  const gsize stride = t->groups * GROUP;
  const guint8 *q = t->q, *const whole = q + t->groups / 4 * 16, *const end = q + stride;
  const gint8 *b = t->panel + PANEL * sizeof(gint32);
  int32x4_t sums0, sums1;
  memcpy(&sums0, t->panel, sizeof sums0);
  memcpy(&sums1, t->panel + sizeof sums0, sizeof sums1);
#define DECLARE(r)                                                                                 \
  const gint32 zero##r = rows > r ? MIDDLE - t->rows[r].zero : 0;                                  \
  int32x4_t acc##r##_0 = vmulq_n_s32(sums0, zero##r), acc##r##_1 = vmulq_n_s32(sums1, zero##r);
  FOR_ROWS(DECLARE)
#define MULTIPLY_LANE(r, lane)                                                                     \
  acc##r##_0 = vdotq_laneq_s32(acc##r##_0, b##lane##_0, a, lane);                                  \
  acc##r##_1 = vdotq_laneq_s32(acc##r##_1, b##lane##_1, a, lane);
#define MULTIPLY_GROUPS(r)                                                                         \
  if (rows > r) {                                                                                  \
    const int8x16_t a = load_groups(q + r * stride);                                               \
    MULTIPLY_LANE(r, 0)                                                                            \
    MULTIPLY_LANE(r, 1)                                                                            \
    MULTIPLY_LANE(r, 2)                                                                            \
    MULTIPLY_LANE(r, 3)                                                                            \
  }
  for (; q < whole; q += 16, b += 4 * PANEL * GROUP) {
    const int8x16_t b0_0 = vld1q_s8(b), b0_1 = vld1q_s8(b + 16), b1_0 = vld1q_s8(b + 32),
                    b1_1 = vld1q_s8(b + 48), b2_0 = vld1q_s8(b + 64), b2_1 = vld1q_s8(b + 80),
                    b3_0 = vld1q_s8(b + 96), b3_1 = vld1q_s8(b + 112);
    FOR_ROWS(MULTIPLY_GROUPS)
  }
#define MULTIPLY_GROUP(r)                                                                          \
  if (rows > r) {                                                                                  \
    const int8x16_t a = repeat_group(q + r * stride);                                              \
    acc##r##_0 = vdotq_s32(acc##r##_0, b0, a);                                                     \
    acc##r##_1 = vdotq_s32(acc##r##_1, b1, a);                                                     \
  }
  for (; q < end; q += GROUP, b += PANEL * GROUP) {
    const int8x16_t b0 = vld1q_s8(b), b1 = vld1q_s8(b + 16);
    FOR_ROWS(MULTIPLY_GROUP)
  }
#define STORE(r)                                                                                   \
  if (rows > r)                                                                                    \
    store_sums(t, r, acc##r##_0, acc##r##_1);
  FOR_ROWS(STORE)
#undef DECLARE
#undef MULTIPLY_LANE
#undef MULTIPLY_GROUPS
#undef MULTIPLY_GROUP
#undef STORE
}

/* Tiles of rows differ by one at most. */
static void multiply_panel(Block t, guint m)
{
  for (guint tiles = (m + ROWS - 1) / ROWS; tiles; tiles--) {
    const guint rows = m / tiles;
    switch (rows) {
#define CASE(r)                                                                                    \
  case r + 1:                                                                                      \
    multiply_tile(&t, r + 1);                                                                      \
    break;
      FOR_ROWS(CASE)
#undef CASE
    }
    m -= rows;
    t.out += rows * t.out_stride;
    t.q += rows * t.groups * GROUP;
    t.rows += rows;
  }
}

/* A panel with fewer columns than it has room for, by way of a full one on the stack. */
static void multiply_edge(Block t, guint m, guint n)
{
  float tile[ROWS * PANEL], scales[PANEL] = { 0 }, bias[PANEL] = { 0 };
  const gboolean add = t.mode == INT8_ADD;
  float *out = t.out;
  memcpy(scales, t.scales, n * sizeof *scales);
  if (t.bias)
    memcpy(bias, t.bias, n * sizeof *bias);
  Block full = t;
  full.out = tile;
  full.out_stride = PANEL;
  full.scales = scales;
  full.bias = bias;
  full.mode = add ? INT8_STORE : t.mode;
  for (guint rows; m; m -= rows, full.q += rows * t.groups * GROUP, full.rows += rows) {
    rows = MIN(m, ROWS);
    multiply_panel(full, rows);
    for (guint i = 0; i < rows; i++, out += t.out_stride)
      for (guint j = 0; j < n; j++)
        out[j] = (add ? out[j] : 0.0f) + tile[i * PANEL + j];
  }
}

static gsize panel_size(guint k)
{
  return PANEL * (sizeof(gint32) + ((gsize)k + GROUP - 1) / GROUP * GROUP);
}

static void gemm(float *out, gsize out_stride, gconstpointer q, const Int8Row *rows,
                 gconstpointer packed, const float *scales, const float *bias, Int8Mode mode,
                 guint m, guint n, guint k)
{
  Block t = {
    out, out_stride, q, ((gsize)k + GROUP - 1) / GROUP, rows, packed, scales, bias, mode
  };
  for (; n >= PANEL; n -= PANEL) {
    multiply_panel(t, m);
    t.out += PANEL;
    t.panel += panel_size(k);
    t.scales += PANEL;
    t.bias = t.bias ? t.bias + PANEL : NULL;
  }
  if (n)
    multiply_edge(t, m, n);
}

/* ---- Packing ---- */

/* w: value i of column j at w[j * column + i * value] */
static void pack_weights(gint8 *packed, const gint8 *w, gsize column, gsize value, guint n, guint k)
{
  for (guint j = 0; j < n; j += PANEL, packed += panel_size(k)) {
    gint8 *groups = packed + PANEL * sizeof(gint32);
    gint32 sums[PANEL] = { 0 };
    memset(groups, 0, panel_size(k) - sizeof sums);
    for (guint c = 0; c < MIN(PANEL, n - j); c++)
      for (guint i = 0; i < k; i++) {
        const gint8 weight = w[(j + c) * column + i * value];
        groups[(i / GROUP * PANEL + c) * GROUP + i % GROUP] = weight;
        sums[c] += weight;
      }
    memcpy(packed, sums, sizeof sums);
  }
}

static void pack(gpointer packed, const gint8 *w, gsize w_stride, guint n, guint k)
{
  pack_weights(packed, w, w_stride, 1, n, k);
}

static void pack_transposed(gpointer packed, const gint8 *w, gsize w_stride, guint n, guint k)
{
  pack_weights(packed, w, 1, w_stride, n, k);
}

const Int8Kernels INT8_TABLE = {
  .name = "dotprod",
  .step = GROUP,
  .value_size = sizeof(Quantity),
  .quantize = KERNEL(quantize),
  .soften = KERNEL(soften),
  .quantize_rows = KERNEL(quantize_rows),
  .quantize_columns = KERNEL(quantize_columns),
  .pack = pack,
  .pack_transposed = pack_transposed,
  .gemm = gemm,
};
