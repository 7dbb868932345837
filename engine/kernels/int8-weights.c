/* Quantises the right operands of products: weights, and the keys and values of an image. Written
 * once with GCC's vector types and compiled once per instruction set, without fused multiply-adds,
 * so that every set rounds in the same way. */
#include <float.h>

#include "kernels/int8-isa.h"

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

/* Returns the larger magnitudes, compared as integers: in this order a NaN comes last, after
 * infinity. */
static inline ivec enlarge(ivec largest, vec x)
{
  return larger_integers((ivec)x & G_MAXINT32, largest);
}

/* Computes the scale for weights up to magnitude @largest, given as the bits of a float.
 * Returns: the factor that quantises them, or 0 if the scale is 0 or a NaN */
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
  v = enlarge(v, SWAP_LANES((vec)v, 8));
#endif
#if LANES >= 8
  v = enlarge(v, SWAP_LANES((vec)v, 4));
#endif
  v = enlarge(v, SWAP_LANES((vec)v, 2));
  return enlarge(v, SWAP_LANES((vec)v, 1))[0];
}

/* Quantises @n values, at most LANES. Lanes whose @inverse is 0 become 0. */
static inline void quantize_some(gint8 *q, const float *w, vec inverse, guint n)
{
  const vec x = n == LANES ? load(w) : load_some(w, n, zero());
  store_some(q, to_integers(x * inverse) & (inverse > 0), n);
}

static inline ivec enlarge_some(ivec largest, const float *w, guint n)
{
  return enlarge(largest, n == LANES ? load(w) : load_some(w, n, zero()));
}

/* ---- Rows ---- */

/* Rows that are measured before they are quantised: computing one row's scale overlaps with the
 * search for the next row's largest magnitude. */
#define ROWS 8

static inline float measure_row(float *scale, const float *w, guint k)
{
  ivec a = { 0 }, b = { 0 };
  for (; k >= 2 * LANES; k -= 2 * LANES, w += 2 * LANES) {
    a = enlarge_some(a, w, LANES);
    b = enlarge_some(b, w + LANES, LANES);
  }
  for (guint some; k; k -= some, w += some) {
    some = MIN(k, LANES);
    a = enlarge_some(a, w, some);
  }
  return find_scale(scale, largest_lane(enlarge(a, (vec)b)));
}

static inline void quantize_row(gint8 *q, const float *w, float inverse, guint k)
{
  const vec factor = splat(inverse);
  for (; k >= LANES; k -= LANES, q += LANES, w += LANES)
    quantize_some(q, w, factor, LANES);
  if (k)
    quantize_some(q, w, factor, k);
}

void KERNEL(quantize_rows)(gint8 *q, float *scales, const float *w, gsize w_stride, guint n,
                           guint k)
{
  float inverses[ROWS];
  for (guint some; n; n -= some, scales += some) {
    some = MIN(n, ROWS);
    for (guint j = 0; j < some; j++)
      inverses[j] = measure_row(&scales[j], w + j * w_stride, k);
    for (guint j = 0; j < some; j++, w += w_stride, q += k)
      quantize_row(q, w, inverses[j], k);
  }
}

/* ---- Columns ---- */

/* Quantises @n columns, at most LANES. */
static inline __attribute__((always_inline)) void
quantize_some_columns(gint8 *q, gsize q_stride, float *scales, const float *w, gsize w_stride,
                      guint n, guint k)
{
  ivec largest = { 0 };
  float inverses[LANES] = { 0 };
  for (guint i = 0; i < k; i++)
    largest = enlarge_some(largest, w + i * w_stride, n);
  for (guint lane = 0; lane < n; lane++)
    inverses[lane] = find_scale(&scales[lane], largest[lane]);
  for (guint i = 0; i < k; i++)
    quantize_some(q + i * q_stride, w + i * w_stride, load(inverses), n);
}

void KERNEL(quantize_columns)(gint8 *q, float *scales, const float *w, gsize w_stride, guint n,
                              guint k)
{
  guint j = 0;
  for (; j + LANES <= n; j += LANES)
    quantize_some_columns(q + j, n, scales + j, w + j, w_stride, LANES, k);
  if (j < n)
    quantize_some_columns(q + j, n, scales + j, w + j, w_stride, n - j, k);
}
