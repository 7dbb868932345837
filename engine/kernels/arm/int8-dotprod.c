/* int8 products on AArch64 with the byte dot products of ARMv8.2.
 *
 * SDOT adds up four products of signed bytes in each 32-bit lane, so 128 is subtracted from rows as
 * they are loaded, and from zero points. Four groups of a row are loaded at once, and each is
 * multiplied by two vectors of columns. A tile of sums stays in registers while the loop runs along
 * k, each sum in its own variable. For each column a panel holds the sum of its weights. */
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

/* ---- Packing ---- */

/* Every panel is two vectors wide. */
static inline guint panel_width(guint n)
{
  return PANEL;
}

static guint8 *finish_panel(guint8 *panel, guint width, gsize groups)
{
  const int8x16_t ones = vdupq_n_s8(1);
  const gint8 *b = (const gint8 *)panel + PANEL * sizeof(gint32);
  int32x4_t sums0 = vdupq_n_s32(0), sums1 = sums0;
  for (gsize g = 0; g < groups; g++, b += PANEL * GROUP) {
    sums0 = vdotq_s32(sums0, vld1q_s8(b), ones);
    sums1 = vdotq_s32(sums1, vld1q_s8(b + 16), ones);
  }
  memcpy(panel, &sums0, sizeof sums0);
  memcpy(panel + sizeof sums0, &sums1, sizeof sums1);
  return panel + PANEL * (sizeof(gint32) + groups * GROUP);
}

DEFINE_TABLE("dotprod");
