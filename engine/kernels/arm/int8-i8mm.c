/* int8 products on AArch64 with the matrix instructions of ARMv8.6 (FEAT_I8MM).
 *
 * USMMLA multiplies eight values along k of two rows by those of two columns and adds the products
 * to four 32-bit sums. A tile of sums stays in registers while the loop runs along k, each sum in
 * its own variable. For each column a panel holds the sum of its weights. */
#include "kernels/arm/pairs.h"

#define FOR_ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5)

#include "kernels/int8-panels.h"

static inline int32x4_t load_sums(const guint8 *panel, guint pair)
{
  int32x2_t sums;
  memcpy(&sums, panel + pair * sizeof sums, sizeof sums);
  return vcombine_s32(sums, sums);
}

static inline int32x4_t zero_points(const Int8Row *first, const Int8Row *second)
{
  return vcombine_s32(vdup_n_s32(-first->zero), vdup_n_s32(-second->zero));
}

/* Stores four columns of a row, from @column on. */
static inline void store_sums(const Block *t, guint row, guint column, int32x4_t sums)
{
  float *o = t->out + row * t->out_stride + column;
  const vec bias = t->bias ? load(t->bias + column) : zero();
  vec v = (vec)vcvtq_f32_s32(sums) * (t->rows[row].scale * load(t->scales + column)) + bias;
  if (t->mode == INT8_GELU)
    v = coarse_gelu(v);
  else if (t->mode == INT8_ADD)
    v += load(o);
  store(o, v);
}

static inline __attribute__((always_inline)) void multiply_tile(const Block *t, const guint rows,
                                                                const guint columns)
{
  const gsize stride = t->groups * GROUP;
  const guint8 *q = (const guint8 *)t->q, *const end = q + stride;
  const gint8 *b = (const gint8 *)t->panel + PANEL * sizeof(gint32);
#define DECLARE_SUMS(p, c)                                                                         \
  int32x4_t acc##p##_##c =                                                                         \
      rows > 2 * p ? vmulq_s32(load_sums(t->panel, c), zeros##p) : vdupq_n_s32(0);
#define DECLARE(p)                                                                                 \
  const int32x4_t zeros##p =                                                                       \
      rows > 2 * p ? zero_points(&t->rows[2 * p], &t->rows[SECOND_ROW(p, rows)]) : vdupq_n_s32(0); \
  EACH_COLUMN_PAIR(p, DECLARE_SUMS)
  FOR_PAIRS(DECLARE)
#define LOAD(p)                                                                                    \
  const uint8x16_t a##p = rows > 2 * p                                                             \
                              ? load_pair(q + 2 * p * stride, q + SECOND_ROW(p, rows) * stride)    \
                              : vdupq_n_u8(0);
#define MULTIPLY_PAIR(p, c)                                                                        \
  if (rows > 2 * p)                                                                                \
    acc##p##_##c = vusmmlaq_s32(acc##p##_##c, a##p, w##c);
  /* The asm keeps GCC from loading all weights at once, for which there are not enough registers.
   */
#define MULTIPLY(c)                                                                                \
  __asm__("" ::: "memory");                                                                        \
  const int8x16_t w##c = vld1q_s8(b + 16 * c);                                                     \
  MULTIPLY_PAIR(0, c) MULTIPLY_PAIR(1, c) MULTIPLY_PAIR(2, c)
  for (; q < end; q += GROUP, b += PANEL * GROUP) {
    FOR_PAIRS(LOAD)
    FOR_COLUMN_PAIRS(MULTIPLY)
  }
#define STORE_ROW(p, row, second)                                                                  \
  store_sums(t, row, 0, join_sums(acc##p##_0, acc##p##_1, second));                                \
  store_sums(t, row, 4, join_sums(acc##p##_2, acc##p##_3, second));                                \
  store_sums(t, row, 8, join_sums(acc##p##_4, acc##p##_5, second));                                \
  store_sums(t, row, 12, join_sums(acc##p##_6, acc##p##_7, second));
#define STORE(p)                                                                                   \
  if (rows > 2 * p) {                                                                              \
    STORE_ROW(p, 2 * p, 0)                                                                         \
  }                                                                                                \
  if (rows > 2 * p + 1) {                                                                          \
    STORE_ROW(p, 2 * p + 1, 1)                                                                     \
  }
  FOR_PAIRS(STORE)
#undef DECLARE_SUMS
#undef DECLARE
#undef LOAD
#undef MULTIPLY_PAIR
#undef MULTIPLY
#undef STORE_ROW
#undef STORE
}

/* ---- Packing ---- */

/* Every panel is as wide as a tile. */
static inline guint panel_width(guint n)
{
  return PANEL;
}

static guint8 *finish_panel(guint8 *panel, guint width, gsize groups)
{
  const gint8 *b = (const gint8 *)panel + PANEL * sizeof(gint32);
  const uint8x16_t ones = vdupq_n_u8(1);
  for (guint c = 0; c < PANEL; c += 2) {
    int32x4_t sums = vdupq_n_s32(0);
    for (gsize g = 0; g < groups; g++)
      sums = vusmmlaq_s32(sums, ones, vld1q_s8(b + g * PANEL * GROUP + c * GROUP));
    const int32x2_t pair = vget_low_s32(sums);
    memcpy(panel + c * sizeof(gint32), &pair, sizeof pair);
  }
  return panel + PANEL * (sizeof(gint32) + groups * GROUP);
}

DEFINE_TABLE("i8mm");
