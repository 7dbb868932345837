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

/* Computes the scales of @n rows or columns, at most LANES, of weights up to the magnitudes
 * @largest, given as the bits of floats. inverses[LANES]: the factors that quantise them, or 0 if
 * the scale is 0 or a NaN */
static inline void find_scales(float *scales, float *inverses, ivec largest, guint n)
{
  const vec magnitude = (vec)largest, scale = magnitude / 127 + magnitude * 0;
  float all[LANES];
  /* The inverse of a smaller scale would be infinite. */
  store(all, (vec)((ivec)scale & ~(scale < FLT_MIN)));
  store(inverses, (vec)((ivec)(1 / scale) & (scale >= FLT_MIN)));
  memcpy(scales, all, n * sizeof *scales);
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

/* Returns: the largest magnitude in each lane */
static inline ivec measure_row(const float *w, guint k)
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
  return enlarge(a, (vec)b);
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
  float inverses[LANES];
  for (guint some; n; n -= some, scales += some) {
    ivec largest[LANES] = { 0 };
    some = MIN(n, LANES);
    for (guint j = 0; j < some; j++)
      largest[j] = measure_row(w + j * w_stride, k);
    find_scales(scales, inverses, reduce(largest), some);
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
  float inverses[LANES];
  for (guint i = 0; i < k; i++)
    largest = enlarge_some(largest, w + i * w_stride, n);
  find_scales(scales, inverses, largest, n);
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
