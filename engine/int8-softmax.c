/* The softmax of rows of scores, quantised as it comes. Written once with GCC's vector types and
 * compiled once per instruction set. */
#include <math.h>

#include "int8-isa.h"

/* 2^x for x <= 0 */
static inline vec coarse_exp2(vec x)
{
  x = max_vector(x, splat(-COARSE_EXP2_LIMIT));
  const vec shifted = x + EXP_SHIFT, f = x - (shifted - EXP_SHIFT);
  const vec p = COARSE_EXP2_POLYNOMIAL(f);
  return (vec)((ivec)p + ((ivec)shifted << 23));
}

/* Steps of e and of what was left over, which is then what this leaves. */
static inline ivec round_on(vec e, vec *left_over)
{
  const vec wanted = e * 255.0f + *left_over;
  const ivec steps = to_integers(wanted);
  *left_over = wanted - __builtin_convertvector(steps, vec);
  return steps;
}

/* v: from 0 to 255 */
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
#else
  const shorts words = __builtin_convertvector(v, shorts);
  memcpy(q, &words, sizeof words);
#endif
}

static inline float find_largest(const float *x, guint n)
{
  guint i = 0;
  float largest = -INFINITY;
  if (n >= LANES) {
    vec most = load(x);
    for (i = LANES; i + LANES <= n; i += LANES)
      most = max_vector(most, load(x + i));
    largest = max_lanes(most);
  }
  for (; i < n; i++)
    largest = MAX(largest, x[i]);
  return largest;
}

/* What rounding takes from one value is given to the next of its lane: shares too small for a step
 * count together, and what all of them add up to stays right.
 * q: of @padded values. Returns: the row's scale */
static inline float soften_row(Quantity *q, const float *x, float factor, guint k, guint padded)
{
  const float largest = find_largest(x, k);
  const guint whole = k - k % LANES;
  vec sums = zero(), left_over = zero();
  for (guint i = 0; i < whole; i += LANES) {
    const vec e = coarse_exp2((load(x + i) - largest) * factor);
    sums += e;
    store_quantities(q + i, round_on(e, &left_over));
  }
  if (whole < padded) {
    Quantity rest[LANES];
    const vec e = coarse_exp2((load_some(x + whole, k - whole) - largest) * factor);
    const ivec inside = lane_numbers() < (gint32)(k - whole);
    const vec some = (vec)((ivec)e & inside);
    sums += some;
    store_quantities(rest, round_on(some, &left_over) & inside);
    memcpy(q + whole, rest, (padded - whole) * sizeof *q);
  }
  return 1 / (255 * add_lanes(sums));
}

void KERNEL(soften)(gpointer q, Int8Row *rows, const float *x, gsize x_stride, float factor,
                    guint m, guint k)
{
  const guint padded = (k + GROUP - 1) / GROUP * GROUP;
  Quantity *out = q;
  for (guint i = 0; i < m; i++, out += padded, x += x_stride)
    rows[i] = (Int8Row){ .scale = soften_row(out, x, factor * LOG2_E, k, padded) };
}
