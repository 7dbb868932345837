/* Quantises what products take on their right: weights, and an image's keys and values. Written
 * once with GCC's vector types and compiled once per instruction set, without fused multiply-adds:
 * every set must round alike. */
#include <float.h>

#include "int8-isa.h"

typedef gint8 narrow __attribute__((vector_size(LANES)));

static inline void store_some(gint8 *q, ivec v, guint n)
{
#if defined(ISA_AVX512)
  const narrow bytes = (narrow)_mm512_cvtepi32_epi8((__m512i)v);
#else
  const narrow bytes = __builtin_convertvector(__builtin_convertvector(v, shorts), narrow);
#endif
  memcpy(q, &bytes, MIN(n, LANES));
}

/* Magnitudes, and what makes a NaN of them where a value is not finite. */
typedef struct {
  vec largest, odd;
} Magnitude;

static inline Magnitude enlarge(Magnitude m, vec x)
{
  return (Magnitude){ max_vector((vec)((ivec)x & G_MAXINT32), m.largest), m.odd + x * 0.0f };
}

/* Below FLT_MIN the inverse would be infinite. Scale 0 and NaN have the inverse 0. */
static inline float invert(float *scale)
{
  const float inverse = *scale >= FLT_MIN ? 1 / *scale : 0;
  *scale = *scale < FLT_MIN ? 0 : *scale;
  return inverse;
}

void KERNEL(quantize_rows)(gint8 *q, float *scales, const float *w, gsize w_stride, guint n,
                           guint k)
{
  for (guint j = 0; j < n; j++, w += w_stride, q += k) {
    Magnitude m = { zero(), zero() };
    for (guint i = 0; i < k; i += LANES)
      m = enlarge(m, load_some(w + i, k - i));
    scales[j] = max_lanes(m.largest) / 127 + add_lanes(m.odd);
    const float inverse = invert(&scales[j]);
    const ivec open = lane_numbers() * 0 - (inverse > 0);
    for (guint i = 0; i < k; i += LANES)
      store_some(q + i, to_integers(load_some(w + i, k - i) * inverse) & open, k - i);
  }
}

void KERNEL(quantize_columns)(gint8 *q, float *scales, const float *w, gsize w_stride, guint n,
                              guint k)
{
  for (guint j = 0; j < n; j += LANES) {
    const guint some = MIN(LANES, n - j);
    Magnitude m = { zero(), zero() };
    for (guint i = 0; i < k; i++)
      m = enlarge(m, load_some(w + i * w_stride + j, some));
    float inverses[LANES], found[LANES];
    store(found, m.largest / 127.0f + m.odd);
    for (guint lane = 0; lane < LANES; lane++)
      inverses[lane] = invert(&found[lane]);
    memcpy(scales + j, found, some * sizeof *scales);
    const vec inverse = load(inverses);
    const ivec open = inverse > 0;
    for (guint i = 0; i < k; i++)
      store_some(q + (gsize)i * n + j,
                 to_integers(load_some(w + i * w_stride + j, some) * inverse) & open, some);
  }
}
