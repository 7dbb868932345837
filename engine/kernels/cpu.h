/* What this CPU and its operating system can run. The environment variable VITGATE_CPU_MASK, a
 * comma separated list of feature names, hides features: for tests. */
#pragma once

#include <glib.h>

typedef enum {
  CPU_AVX2,        /* "avx2": AVX2 and FMA */
  CPU_AVX_VNNI,    /* "avx-vnni": these, and AVX-VNNI */
  CPU_AVX512,      /* "avx512": AVX-512 F, BW, DQ and VL */
  CPU_AVX512_VNNI, /* "avx512-vnni": these, and AVX-512 VNNI */
  CPU_AVX512_BF16, /* "avx512-bf16": those of "avx512", and AVX-512 BF16 */
  CPU_AMX_BF16,    /* "amx-bf16": these, and AMX tiles of bfloat16 */
  CPU_FAST_BF16,   /* "fast-bf16": products of bfloat16 take less time than those of float32 */
  CPU_DOTPROD,     /* "dotprod": the dot products of bytes of ARMv8.2 */
} CpuFeature;

gboolean vitgate__cpu_has(CpuFeature feature);
