/* int8 products on AArch64, compiled once for every CPU and once for those with the byte dot
 * products of ARMv8.2.
 *
 * SDOT adds up four products of signed bytes in each 32-bit lane. Without it, SMULL and SMLAL add
 * up two products in each 16-bit lane, which cannot overflow since weights are at least -127, and
 * SADALP adds pairs of lanes to 32-bit sums. 128 is subtracted from rows as they are loaded, and
 * from zero points. Four groups of a row are loaded at once, and each is multiplied by two vectors
 * of columns. A tile of sums stays in registers while the loop runs along k, each sum in its own
 * variable. For each column a panel holds the sum of its weights. */
#include <arm_neon.h>

#define ROWS        8
#define FOR_ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)

#include "kernels/int8-panels.h"

/* Rows hold q. Products use q - MIDDLE. */
#define MIDDLE 128

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

/* The weights of a group: four of each of eight columns. */
typedef struct {
  int8x16_t first, second; /* with SDOT the columns' halves, otherwise the halves of all columns */
} Weights;

static inline Weights load_weights(const gint8 *b)
{
  const int8x16_t b0 = vld1q_s8(b), b1 = vld1q_s8(b + 16);
#ifdef __ARM_FEATURE_DOTPROD
  return (Weights){ b0, b1 };
#else
  const int16x8_t w0 = vreinterpretq_s16_s8(b0), w1 = vreinterpretq_s16_s8(b1);
  return (Weights){ vreinterpretq_s8_s16(vuzp1q_s16(w0, w1)),
                    vreinterpretq_s8_s16(vuzp2q_s16(w0, w1)) };
#endif
}

/* Adds the products of group @lane of a row. */
#ifdef __ARM_FEATURE_DOTPROD
#define ADD_PRODUCTS(acc0, acc1, a, lane, w)                                                       \
  acc0 = vdotq_laneq_s32(acc0, w.first, a, lane);                                                  \
  acc1 = vdotq_laneq_s32(acc1, w.second, a, lane);
#else
#define REPEAT_PAIR(a, pair) vreinterpretq_s8_s16(vdupq_laneq_s16(vreinterpretq_s16_s8(a), pair))
#define ADD_PRODUCTS(acc0, acc1, a, lane, w)                                                       \
  {                                                                                                \
    const int8x16_t p = REPEAT_PAIR(a, 2 * lane), s = REPEAT_PAIR(a, 2 * lane + 1);                \
    const int8x8_t p0 = vget_low_s8(p), s0 = vget_low_s8(s);                                       \
    acc0 = vpadalq_s16(acc0,                                                                       \
                       vmlal_s8(vmull_s8(vget_low_s8(w.first), p0), vget_low_s8(w.second), s0));   \
    acc1 = vpadalq_s16(acc1, vmlal_high_s8(vmull_high_s8(w.first, p), w.second, s));               \
  }
#endif

static inline void store_sums(const Block *t, guint row, int32x4_t sums0, int32x4_t sums1)
{
  float *o = t->out + row * t->out_stride;
  const float scale = t->rows[row].scale;
  const vec bias0 = t->bias ? load(t->bias) : zero(),
            bias1 = t->bias ? load(t->bias + LANES) : zero();
  vec v0 = (vec)vcvtq_f32_s32(sums0) * (scale * load(t->scales)) + bias0;
  vec v1 = (vec)vcvtq_f32_s32(sums1) * (scale * load(t->scales + LANES)) + bias1;
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

static inline __attribute__((always_inline)) void multiply_tile(const Block *t, const guint rows,
                                                                const guint columns)
{
  const gsize stride = t->groups * GROUP;
  const guint8 *q = (const guint8 *)t->q, *const whole = q + t->groups / 4 * 16,
               *const end = q + stride;
  const gint8 *b = (const gint8 *)t->panel + PANEL * sizeof(gint32);
  int32x4_t sums0, sums1;
  memcpy(&sums0, t->panel, sizeof sums0);
  memcpy(&sums1, t->panel + sizeof sums0, sizeof sums1);
#define DECLARE(r)                                                                                 \
  const gint32 zero##r = rows > r ? MIDDLE - t->rows[r].zero : 0;                                  \
  int32x4_t acc##r##_0 = vmulq_n_s32(sums0, zero##r), acc##r##_1 = vmulq_n_s32(sums1, zero##r);
  FOR_ROWS(DECLARE)
  /* The asm keeps GCC from loading all rows at once, for which there are not enough registers. */
#define MULTIPLY_GROUPS(r)                                                                         \
  if (rows > r) {                                                                                  \
    __asm__("" ::: "memory");                                                                      \
    const int8x16_t a = load_groups(q + r * stride);                                               \
    ADD_PRODUCTS(acc##r##_0, acc##r##_1, a, 0, w0)                                                 \
    ADD_PRODUCTS(acc##r##_0, acc##r##_1, a, 1, w1)                                                 \
    ADD_PRODUCTS(acc##r##_0, acc##r##_1, a, 2, w2)                                                 \
    ADD_PRODUCTS(acc##r##_0, acc##r##_1, a, 3, w3)                                                 \
  }
  for (; q < whole; q += 16, b += 4 * PANEL * GROUP) {
    const Weights w0 = load_weights(b), w1 = load_weights(b + 32), w2 = load_weights(b + 64),
                  w3 = load_weights(b + 96);
    FOR_ROWS(MULTIPLY_GROUPS)
  }
#define MULTIPLY_GROUP(r)                                                                          \
  if (rows > r) {                                                                                  \
    const int8x16_t a = repeat_group(q + r * stride);                                              \
    ADD_PRODUCTS(acc##r##_0, acc##r##_1, a, 0, w)                                                  \
  }
  for (; q < end; q += GROUP, b += PANEL * GROUP) {
    const Weights w = load_weights(b);
    FOR_ROWS(MULTIPLY_GROUP)
  }
#define STORE(r)                                                                                   \
  if (rows > r)                                                                                    \
    store_sums(t, r, acc##r##_0, acc##r##_1);
  FOR_ROWS(STORE)
#undef DECLARE
#undef MULTIPLY_GROUPS
#undef MULTIPLY_GROUP
#undef STORE
}

/* ---- Packing ---- */

/* Every panel is two vectors wide. */
static inline guint panel_width(guint n)
{
  return PANEL;
}

static guint8 *finish_panel(guint8 *panel, guint width, gsize groups)
{
  const gint8 *b = (const gint8 *)panel + PANEL * sizeof(gint32);
  int32x4_t sums0 = vdupq_n_s32(0), sums1 = sums0;
  for (gsize g = 0; g < groups; g++, b += PANEL * GROUP) {
    sums0 = vpadalq_s16(sums0, vpaddlq_s8(vld1q_s8(b)));
    sums1 = vpadalq_s16(sums1, vpaddlq_s8(vld1q_s8(b + 16)));
  }
  memcpy(panel, &sums0, sizeof sums0);
  memcpy(panel + sizeof sums0, &sums1, sizeof sums1);
  return panel + PANEL * (sizeof(gint32) + groups * GROUP);
}

#ifdef __ARM_FEATURE_DOTPROD
DEFINE_TABLE("dotprod");
#else
DEFINE_TABLE("neon");
#endif
