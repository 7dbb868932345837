#include "train/network/training-kernels.h"

#ifdef TRAIN_DOUBLE

extern const Functions functions_portable;

const Functions *functions(void)
{
  return &functions_portable;
}

#else

#include "kernels/cpu.h"

extern const Functions functions_portable;
#ifdef __x86_64__
extern const Functions functions_avx2, functions_avx512;
#endif

const Functions *functions(void)
{
#ifdef __x86_64__
  if (vitgate__cpu_has(CPU_AVX512))
    return &functions_avx512;
  if (vitgate__cpu_has(CPU_AVX2))
    return &functions_avx2;
#endif
  return &functions_portable;
}

#endif
