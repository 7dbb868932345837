#include "kernels/bf16.h"

#include "kernels/cpu.h"

#if defined(__x86_64__)
extern const Bf16Kernels vitgate__bf16_amx, vitgate__bf16_avx512;
#elif defined(__aarch64__)
extern const Bf16Kernels vitgate__bf16_neon;
#endif

const Bf16Kernels *vitgate__bf16_kernels(void)
{
#if defined(__x86_64__)
  if (vitgate__cpu_has(CPU_AMX_BF16))
    return &vitgate__bf16_amx;
  if (vitgate__cpu_has(CPU_AVX512_BF16))
    return &vitgate__bf16_avx512;
#elif defined(__aarch64__)
  if (vitgate__cpu_has(CPU_BF16))
    return &vitgate__bf16_neon;
#endif
  return NULL;
}

gboolean vitgate__bf16_is_fast(void)
{
  return vitgate__cpu_has(CPU_FAST_BF16);
}
