#include "bf16.h"

#include "cpu.h"

#ifdef __x86_64__
extern const Bf16Kernels vitgate__bf16_amx;
#endif

const Bf16Kernels *vitgate__bf16_kernels(void)
{
#ifdef __x86_64__
  if (vitgate__cpu_has(CPU_AMX_BF16))
    return &vitgate__bf16_amx;
#endif
  return NULL;
}
