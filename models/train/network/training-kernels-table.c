#include "train/network/training-kernels.h"

#ifdef TRAIN_DOUBLE

extern const TrainingKernels training_kernels_portable;

const TrainingKernels *training_kernels(void)
{
  return &training_kernels_portable;
}

#else

#include "kernels/cpu.h"

extern const TrainingKernels training_kernels_portable;
#ifdef __x86_64__
extern const TrainingKernels training_kernels_avx2, training_kernels_avx512;
#endif

const TrainingKernels *training_kernels(void)
{
#ifdef __x86_64__
  if (vitgate__cpu_has(CPU_AVX512))
    return &training_kernels_avx512;
  if (vitgate__cpu_has(CPU_AVX2))
    return &training_kernels_avx2;
#endif
  return &training_kernels_portable;
}

#endif
