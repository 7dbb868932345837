/* Shared by the int8 kernels of the instruction set that this file is compiled for. */
#pragma once

#include <math.h>

#include "kernels/int8.h"
#include "kernels/kernels-isa.h"
#include "kernels/polynomials.h"

/* GROUP: values along k that one instruction multiplies for each column. Quantity: type of a value
 * in a quantised row. */
#if defined(__ARM_FEATURE_MATMUL_INT8)
#define GROUP 8
typedef guint8 Quantity;
#elif defined(__AVX512VNNI__) || defined(__AVXVNNI__) || defined(ISA_NEON)
#define GROUP 4
typedef guint8 Quantity;
#else
#define GROUP 2
typedef gint16 Quantity;
#endif

#define INT8_TABLE PASTE(int8, ISA)

typedef guint32 uvec __attribute__((vector_size(4 * LANES)));

void KERNEL(quantize)(gpointer q, Int8Row *rows, const float *x, gsize x_stride, guint m, guint k);
void KERNEL(soften)(gpointer q, Int8Row *rows, const float *x, gsize x_stride, float factor,
                    guint m, guint k);
void KERNEL(quantize_rows)(gint8 *q, float *scales, const float *w, gsize w_stride, guint n,
                           guint k);
void KERNEL(quantize_columns)(gint8 *q, float *scales, const float *w, gsize w_stride, guint n,
                              guint k);

/* Defines the kernel table in a file that has gemm() and the functions of packed matrices. */
#define DEFINE_TABLE(title)                                                                        \
  const Int8Kernels INT8_TABLE = {                                                                 \
    .name = title,                                                                                 \
    .step = GROUP,                                                                                 \
    .value_size = sizeof(Quantity),                                                                \
    .quantize = KERNEL(quantize),                                                                  \
    .soften = KERNEL(soften),                                                                      \
    .quantize_rows = KERNEL(quantize_rows),                                                        \
    .quantize_columns = KERNEL(quantize_columns),                                                  \
    .pack = pack,                                                                                  \
    .pack_transposed = pack_transposed,                                                            \
    .replace_columns = replace_columns,                                                            \
    .replace_rows = replace_rows,                                                                  \
    .scale_column = scale_column,                                                                  \
    .gemm = gemm,                                                                                  \
  }

/* v: values from 0 to 255 */
static inline void store_integers(Quantity *q, ivec v)
{
  const shorts words = __builtin_convertvector(v, shorts);
#if GROUP != 2
  const bytes narrow = __builtin_convertvector(words, bytes);
  memcpy(q, &narrow, sizeof narrow);
#else
  memcpy(q, &words, sizeof words);
#endif
}

/* Rounds to nearest, ties to even. The result is arbitrary unless |x| is below 2^22. */
static inline ivec to_integers(vec x)
{
#if defined(ISA_AVX512)
  return (ivec)_mm512_cvtps_epi32(x);
#elif defined(ISA_AVX2)
  return (ivec)_mm256_cvtps_epi32(x);
#elif defined(ISA_SSE41)
  return (ivec)_mm_cvtps_epi32(x);
#else
  return ((ivec)(x + EXP_SHIFT) << 10) >> 10;
#endif
}

static inline ivec larger_integers(ivec a, ivec b)
{
#if defined(ISA_AVX512)
  return (ivec)_mm512_max_epi32((__m512i)a, (__m512i)b);
#elif defined(ISA_AVX2)
  return (ivec)_mm256_max_epi32((__m256i)a, (__m256i)b);
#elif defined(ISA_SSE41)
  return (ivec)_mm_max_epi32((__m128i)a, (__m128i)b);
#else
  return (ivec)select_vector(a > b, (vec)a, (vec)b);
#endif
}

static inline ivec larger_unsigned(ivec a, ivec b)
{
#if defined(ISA_AVX512)
  return (ivec)_mm512_max_epu32((__m512i)a, (__m512i)b);
#elif defined(ISA_AVX2)
  return (ivec)_mm256_max_epu32((__m256i)a, (__m256i)b);
#elif defined(ISA_SSE41)
  return (ivec)_mm_max_epu32((__m128i)a, (__m128i)b);
#else
  return (ivec)select_vector((uvec)a > (uvec)b, (vec)a, (vec)b);
#endif
}

/* Halves the number of vectors: each result has the maxima of the lanes of two. */
#define REDUCE(v, h)                                                                               \
  _Pragma("GCC unroll 8") for (gint32 i = 0; i < (h); i++)                                         \
  {                                                                                                \
    const ivec a = (v)[i], b = (v)[i + (h)];                                                       \
    (v)[i] = larger_integers(__builtin_shufflevector(a, b, EACH_LANE(LANE_UPPER, h)),              \
                             __builtin_shufflevector(a, b, EACH_LANE(LANE_LOWER, h)));             \
  }

/* Returns: the maxima of the vectors, that of v[i] in lane i; v is overwritten */
static inline ivec reduce(ivec v[LANES])
{
#if LANES >= 16
  REDUCE(v, 8);
#endif
#if LANES >= 8
  REDUCE(v, 4);
#endif
  REDUCE(v, 2);
  REDUCE(v, 1);
  return v[0];
}

/* Multiplies a weight by a factor from 0 to 1. */
static inline guint8 scale_weight(guint8 weight, float factor)
{
  return (guint8)(gint8)rintf((float)(gint8)weight * factor);
}

/* Loads the first @n lanes, at most all, and takes the remaining lanes from @others. */
static inline vec load_some(const float *p, guint n, vec others)
{
#if defined(ISA_AVX512)
  return _mm512_mask_loadu_ps(others, n < LANES ? (1u << n) - 1 : 0xffff, p);
#else
  if (n >= LANES)
    return load(p);
  float lanes[LANES];
  store(lanes, others);
  memcpy(lanes, p, n * sizeof *p);
  return load(lanes);
#endif
}

/* x Phi(x). A NaN gives a NaN because of the order of the arguments. */
static inline vec coarse_gelu(vec x)
{
#if defined(ISA_AVX512)
  const vec c0 = { GELU_SEGMENTS_C0 }, c1 = { GELU_SEGMENTS_C1 }, c2 = { GELU_SEGMENTS_C2 };
  const vec t = (vec)((ivec)x & G_MAXINT32), place = t * GELU_SEGMENTS_PER_UNIT + EXP_SHIFT;
  /* The number of the segment is in the low bits. */
  const vec last = splat(EXP_SHIFT + GELU_SEGMENTS - 1);
  const __m512i segment = _mm512_min_epu32((__m512i)place, (__m512i)last);
  const vec slope = t * _mm512_permutexvar_ps(segment, c2) + _mm512_permutexvar_ps(segment, c1);
  return x * 0.5f + (t * slope + _mm512_permutexvar_ps(segment, c0));
#else
  const vec t = min_vector((vec)((ivec)x & G_MAXINT32), splat(COARSE_GELU_LIMIT));
  return t * COARSE_GELU_P(t) + max_vector(zero(), x);
#endif
}
