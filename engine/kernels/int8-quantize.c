/* Quantises activations. Written once with GCC's vector types and compiled once per instruction
 * set, without fused multiply-adds, so that every set rounds in the same way. */
#include <float.h>

#include "kernels/int8-isa.h"

#define BLOCK (4 * LANES)

/* q[BLOCK] = v + zero, clamped to 0 … 255 */
static inline void store_block(Quantity *q, const ivec v[4], gint32 zero)
{
#if defined(ISA_AVX512)
  const __m512i zeros = _mm512_set1_epi16((gint16)zero);
  const __m512i order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
  const __m512i low = _mm512_packs_epi32((__m512i)v[0], (__m512i)v[1]);
  const __m512i high = _mm512_packs_epi32((__m512i)v[2], (__m512i)v[3]);
  const __m512i mixed =
      _mm512_packus_epi16(_mm512_adds_epi16(low, zeros), _mm512_adds_epi16(high, zeros));
  _mm512_storeu_si512(q, _mm512_permutexvar_epi32(order, mixed));
#elif defined(ISA_AVX2)
  const __m256i zeros = _mm256_set1_epi16((gint16)zero);
  const __m256i low = _mm256_adds_epi16(_mm256_packs_epi32((__m256i)v[0], (__m256i)v[1]), zeros);
  const __m256i high = _mm256_adds_epi16(_mm256_packs_epi32((__m256i)v[2], (__m256i)v[3]), zeros);
  const __m256i mixed = _mm256_packus_epi16(low, high);
#if GROUP == 4
  const __m256i order = _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0);
  _mm256_storeu_si256((__m256i *)q, _mm256_permutevar8x32_epi32(mixed, order));
#else
  /* Widen the bytes to words again. Those of v[0] and v[1] are in the lower half of each lane. */
  const __m256i none = _mm256_setzero_si256();
  const __m256i first = _mm256_unpacklo_epi8(mixed, none);
  const __m256i second = _mm256_unpackhi_epi8(mixed, none);
  _mm256_storeu_si256((__m256i *)q, _mm256_permute4x64_epi64(first, 0xd8));
  _mm256_storeu_si256((__m256i *)q + 1, _mm256_permute4x64_epi64(second, 0xd8));
#endif
#elif defined(ISA_SSE41)
  const __m128i zeros = _mm_set1_epi16((gint16)zero), none = _mm_setzero_si128();
  const __m128i low = _mm_adds_epi16(_mm_packs_epi32((__m128i)v[0], (__m128i)v[1]), zeros);
  const __m128i high = _mm_adds_epi16(_mm_packs_epi32((__m128i)v[2], (__m128i)v[3]), zeros);
  const __m128i mixed = _mm_packus_epi16(low, high);
  _mm_storeu_si128((__m128i *)q, _mm_unpacklo_epi8(mixed, none));
  _mm_storeu_si128((__m128i *)q + 1, _mm_unpackhi_epi8(mixed, none));
#else
  for (guint i = 0; i < 4; i++) {
    ivec w = v[i] + zero;
    w &= w > 0;
    w = (w & (w < 256)) | (255 & (w > 255));
    store_integers(q + i * LANES, w);
  }
#endif
}

/* ---- Rows ---- */

/* Rows that are measured before they are quantised: two vectors of each, for the ends of its range,
 * are reduced together. So many rows of DeiT-Tiny's widest layer stay in the first-level cache
 * until they are quantised. */
#define ROWS (LANES / 2)

/* Copies the last values of a row and pads them with zeros. */
static inline void fill_block(float block[BLOCK], const float *x, guint n)
{
  memset(block, 0, BLOCK * sizeof *block);
  memcpy(block, x, n * sizeof *x);
}

/* The largest value of a row and its lowest, as the bits of floats. Compared as integers, positive
 * floats are in ascending order, and without a sign, negative ones follow in descending order. In
 * both orders infinity comes last but for a NaN. */
typedef struct {
  ivec highest, lowest;
} Range;

static inline Range widen(Range range, const float *p)
{
  const ivec x = (ivec)load(p);
  return (Range){ larger_integers(x, range.highest), larger_unsigned(x, range.lowest) };
}

static inline Range unite(Range a, Range b)
{
  return (Range){ larger_integers(a.highest, b.highest), larger_unsigned(a.lowest, b.lowest) };
}

/* Finds the range of zero and x[k]. Two ranges hide the latency of the instructions. */
static inline Range find_range(const float *x, guint k)
{
  const ivec highest = { 0 };
  Range a = { highest, highest + G_MININT32 }, b = a;
  float block[BLOCK];
  for (; k >= BLOCK; k -= BLOCK, x += BLOCK) {
    a = widen(a, x);
    b = widen(b, x + LANES);
    a = widen(a, x + 2 * LANES);
    b = widen(b, x + 3 * LANES);
  }
  if (k) {
    fill_block(block, x, k);
    for (guint i = 0; i < BLOCK; i += LANES)
      a = widen(a, block + i);
  }
  return unite(a, b);
}

/* Computes the scales and zeros of @n rows, at most ROWS. inverses[LANES]: the factors that
 * quantise them, or 0 if the scale is too small or not finite */
static inline void measure_rows(Int8Row *rows, float *inverses, const float *x, gsize x_stride,
                                guint n, guint k)
{
  ivec ranges[LANES] = { 0 };
  float scales[LANES];
  gint32 zeros[LANES];
  for (guint i = 0; i < n; i++) {
    const Range range = find_range(x + i * x_stride, k);
    ranges[i] = range.highest;
    ranges[ROWS + i] = range.lowest & G_MAXINT32;
  }
  /* In the lower half of the lanes. */
  const vec highest = (vec)reduce(ranges), depth = SWAP_LANES(highest, ROWS);
  const vec scale = highest / 255 + depth / 255 + (highest * 0 + depth * 0);
  /* The inverse of a smaller scale would be infinite. */
  const vec inverse = (vec)((ivec)(1 / scale) & (scale >= FLT_MIN));
  store(scales, (vec)((ivec)scale & ~(scale < FLT_MIN)));
  store(inverses, inverse);
  const ivec zero_points = to_integers(depth * inverse) & (inverse > 0);
  memcpy(zeros, &zero_points, sizeof zeros);
  for (guint i = 0; i < n; i++)
    rows[i] = (Int8Row){ scales[i], zeros[i] };
}

static inline void quantize_block(Quantity *q, const float *x, float inverse, gint32 zero)
{
  const ivec v[4] = { to_integers(load(x) * inverse), to_integers(load(x + LANES) * inverse),
                      to_integers(load(x + 2 * LANES) * inverse),
                      to_integers(load(x + 3 * LANES) * inverse) };
  store_block(q, v, zero);
}

/* q: [padded] */
static inline void quantize_row(Quantity *q, const float *x, float inverse, gint32 zero, guint k,
                                guint padded)
{
  guint i = 0;
  for (; i + BLOCK <= k; i += BLOCK)
    quantize_block(q + i, x + i, inverse, zero);
  if (i < padded) {
    float block[BLOCK];
    Quantity rest[BLOCK];
    fill_block(block, x + i, k - i);
    quantize_block(rest, block, inverse, zero);
    memcpy(q + i, rest, (padded - i) * sizeof *q);
  }
}

void KERNEL(quantize)(gpointer q, Int8Row *rows, const float *x, gsize x_stride, guint m, guint k)
{
  const guint padded = (k + GROUP - 1) / GROUP * GROUP;
  Quantity *out = q;
  float inverses[LANES];
  for (guint n; m; m -= n, rows += n) {
    n = MIN(m, ROWS);
    measure_rows(rows, inverses, x, x_stride, n, k);
    for (guint i = 0; i < n; i++, out += padded, x += x_stride)
      quantize_row(out, x, inverses[i], rows[i].zero, k, padded);
  }
}
