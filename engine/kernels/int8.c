#include "kernels/int8.h"

#include "kernels/cpu.h"

extern const Int8Kernels vitgate__int8_portable;
#if defined(__x86_64__)
extern const Int8Kernels vitgate__int8_sse41, vitgate__int8_avx2, vitgate__int8_avx_vnni,
    vitgate__int8_avx512_vnni;
#elif defined(__aarch64__)
extern const Int8Kernels vitgate__int8_i8mm, vitgate__int8_dotprod, vitgate__int8_neon;
#endif

static gpointer list_kernels(gpointer unused)
{
  static const Int8Kernels *usable[6];
  guint n = 0;
#if defined(__x86_64__)
  if (vitgate__cpu_has(CPU_AVX512_VNNI))
    usable[n++] = &vitgate__int8_avx512_vnni;
  if (vitgate__cpu_has(CPU_AVX_VNNI))
    usable[n++] = &vitgate__int8_avx_vnni;
  if (vitgate__cpu_has(CPU_AVX2))
    usable[n++] = &vitgate__int8_avx2;
  if (vitgate__cpu_has(CPU_SSE41))
    usable[n++] = &vitgate__int8_sse41;
#elif defined(__aarch64__)
  if (vitgate__cpu_has(CPU_I8MM))
    usable[n++] = &vitgate__int8_i8mm;
  if (vitgate__cpu_has(CPU_DOTPROD))
    usable[n++] = &vitgate__int8_dotprod;
  usable[n++] = &vitgate__int8_neon;
#endif
  usable[n++] = &vitgate__int8_portable;
  return usable;
}

const Int8Kernels *const *vitgate__int8_kernels_all(void)
{
  static GOnce once = G_ONCE_INIT;
  return g_once(&once, list_kernels, NULL);
}

const Int8Kernels *vitgate__int8_kernels(void)
{
  return vitgate__int8_kernels_all()[0];
}
