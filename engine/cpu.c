#include "cpu.h"

#include <string.h>

static gboolean masked(const char *name)
{
  g_auto(GStrv) hidden = g_strsplit(g_getenv("VITGATE_CPU_MASK") ?: "", ",", -1);
  return g_strv_contains((const char *const *)hidden, name);
}

static gpointer read_features(gpointer unused)
{
  guint features = 0;
#ifdef __x86_64__
  /* The compiler's run-time asks the system too (XGETBV), not only the CPU. */
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && !masked("avx2"))
    features |= 1u << CPU_AVX2;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && !masked("avx512"))
    features |= 1u << CPU_AVX512;
#endif
  return GUINT_TO_POINTER(features);
}

gboolean vitgate__cpu_has(CpuFeature feature)
{
  static GOnce once = G_ONCE_INIT;
  return GPOINTER_TO_UINT(g_once(&once, read_features, NULL)) >> feature & 1;
}
