#include "kernels/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

/* Features that VITGATE_CPU_MASK can hide. */
static const char *const mask_names[] = { "sse4.1",      "avx2",        "avx-vnni", "avx512",
                                          "avx512-vnni", "avx512-bf16", "amx-bf16", "fast-bf16",
                                          "dotprod",     "i8mm",        "bf16",     NULL };

/* A misspelt name would hide nothing, and what is then measured would be believed. */
static void check_mask(void)
{
  g_auto(GStrv) hidden = g_strsplit(g_getenv("VITGATE_CPU_MASK") ?: "", ",", -1);
  for (guint i = 0; hidden[i]; i++) {
    if (!*hidden[i] || g_strv_contains(mask_names, hidden[i]))
      continue;
    g_autofree char *names = g_strjoinv(", ", (GStrv)mask_names);
    g_log("vitgate", G_LOG_LEVEL_WARNING,
          "VITGATE_CPU_MASK: unknown feature \"%s\" is ignored; expected %s", hidden[i], names);
  }
}

static gboolean masked(const char *name)
{
  g_auto(GStrv) hidden = g_strsplit(g_getenv("VITGATE_CPU_MASK") ?: "", ",", -1);
  return g_strv_contains((const char *const *)hidden, name);
}

#ifdef __x86_64__

/* On Linux a process must ask for permission to use the large tile registers. */
static gboolean ask_for_tiles(void)
{
#ifdef __linux__
  const long request_permission = 0x1023, tile_data = 18; /* ARCH_REQ_XCOMP_PERM */
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return FALSE;
#endif
}

/* Clang 14 does not know this one by name. It uses AVX2's registers: what the system saves for
 * those suffices. */
static gboolean has_avx_vnni(void)
{
  const guint32 avx_vnni = 1u << 4;
  guint32 a, b, c, d;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && a & avx_vnni;
}

static gboolean has_amx_bf16(void)
{
  const guint32 amx_bf16 = 1u << 22, amx_tile = 1u << 24;
  guint32 a, b, c, d;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && !(~d & (amx_bf16 | amx_tile)) &&
         ask_for_tiles();
}

#endif

static gpointer read_features(gpointer unused)
{
  guint features = 0;
  check_mask();
#if defined(__x86_64__)
  /* The compiler's runtime checks the operating system (XGETBV) as well as the CPU. */
  __builtin_cpu_init();
  if (__builtin_cpu_supports("sse4.1") && !masked("sse4.1"))
    features |= 1u << CPU_SSE41;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && !masked("avx2")) {
    features |= 1u << CPU_AVX2;
    if (!masked("avx-vnni") && has_avx_vnni())
      features |= 1u << CPU_AVX_VNNI;
  }
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      !masked("avx512")) {
    features |= 1u << CPU_AVX512;
    if (__builtin_cpu_supports("avx512vnni") && !masked("avx512-vnni"))
      features |= 1u << CPU_AVX512_VNNI;
    if (__builtin_cpu_supports("avx512bf16") && !masked("avx512-bf16")) {
      features |= 1u << CPU_AVX512_BF16;
      const gboolean tiles = !masked("amx-bf16") && has_amx_bf16();
      if (tiles)
        features |= 1u << CPU_AMX_BF16;
      /* The AVX-512 BF16 instruction takes four cycles on Intel's CPUs and one on AMD's. */
      if (!masked("fast-bf16") && (tiles || __builtin_cpu_is("amd")))
        features |= 1u << CPU_FAST_BF16;
    }
  }
#elif defined(__aarch64__) && defined(__linux__)
  if (getauxval(AT_HWCAP) & HWCAP_ASIMDDP && !masked("dotprod")) {
    features |= 1u << CPU_DOTPROD;
    if (getauxval(AT_HWCAP2) & HWCAP2_I8MM && !masked("i8mm"))
      features |= 1u << CPU_I8MM;
  }
  if (getauxval(AT_HWCAP2) & HWCAP2_BF16 && !masked("bf16"))
    features |= 1u << CPU_BF16;
#endif
  return GUINT_TO_POINTER(features);
}

gboolean vitgate__cpu_has(CpuFeature feature)
{
  static GOnce once = G_ONCE_INIT;
  return GPOINTER_TO_UINT(g_once(&once, read_features, NULL)) >> feature & 1;
}
