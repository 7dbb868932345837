/* The softmax of rows of scores, quantised as it is computed. Written once with GCC's vector types
 * and compiled once per instruction set. */
#include <math.h>

#include "kernels/int8-isa.h"

/* Rows that are computed side by side: within a row each step waits for the one before, so steps of
 * different rows overlap. */
#define ROWS 4

/* The state of one row. A value is 2^(factor * x + offset), divided by the sum of all. The rounding
 * error of a value is added to the next value of its lane, so values too small for a step count
 * together and the sum of all values stays right. */
typedef struct {
  vec factor, offset, sums, left_over;
} Softening;

/* 2^x for x <= 0 */
static inline vec coarse_exp2(vec x)
{
  x = max_vector(x, splat(-COARSE_EXP2_LIMIT));
  const vec shifted = x + EXP_SHIFT, f = x - (shifted - EXP_SHIFT);
  const vec p = COARSE_EXP2_POLYNOMIAL(f);
  return (vec)((ivec)p + ((ivec)shifted << 23));
}

/* v: values from 0 to 255 */
static inline void store_quantities(Quantity *q, ivec v)
{
#if defined(ISA_AVX512)
  _mm_storeu_si128((__m128i *)q, _mm512_cvtepi32_epi8((__m512i)v));
#elif defined(ISA_AVX2)
  const __m256i twice = _mm256_packs_epi32((__m256i)v, (__m256i)v);
  const __m128i words = _mm256_castsi256_si128(_mm256_permute4x64_epi64(twice, 0x08));
#if GROUP == 4
  _mm_storel_epi64((__m128i *)q, _mm_packus_epi16(words, words));
#else
  _mm_storeu_si128((__m128i *)q, words);
#endif
#elif defined(ISA_SSE41)
  _mm_storel_epi64((__m128i *)q, _mm_packs_epi32((__m128i)v, (__m128i)v));
#else
  store_integers(q, v);
#endif
}

static inline float find_largest(const float *x, guint n)
{
  vec max = load_some(x, n, splat(-INFINITY));
  for (guint i = LANES; i < n; i += LANES)
    max = max_vector(max, load_some(x + i, n - i, max));
  return max_lanes(max);
}

/* Quantises a vector of scores.
 * @inside: mask of the lanes that hold scores */
static inline ivec soften_vector(Softening *s, vec x, ivec inside)
{
  const vec e = (vec)((ivec)coarse_exp2(x * s->factor + s->offset) & inside);
  const vec wanted = e * 255.0f + s->left_over;
  const ivec steps = to_integers(wanted);
  s->left_over = wanted - __builtin_convertvector(steps, vec);
  s->sums += e;
  return steps & inside;
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
  for (guint r = 0; r < n; r++)
    s[r] = (Softening){ .factor = splat(factor),
                        .offset = splat(-factor * find_largest(x + r * x_stride, k)) };
  for (; i + LANES <= k; i += LANES)
#pragma GCC unroll 4
    for (guint r = 0; r < n; r++)
      store_quantities(q + r * padded + i, soften_vector(&s[r], load(x + r * x_stride + i), all));
  for (guint r = 0; i < padded && r < n; r++) {
    Quantity rest[MAX(LANES, GROUP)] = { 0 };
    const vec some = load_some(x + r * x_stride + i, k - i, zero());
    store_quantities(rest, soften_vector(&s[r], some, lane_numbers() < (gint32)(k - i)));
    memcpy(q + r * padded + i, rest, (padded - i) * sizeof *q);
  }
  for (guint r = 0; r < n; r++)
    rows[r] = (Int8Row){ .scale = 1 / (255 * add_lanes(s[r].sums)) };
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
