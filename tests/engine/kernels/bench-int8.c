/* Times products of DeiT-Tiny, in chunks of rows as in the engine and with all tokens at once. The
 * percentage is relative to the speed of the table's instruction alone. Other programs on the
 * machine can only lengthen a time, so the shortest of many counts. */
#include "bench-int8.h"

#include <glib.h>
#include <string.h>
#include <time.h>

#include "kernels/int8.h"

#define MOST_ROWS 197
#define MOST_K    768
#define MOST_N    768

/* Duration of one measurement: long enough that some calls are undisturbed. */
#define SECONDS 0.2

static float x[MOST_ROWS * MOST_K], out[MOST_ROWS * MOST_N], scales[MOST_N], bias[MOST_N];
static gint8 weights[MOST_N * MOST_K];
static Int8Row rows[MOST_ROWS];

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Repeats @call for SECONDS and sets @seconds to the duration of the fastest one. */
#define FASTEST(seconds, call)                                                                     \
  do {                                                                                             \
    const double end_ = now() + SECONDS;                                                           \
    double start_ = now(), stop_;                                                                  \
    for (seconds = SECONDS; start_ < end_; start_ = now()) {                                       \
      call;                                                                                        \
      stop_ = now();                                                                               \
      seconds = MIN(seconds, stop_ - start_);                                                      \
    }                                                                                              \
  } while (0)

/* ---- The instructions alone ---- */

#define LOOPS 10000
#define SUMS  12

#ifdef __x86_64__
#define REPEAT(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11)
#define ZMM(i)     "vpdpbusd %%zmm15, %%zmm15, %%zmm" #i "\n"
#define YMM(i)     "%{vex%} vpdpbusd %%ymm15, %%ymm15, %%ymm" #i "\n"
#define WORDS(i)   "vpmaddwd %%ymm15, %%ymm15, %%ymm" #i "\n"
#define RUN(op)                                                                                    \
  do {                                                                                             \
    guint n_ = LOOPS;                                                                              \
    __asm__ volatile("1:\n" REPEAT(op) "dec %0\njnz 1b\nvzeroupper\n"                              \
                     : "+r"(n_)                                                                    \
                     :                                                                             \
                     : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",       \
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm15");                                 \
  } while (0)
#endif

/* Returns: multiply-adds per second; 0 if the table has no instruction of its own */
static double measure_instruction(const Int8Kernels *kernels)
{
  double seconds = 0;
  guint products = 0;
#ifdef __x86_64__
  if (!strcmp(kernels->name, "avx512-vnni")) {
    FASTEST(seconds, RUN(ZMM));
    products = 64;
  } else if (!strcmp(kernels->name, "avx-vnni")) {
    FASTEST(seconds, RUN(YMM));
    products = 32;
  } else if (!strcmp(kernels->name, "avx2")) {
    FASTEST(seconds, RUN(WORDS));
    products = 16;
  }
#endif
  return products ? (double)products * SUMS * LOOPS / seconds : 0;
}

/* ---- Kernels ---- */

static void bench_gemm(const Int8Kernels *kernels, guint m, guint n, guint k, Int8Mode mode)
{
  static const char *const modes[] = { "store", "add", "gelu" };
  g_autofree guint8 *q_memory = g_malloc(m * vitgate__int8_row_size(kernels, k) + 64);
  g_autofree guint8 *packed_memory = g_malloc(vitgate__int8_packed_size(kernels, n, k) + 64);
  gpointer q = (gpointer)(((gsize)q_memory + 63) / 64 * 64);
  gpointer packed = (gpointer)(((gsize)packed_memory + 63) / 64 * 64);
  const double limit = measure_instruction(kernels);
  double seconds;
  kernels->quantize(q, rows, x, k, m, k);
  kernels->pack(packed, weights, k, n, k);
  memset(out, 0, sizeof out);
  FASTEST(seconds, kernels->gemm(out, n, q, rows, packed, scales, bias, mode, m, n, k));
  const double rate = (double)m * n * k / seconds;
  g_print("%-12s %3u rows %3u -> %3u %-5s %8.2f us %6.1f GMAC/s", kernels->name, m, k, n,
          modes[mode], 1e6 * seconds, 1e-9 * rate);
  g_print(limit > 0 ? " %3.0f %% of %.0f\n" : "\n", 100 * rate / limit, 1e-9 * limit);
}

static void bench_quantize(const Int8Kernels *kernels, guint m, guint k)
{
  g_autofree guint8 *q = g_malloc(m * vitgate__int8_row_size(kernels, k));
  double seconds;
  FASTEST(seconds, kernels->quantize(q, rows, x, k, m, k));
  g_print("%-12s %3u rows of %3u quantised   %8.2f us %6.2f values/ns\n", kernels->name, m, k,
          1e6 * seconds, 1e-9 * m * k / seconds);
}

void bench_int8(void)
{
  static const struct {
    guint n, k;
    Int8Mode mode;
  } products[] = {
    { 576, 192, INT8_STORE }, { 192, 192, INT8_ADD },   { 768, 192, INT8_STORE },
    { 768, 192, INT8_GELU },  { 192, 768, INT8_STORE }, { 192, 768, INT8_ADD },
  };
  static const guint counts[] = { 1, 2, 3, 4, 6, 8, 12, 16, 24, 48, 49, 60, MOST_ROWS };
  for (gsize i = 0; i < G_N_ELEMENTS(x); i++)
    x[i] = (float)(i * 7919 % 1009) / 256 - 1;
  for (gsize i = 0; i < G_N_ELEMENTS(weights); i++)
    weights[i] = (gint8)(i * 7907 % 255) - 127;
  for (guint i = 0; i < MOST_N; i++) {
    scales[i] = 1e-4f;
    bias[i] = 0.1f;
  }
  for (const Int8Kernels *const *table = vitgate__int8_kernels_all(); *table; table++) {
    for (guint m = 0; m < G_N_ELEMENTS(counts); m++)
      for (guint i = 0; i < G_N_ELEMENTS(products); i++)
        bench_gemm(*table, counts[m], products[i].n, products[i].k, products[i].mode);
    bench_quantize(*table, 48, 192);
    bench_quantize(*table, 48, 768);
  }
}
