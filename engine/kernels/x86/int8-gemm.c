/* int8 products on x86-64, compiled once each for SSE4.1, AVX2, AVX-VNNI and AVX-512 VNNI.
 *
 * Each 32-bit lane of a vector belongs to one column and adds up GROUP products along k at a time:
 * four of bytes with VPDPBUSD, which does not saturate, or two of words with PMADDWD if there is
 * only SSE4.1 or AVX2. PMADDUBSW would need weights of 7 bits, which change more labels (3.0 %
 * instead of 1.8 % of dense DeiT-Tiny), and a second multiplication to widen its sums. A tile of
 * sums stays in registers while the loop runs along k. Each sum has its own variable, because GCC
 * 12 spills arrays.
 *
 * For each column a panel holds a pair of words (low, high); the sum of the column's weights is
 * -(low + ZERO_STEP * high). So the correction for a zero point is a multiply-add of one
 * instruction, too. */
#include "kernels/kernels-isa.h"

#define ROWS TILE_ROWS
#if ROWS == 12
#define FOR_ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#else
#define FOR_ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5)
#endif

#include "kernels/int8-panels.h"

#if defined(__AVX512VNNI__)
#define NAME "avx512-vnni"
#elif defined(__AVXVNNI__)
#define NAME "avx-vnni"
#elif defined(ISA_AVX2)
#define NAME "avx2"
#else
#define NAME "sse4.1"
#endif

/* An operand that is read and written in a vector register. */
#if defined(__AVX512VNNI__)
#define REGISTER(v) "+v"(v)
#else
#define REGISTER(v) "+x"(v)
#endif

/* ZERO_STEP times the largest zero point, 255, still fits a word. */
#define ZERO_BITS 7
#define ZERO_STEP (1 << ZERO_BITS)

static inline ivec load_integers(const guint8 *p)
{
  ivec v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline ivec load_weights(const guint8 *p)
{
#if GROUP == 4
  return load_integers(p);
#elif defined(ISA_AVX2)
  return (ivec)_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)p));
#else
  return (ivec)_mm_cvtepi8_epi16(_mm_loadl_epi64((const __m128i *)p));
#endif
}

static inline ivec add_products(ivec sums, Group group, ivec weights)
{
#if defined(__AVX512VNNI__)
  return (ivec)_mm512_dpbusd_epi32((__m512i)sums, _mm512_set1_epi32(group), (__m512i)weights);
#elif defined(__AVXVNNI__)
  return (ivec)_mm256_dpbusd_avx_epi32((__m256i)sums, _mm256_set1_epi32(group), (__m256i)weights);
#elif defined(ISA_AVX2)
  return sums + (ivec)_mm256_madd_epi16(_mm256_set1_epi32(group), (__m256i)weights);
#else
  return sums + (ivec)_mm_madd_epi16(_mm_set1_epi32(group), (__m128i)weights);
#endif
}

/* Adds the products of two words of a row with two words of each column. */
static inline ivec add_pairs(ivec sums, gint32 pair, ivec words)
{
#if defined(__AVX512VNNI__)
  return (ivec)_mm512_dpwssd_epi32((__m512i)sums, _mm512_set1_epi32(pair), (__m512i)words);
#elif defined(__AVXVNNI__)
  return (ivec)_mm256_dpwssd_avx_epi32((__m256i)sums, _mm256_set1_epi32(pair), (__m256i)words);
#elif defined(ISA_AVX2)
  return sums + (ivec)_mm256_madd_epi16(_mm256_set1_epi32(pair), (__m256i)words);
#else
  return sums + (ivec)_mm_madd_epi16(_mm_set1_epi32(pair), (__m128i)words);
#endif
}

/* Returns: two words whose product with a column's pair is -zero times the sum of its weights */
static inline gint32 zero_pair(gint32 zero)
{
  return zero * (1 + (ZERO_STEP << 16));
}

static inline __attribute__((always_inline)) void multiply_tile(const Block *t, const guint rows,
                                                                const guint columns)
{
  const ivec none = { 0 }, zeros0 = load_integers(t->panel),
             zeros1 = columns > 1 ? load_integers(t->panel + sizeof(ivec)) : none;
#define DECLARE(r)                                                                                 \
  const gint32 pair##r = rows > r ? zero_pair(t->rows[r].zero) : 0;                                \
  ivec acc##r##_0 = add_pairs(none, pair##r, zeros0), acc##r##_1 = add_pairs(none, pair##r, zeros1);
  FOR_ROWS(DECLARE);
  /* Four pointers address twelve rows. The asm hides their relation, so that GCC keeps all four. */
  const gsize stride = t->groups;
  const Group *q0 = t->q, *q1 = q0 + 3 * stride, *q2 = q0 + 6 * stride, *q3 = q0 + 9 * stride;
  __asm__("" : "+r"(q1), "+r"(q2), "+r"(q3));
  const Group *const end = q0 + stride;
  const guint8 *b = t->panel + columns * sizeof(ivec);
#define ROW(r) ((r / 3 == 0 ? q0 : r / 3 == 1 ? q1 : r / 3 == 2 ? q2 : q3)[r % 3 * stride])
#define MULTIPLY(r)                                                                                \
  if (rows > r) {                                                                                  \
    acc##r##_0 = add_products(acc##r##_0, ROW(r), b0);                                             \
    if (columns > 1)                                                                               \
      acc##r##_1 = add_products(acc##r##_1, ROW(r), b1);                                           \
  }
  const guint8 *next = t->next;
  for (; q0 < end; q0++, q1++, q2++, q3++, b += columns * LANES * GROUP, next += t->next_step) {
    __builtin_prefetch(next);
    ivec b0 = load_weights(b), b1 = columns > 1 ? load_weights(b + LANES * GROUP) : none;
    /* With few rows, GCC would load the weights again for each row. */
    if (GROUP == 4 && rows > 1)
      __asm__("" : REGISTER(b0), REGISTER(b1));
    FOR_ROWS(MULTIPLY);
  }
  const vec scale0 = load(t->scales), scale1 = columns > 1 ? load(t->scales + LANES) : zero();
  const vec bias0 = t->bias ? load(t->bias) : zero(),
            bias1 = t->bias && columns > 1 ? load(t->bias + LANES) : zero();
#define STORE(r, value0, value1)                                                                   \
  if (rows > r) {                                                                                  \
    float *o = t->out + r * t->out_stride;                                                         \
    const float scale = t->rows[r].scale;                                                          \
    const vec v0 = __builtin_convertvector(acc##r##_0, vec) * (scale * scale0) + bias0,            \
              v1 = __builtin_convertvector(acc##r##_1, vec) * (scale * scale1) + bias1;            \
    store(o, value0);                                                                              \
    if (columns > 1)                                                                               \
      store(o + LANES, value1);                                                                    \
  }
#define STORE_PLAIN(r) STORE(r, v0, v1)
#define STORE_SUM(r)   STORE(r, load(o) + v0, load(o + LANES) + v1)
#define STORE_GELU(r)  STORE(r, coarse_gelu(v0), coarse_gelu(v1))
  if (t->mode == INT8_GELU) {
    FOR_ROWS(STORE_GELU);
  } else if (t->mode == INT8_ADD) {
    FOR_ROWS(STORE_SUM);
  } else {
    FOR_ROWS(STORE_PLAIN);
  }
#undef DECLARE
#undef ROW
#undef MULTIPLY
#undef STORE
#undef STORE_PLAIN
#undef STORE_SUM
#undef STORE_GELU
}

/* ---- Packing ---- */

/* A group of ones: its product with the weights is their sum. */
#define ONES (GROUP == 4 ? 0x01010101 : 0x00010001)

static inline guint panel_width(guint n)
{
  return n > LANES ? PANEL : LANES;
}

/* The low word of each pair ranges from -ZERO_STEP / 2 to ZERO_STEP / 2 - 1. */
static guint8 *finish_panel(guint8 *panel, guint width, gsize groups)
{
  const guint8 *first = panel + width * sizeof(gint32);
  for (guint c = 0; c < width; c += LANES) {
    ivec sums = { 0 };
    for (gsize g = 0; g < groups; g++)
      sums = add_products(sums, ONES, load_weights(first + (g * width + c) * GROUP));
    const ivec high = (ZERO_STEP / 2 - sums) >> ZERO_BITS, low = -sums - high * ZERO_STEP;
    const ivec pairs = high << 16 | (low & G_MAXUINT16);
    memcpy(panel + c * sizeof(gint32), &pairs, sizeof pairs);
  }
  return panel + width * (sizeof(gint32) + groups * GROUP);
}

DEFINE_TABLE(NAME);
