#include "kernels/kernels.h"

#include "kernels/cpu.h"

extern const Kernels vitgate__kernels_portable;
#ifdef __x86_64__
extern const Kernels vitgate__kernels_sse41, vitgate__kernels_avx2, vitgate__kernels_avx512;
#endif

static gpointer list_kernels(gpointer unused)
{
  static const Kernels *usable[5];
  guint n = 0;
#ifdef __x86_64__
  if (vitgate__cpu_has(CPU_AVX512))
    usable[n++] = &vitgate__kernels_avx512;
  if (vitgate__cpu_has(CPU_AVX2))
    usable[n++] = &vitgate__kernels_avx2;
  if (vitgate__cpu_has(CPU_SSE41))
    usable[n++] = &vitgate__kernels_sse41;
#endif
  usable[n++] = &vitgate__kernels_portable;
  return usable;
}

const Kernels *const *vitgate__kernels_all(void)
{
  static GOnce once = G_ONCE_INIT;
  return g_once(&once, list_kernels, NULL);
}

const Kernels *vitgate__kernels(void)
{
  return vitgate__kernels_all()[0];
}
