/* The softmax of rows of scores, quantised as it is computed. Written once with GCC's vector types
 * and compiled once per instruction set. */
#include <math.h>

#include "kernels/int8-isa.h"

/* Rows that are computed side by side: within a row each step waits for the one before, so steps of
 * different rows overlap. */
#define ROWS 4

/* The state of one row. A value is 2^(factor * x + offset), divided by the sum of all, or that
 * power times steps in 255ths of the largest. The offset is the integer that brings the largest
 * exponent nearest to 0, so that adding it is exact. The rounding error of a value is added to the
 * next value of its lane, so values too small for a step count together and the sum of all values
 * stays right. */
typedef struct {
  vec offset, steps, sums, left_over;
} Softening;

/* Raises exponents to the lower limit. */
static inline vec limit_exponent(vec y)
{
#if defined(ISA_AVX512)
  /* As integers without a sign, negative floats are in descending order after all others. */
  const vec lowest = splat(-COARSE_EXP2_LIMIT);
  return (vec)_mm512_min_epu32((__m512i)y, (__m512i)lowest);
#else
  return max_vector(y, splat(-COARSE_EXP2_LIMIT));
#endif
}

/* 2^(factor * x + offset), where the exponent is at most about 1 and the offset an integer */
static inline vec coarse_exp2(vec x, vec factor, vec offset)
{
  const vec y = limit_exponent(x * factor + offset), shifted = y + EXP_SHIFT;
  const vec f = y - (shifted - EXP_SHIFT), p = COARSE_EXP2_POLYNOMIAL(f);
  return (vec)((ivec)p + ((ivec)shifted << 23));
}

/* v: values from 0 on; those above 255 become 255 */
static inline void store_quantities(Quantity *q, ivec v)
{
#if defined(ISA_AVX512)
  _mm_storeu_si128((__m128i *)q, _mm512_cvtusepi32_epi8((__m512i)v));
#elif defined(ISA_AVX2)
  const __m256i twice = _mm256_packs_epi32((__m256i)v, (__m256i)v);
  const __m128i words = _mm256_castsi256_si128(_mm256_permute4x64_epi64(twice, 0x08));
#if GROUP == 4
  _mm_storel_epi64((__m128i *)q, _mm_packus_epi16(words, words));
#else
  _mm_storeu_si128((__m128i *)q, _mm_min_epi16(words, _mm_set1_epi16(255)));
#endif
#elif defined(ISA_SSE41)
  const __m128i words = _mm_packs_epi32((__m128i)v, (__m128i)v);
  _mm_storel_epi64((__m128i *)q, _mm_min_epi16(words, _mm_set1_epi16(255)));
#else
  store_integers(q, (v & (v < 256)) | (255 & (v > 255)));
#endif
}

/* Stores the first @n lanes; beyond all lanes, zeros. */
static inline void store_some_quantities(Quantity *q, ivec v, guint n)
{
#if defined(ISA_AVX512)
  _mm_mask_storeu_epi8(q, n < LANES ? (1u << n) - 1 : 0xffff, _mm512_cvtusepi32_epi8((__m512i)v));
#else
  Quantity rest[MAX(LANES, GROUP)] = { 0 };
  store_quantities(rest, v);
  memcpy(q, rest, n * sizeof *q);
#endif
}

/* Two maxima hide the latency of the instruction. */
static inline float find_largest(const float *x, guint n)
{
  vec a = splat(-INFINITY), b = a;
  for (; n >= 2 * LANES; n -= 2 * LANES, x += 2 * LANES) {
    a = max_vector(load(x), a);
    b = max_vector(load(x + LANES), b);
  }
  if (n >= LANES) {
    a = max_vector(load(x), a);
    x += LANES;
    n -= LANES;
  }
  b = max_vector(load_some(x, n, b), b);
  return max_lanes(max_vector(a, b));
}

static inline Softening begin_row(const float *x, float factor, guint k)
{
  const vec largest = splat(factor * find_largest(x, k)), whole = round_vector(largest);
  const vec r = (whole - largest) * LN_2;
  return (Softening){ .offset = -whole, .steps = EXP_POLYNOMIAL(r) * 255.0f };
}

/* Quantises a vector of scores. */
static inline ivec soften_vector(Softening *s, vec x, vec factor, ivec inside)
{
  const vec e = (vec)((ivec)coarse_exp2(x, factor, s->offset) & inside);
  const vec wanted = e * s->steps + s->left_over;
  const ivec steps = to_integers(wanted);
  s->left_over = wanted - __builtin_convertvector(steps, vec);
  s->sums += e;
  return steps;
}

/* Quantises @n rows, a constant at every call, to q[n][padded]. */
static inline __attribute__((always_inline)) void soften_rows(Quantity *q, Int8Row *rows,
                                                              const float *x, gsize x_stride,
                                                              float factor, guint k, guint padded,
                                                              const guint n)
{
  const ivec all = zero() == zero();
  Softening s[ROWS];
  guint i = 0;
#pragma GCC unroll 4
  for (guint r = 0; r < n; r++)
    s[r] = begin_row(x + r * x_stride, factor, k);
  for (; i + LANES <= k; i += LANES)
#pragma GCC unroll 4
    for (guint r = 0; r < n; r++)
      store_quantities(q + r * padded + i,
                       soften_vector(&s[r], load(x + r * x_stride + i), splat(factor), all));
  if (i < padded) {
    const ivec inside = lane_numbers() < (gint32)(k - i);
#pragma GCC unroll 4
    for (guint r = 0; r < n; r++)
      store_some_quantities(q + r * padded + i,
                            soften_vector(&s[r], load_some(x + r * x_stride + i, k - i, zero()),
                                          splat(factor), inside),
                            padded - i);
  }
#pragma GCC unroll 4
  for (guint r = 0; r < n; r++)
    rows[r] = (Int8Row){ .scale = 1 / (s[r].steps[0] * add_lanes(s[r].sums)) };
}

void KERNEL(soften)(gpointer q, Int8Row *rows, const float *x, gsize x_stride, float factor,
                    guint m, guint k)
{
  const guint padded = (k + GROUP - 1) / GROUP * GROUP;
  Quantity *out = q;
  factor *= LOG2_E;
  for (; m >= ROWS; m -= ROWS, rows += ROWS, out += ROWS * padded, x += ROWS * x_stride)
    soften_rows(out, rows, x, x_stride, factor, k, padded, ROWS);
  for (; m; m--, rows++, out += padded, x += x_stride)
    soften_rows(out, rows, x, x_stride, factor, k, padded, 1);
}
