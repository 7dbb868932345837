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

/* The larger magnitudes, as whole numbers: in their order, NaN comes last, behind infinity. */
static inline ivec enlarge(ivec largest, vec x)
{
  const ivec magnitude = (ivec)x & G_MAXINT32;
#if defined(ISA_AVX512)
  return (ivec)_mm512_max_epi32((__m512i)magnitude, (__m512i)largest);
#elif defined(ISA_AVX2)
  return (ivec)_mm256_max_epi32((__m256i)magnitude, (__m256i)largest);
#else
  return (ivec)select_vector(magnitude > largest, (vec)magnitude, (vec)largest);
#endif
}

/* Of the largest magnitude. Returns: what weights are multiplied by; 0 where the scale is 0 or NaN
 */
static inline float find_scale(float *scale, gint32 largest)
{
  float magnitude;
  memcpy(&magnitude, &largest, sizeof magnitude);
  *scale = magnitude / 127 + magnitude * 0;
  if (*scale >= FLT_MIN)
    return 1 / *scale;
  *scale = *scale < FLT_MIN ? 0 : *scale; /* its inverse would be infinite */
  return 0;
}

static inline gint32 largest_lane(ivec v)
{
#if LANES >= 16
  v = enlarge(v, swap_lanes((vec)v, 8));
#endif
#if LANES >= 8
  v = enlarge(v, swap_lanes((vec)v, 4));
#endif
  v = enlarge(v, swap_lanes((vec)v, 2));
  return enlarge(v, swap_lanes((vec)v, 1))[0];
}

void KERNEL(quantize_rows)(gint8 *q, float *scales, const float *w, gsize w_stride, guint n,
                           guint k)
{
  for (guint j = 0; j < n; j++, w += w_stride, q += k) {
    ivec largest = { 0 };
    for (guint i = 0; i < k; i += LANES)
      largest = enlarge(largest, load_some(w + i, k - i, zero()));
    const float inverse = find_scale(&scales[j], largest_lane(largest));
    const ivec open = lane_numbers() * 0 - (inverse > 0);
    for (guint i = 0; i < k; i += LANES)
      store_some(q + i, to_integers(load_some(w + i, k - i, zero()) * inverse) & open, k - i);
  }
}

void KERNEL(quantize_columns)(gint8 *q, float *scales, const float *w, gsize w_stride, guint n,
                              guint k)
{
  for (guint j = 0; j < n; j += LANES) {
    const guint some = MIN(LANES, n - j);
    ivec largest = { 0 };
    for (guint i = 0; i < k; i++)
      largest = enlarge(largest, load_some(w + i * w_stride + j, some, zero()));
    float inverses[LANES] = { 0 };
    for (guint lane = 0; lane < some; lane++)
      inverses[lane] = find_scale(&scales[j + lane], largest[lane]);
    const vec inverse = load(inverses);
    const ivec open = inverse > 0;
    for (guint i = 0; i < k; i++)
      store_some(q + (gsize)i * n + j,
                 to_integers(load_some(w + i * w_stride + j, some, zero()) * inverse) & open, some);
  }
}
