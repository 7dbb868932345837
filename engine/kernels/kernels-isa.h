/* Vectors of the instruction set that this file is compiled for. The build defines ISA, the name of
 * the set. */
#pragma once

#include <string.h>

#include "kernels/kernels.h"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE4_1__)
#include <smmintrin.h>
#endif

#if defined(ISA_AVX512)
#define LANES     16
#define TILE_ROWS 12
#elif defined(ISA_AVX2)
#define LANES     8
#define TILE_ROWS 6
#else
#define LANES     4
#define TILE_ROWS 6
#endif

#define PASTE_(a, b) vitgate__##a##_##b
#define PASTE(a, b)  PASTE_(a, b)
#define KERNEL(name) PASTE(name, ISA)
#define KERNELS      PASTE(kernels, ISA)

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef gint32 ivec __attribute__((vector_size(4 * LANES)));
typedef guint8 bytes __attribute__((vector_size(LANES)));
typedef guint16 shorts __attribute__((vector_size(2 * LANES)));
typedef float vec_unaligned __attribute__((vector_size(4 * LANES), aligned(4)));

static inline vec load(const float *p)
{
  return *(const vec_unaligned *)p;
}

static inline void store(float *p, vec v)
{
  *(vec_unaligned *)p = v;
}

static inline vec zero(void)
{
  return (vec){ 0 };
}

/* Subtracting zero changes no value, so the compiler keeps only the broadcast. */
static inline vec splat(float value)
{
  return value - zero();
}

static inline vec select_vector(ivec mask, vec a, vec b)
{
  return (vec)(((ivec)a & mask) | ((ivec)b & ~mask));
}

/* Returns the second argument if one of them is a NaN. The intrinsics avoid the three instructions
 * that GCC 12 generates for a comparison and a selection. */
static inline vec max_vector(vec a, vec b)
{
#if defined(ISA_AVX512)
  return _mm512_max_ps(a, b);
#elif defined(ISA_AVX2)
  return _mm256_max_ps(a, b);
#elif defined(ISA_SSE41)
  return _mm_max_ps(a, b);
#else
  return select_vector(a > b, a, b);
#endif
}

static inline vec min_vector(vec a, vec b)
{
#if defined(ISA_AVX512)
  return _mm512_min_ps(a, b);
#elif defined(ISA_AVX2)
  return _mm256_min_ps(a, b);
#elif defined(ISA_SSE41)
  return _mm_min_ps(a, b);
#else
  return select_vector(a < b, a, b);
#endif
}

/* Rounds |x| below 2^22: after adding 1.5 * 2^23 no bits are left for a fraction. */
static inline vec round_vector(vec x)
{
  return (x + 12582912.0f) - 12582912.0f;
}

/* The intrinsics avoid the dozen instructions that GCC 12 generates for these conversions. */
static inline vec bytes_to_floats(const guint8 *p)
{
#if defined(ISA_AVX512)
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)));
#elif defined(ISA_AVX2)
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)));
#elif defined(ISA_SSE41)
  gint32 four;
  memcpy(&four, p, sizeof four);
  return _mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(four)));
#else
  bytes v;
  memcpy(&v, p, sizeof v);
  shorts wide = __builtin_convertvector(v, shorts);
  return __builtin_convertvector(__builtin_convertvector(wide, ivec), vec);
#endif
}

/* @p: LANES numbers of two bytes, low byte first */
static inline vec shorts_to_floats(const guint8 *p)
{
#if defined(ISA_AVX512)
  return _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)));
#elif defined(ISA_AVX2)
  return _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)));
#elif defined(ISA_SSE41)
  return _mm_cvtepi32_ps(_mm_cvtepu16_epi32(_mm_loadl_epi64((const __m128i *)p)));
#else
  shorts v;
  memcpy(&v, p, sizeof v);
  return __builtin_convertvector(__builtin_convertvector(v, ivec), vec);
#endif
}

/* v: whole numbers from 0 to 255 */
static inline bytes floats_to_bytes(vec v)
{
#if defined(ISA_AVX512)
  return (bytes)_mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v));
#else
  shorts narrow = __builtin_convertvector(__builtin_convertvector(v, ivec), shorts);
  return __builtin_convertvector(narrow, bytes);
#endif
}

/* f(lane, h) for each lane. A shuffle takes its lanes as constants, so macros list them. */
#if LANES == 16
#define EACH_LANE(f, h)                                                                            \
  f(0, h), f(1, h), f(2, h), f(3, h), f(4, h), f(5, h), f(6, h), f(7, h), f(8, h), f(9, h),        \
      f(10, h), f(11, h), f(12, h), f(13, h), f(14, h), f(15, h)
#elif LANES == 8
#define EACH_LANE(f, h) f(0, h), f(1, h), f(2, h), f(3, h), f(4, h), f(5, h), f(6, h), f(7, h)
#else
#define EACH_LANE(f, h) f(0, h), f(1, h), f(2, h), f(3, h)
#endif

#define LANE_NUMBER(i, h)  (i)
#define LANE_SWAPPED(i, h) ((i) ^ (h))
#define LANE_UPPER(i, h)   ((i) & (h) ? LANES + (i) - (h) : (i))
#define LANE_LOWER(i, h)   ((i) & (h) ? LANES + (i) : (i) + (h))

static inline ivec lane_numbers(void)
{
  return (ivec){ EACH_LANE(LANE_NUMBER, 0) };
}

/* Exchanges neighbouring groups of @distance lanes of a vec. */
#define SWAP_LANES(v, distance) __builtin_shufflevector((v), (v), EACH_LANE(LANE_SWAPPED, distance))

static inline float add_lanes(vec v)
{
#if LANES >= 16
  v += SWAP_LANES(v, 8);
#endif
#if LANES >= 8
  v += SWAP_LANES(v, 4);
#endif
  v += SWAP_LANES(v, 2);
  v += SWAP_LANES(v, 1);
  return v[0];
}

static inline float max_lanes(vec v)
{
#if LANES >= 16
  v = max_vector(v, SWAP_LANES(v, 8));
#endif
#if LANES >= 8
  v = max_vector(v, SWAP_LANES(v, 4));
#endif
  v = max_vector(v, SWAP_LANES(v, 2));
  v = max_vector(v, SWAP_LANES(v, 1));
  return v[0];
}

/* One step of a transposition: swaps the off-diagonal blocks of @h lanes by @h rows. */
#define EXCHANGE_BLOCKS(v, h)                                                                      \
  _Pragma("GCC unroll 16") for (gint32 i = 0; i < LANES; i++)                                      \
  {                                                                                                \
    if (i & (h))                                                                                   \
      continue;                                                                                    \
    const vec a = (v)[i], b = (v)[i + (h)];                                                        \
    (v)[i] = __builtin_shufflevector(a, b, EACH_LANE(LANE_UPPER, h));                              \
    (v)[i + (h)] = __builtin_shufflevector(a, b, EACH_LANE(LANE_LOWER, h));                        \
  }

static inline __attribute__((always_inline)) void transpose(vec v[LANES])
{
#if LANES >= 16
  EXCHANGE_BLOCKS(v, 8);
#endif
#if LANES >= 8
  EXCHANGE_BLOCKS(v, 4);
#endif
  EXCHANGE_BLOCKS(v, 2);
  EXCHANGE_BLOCKS(v, 1);
}

void KERNEL(interleave_rows)(float *out, const guint8 *in, gsize in_stride, guint n_rows, guint n);
void KERNEL(interleave_rows16)(float *out, const guint8 *in, gsize in_stride, float scale,
                               guint n_rows, guint n);
void KERNEL(resample_columns)(guint8 *out, gsize out_stride, const float *in, gsize step,
                              const guint *starts, const float *weights, guint taps, guint n_rows,
                              guint n);
void KERNEL(resample_rows)(float *out, const guint8 *in, gsize in_stride, const float *weights,
                           guint taps, guint n);
void KERNEL(convert_colors)(float *const out[3], const float *const in[3], const float matrix[3][3],
                            const float offset[3], const float scale[3], const float shift[3],
                            guint n);
