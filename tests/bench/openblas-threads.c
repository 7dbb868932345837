/* Checks whether several threads may call an OpenBLAS at once: eight threads multiply matrices of
 * whole numbers, each its own, and compare with the exact result. This is why the engine does not
 * use Debian's serial build (see README.md). usage: openblas-threads
 * /usr/lib/x86_64-linux-gnu/openblas-serial/libopenblas.so.0 */
#include <dlfcn.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

enum { N_THREADS = 8, N_RUNS = 20000, N = 130, K = 77, ROW_MAJOR = 101, AS_IS = 111, TRANSPOSED };

typedef void (*Sgemm)(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                      const float *a, int a_stride, const float *b, int b_stride, float beta,
                      float *c, int c_stride);
static Sgemm sgemm;

static gpointer multiply(gpointer data)
{
  const guint number = GPOINTER_TO_UINT(data), m = 64 + 7 * number;
  g_autoptr(GRand) random = g_rand_new_with_seed(number);
  g_autofree float *a = g_new(float, m *K), *b = g_new(float, N *K), *c = g_new(float, m *N),
                   *expected = g_new0(float, m *N);
  for (guint i = 0; i < m * K; i++)
    a[i] = (float)g_rand_int_range(random, -4, 5);
  for (guint i = 0; i < N * K; i++)
    b[i] = (float)g_rand_int_range(random, -4, 5);
  for (guint i = 0; i < m; i++)
    for (guint j = 0; j < N; j++)
      for (guint p = 0; p < K; p++)
        expected[i * N + j] += a[i * K + p] * b[j * K + p];
  guint wrong = 0;
  for (guint i = 0; i < N_RUNS; i++) {
    sgemm(ROW_MAJOR, AS_IS, TRANSPOSED, (int)m, N, K, 1, a, K, b, K, 0, c, N);
    wrong += memcmp(c, expected, m * N * sizeof *c) != 0;
  }
  return GUINT_TO_POINTER(wrong);
}

int main(int argc, char **argv)
{
  void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
  sgemm = library ? (Sgemm)dlsym(library, "cblas_sgemm") : NULL;
  if (!sgemm) {
    fprintf(stderr, "openblas-threads: %s\n",
            argc == 2 ? dlerror() : "usage: openblas-threads LIBRARY");
    return 1;
  }
  GThread *threads[N_THREADS];
  guint wrong = 0;
  for (guint i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new(NULL, multiply, GUINT_TO_POINTER(i + 1));
  for (guint i = 0; i < N_THREADS; i++)
    wrong += GPOINTER_TO_UINT(g_thread_join(threads[i]));
  printf("%u of %u products are wrong\n", wrong, N_THREADS * N_RUNS);
  return 0;
}
