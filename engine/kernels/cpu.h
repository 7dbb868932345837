/* The instruction sets that this CPU and its operating system can run. The environment variable
 * VITGATE_CPU_MASK, a comma-separated list of feature names, hides features; it is for tests. */
#pragma once

#include <glib.h>

typedef enum {
  CPU_SSE41,       /* "sse4.1" */
  CPU_AVX2,        /* "avx2": AVX2 and FMA */
  CPU_AVX_VNNI,    /* "avx-vnni": "avx2" plus AVX-VNNI */
  CPU_AVX512,      /* "avx512": AVX-512 F, BW, DQ and VL */
  CPU_AVX512_VNNI, /* "avx512-vnni": "avx512" plus AVX-512 VNNI */
  CPU_AVX512_BF16, /* "avx512-bf16": "avx512" plus AVX-512 BF16 */
  CPU_AMX_BF16,    /* "amx-bf16": "avx512-bf16" plus AMX tiles of bfloat16 */
  CPU_FAST_BF16,   /* "fast-bf16": bfloat16 products are faster than float32 products; never set on
                    * ARM, where nobody has measured it */
  CPU_DOTPROD,     /* "dotprod": the byte dot products of ARMv8.2 */
  CPU_I8MM,        /* "i8mm": "dotprod" plus the byte matrix products of ARMv8.6 */
  CPU_BF16,        /* "bf16": the bfloat16 matrix products of ARMv8.6 */
} CpuFeature;

gboolean vitgate__cpu_has(CpuFeature feature);
