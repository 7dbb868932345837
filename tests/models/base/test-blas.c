#include "base/blas.h"

#include <math.h>
#include <string.h>

#include "fixtures.h"

/* Odd sizes that no kernel's tile fits. */
enum { M = 37, N = 53, K = 71 };

/* OpenBLAS sums K products of numbers up to 1 in another order. */
#define TOLERANCE 1e-4f

static Blas *blas;

static float input(guint i)
{
  return (float)((i * 7919u) % 101u) / 101.0f - 0.5f;
}

START_TEST(sgemm_multiplies)
{
  float a[M * K], b[K * N], c[M * N];
  for (guint i = 0; i < M * K; i++)
    a[i] = input(i);
  for (guint i = 0; i < K * N; i++)
    b[i] = input(3 * i + 1);
  memset(c, 0xff, sizeof c);
  blas->sgemm(BLAS_ROW_MAJOR, BLAS_NO_TRANS, BLAS_NO_TRANS, M, N, K, 1.0f, a, K, b, N, 0.0f, c, N);
  for (guint i = 0; i < M; i++)
    for (guint j = 0; j < N; j++) {
      double sum = 0;
      for (guint k = 0; k < K; k++)
        sum += (double)a[i * K + k] * (double)b[k * N + j];
      ck_assert_float_eq_tol(c[i * N + j], (float)sum, TOLERANCE);
    }
}
END_TEST

/* Large enough for OpenBLAS to divide the work among its threads. */
#define LARGE 512

static gpointer multiply_large(gpointer data)
{
  guint seed = GPOINTER_TO_UINT(data);
  gsize n = LARGE * LARGE;
  g_autofree float *a = g_new(float, n), *b = g_new(float, n), *c = g_new(float, n);
  for (gsize i = 0; i < n; i++) {
    a[i] = (i % LARGE == i / LARGE) ? 1.0f : 0.0f;
    b[i] = input((guint)i + seed);
  }
  for (guint round = 0; round < 8; round++) {
    memset(c, 0xff, n * sizeof *c);
    blas->sgemm(BLAS_ROW_MAJOR, BLAS_NO_TRANS, BLAS_TRANS, LARGE, LARGE, LARGE, 1.0f, a, LARGE, b,
                LARGE, 0.0f, c, LARGE);
    for (guint i = 0; i < LARGE; i++)
      for (guint j = 0; j < LARGE; j++)
        if (c[i * LARGE + j] != b[j * LARGE + i])
          return GUINT_TO_POINTER(1);
  }
  return NULL;
}

/* Debian's serial build fails this test, because it shares its buffers without a lock. */
START_TEST(products_in_two_threads_do_not_interfere)
{
  GThread *other = g_thread_new("other", multiply_large, GUINT_TO_POINTER(11));
  gpointer wrong_here = multiply_large(GUINT_TO_POINTER(5));
  gpointer wrong_there = g_thread_join(other);
  ck_assert_ptr_null(wrong_here);
  ck_assert_ptr_null(wrong_there);
}
END_TEST

START_TEST(the_users_choice_of_kernels_is_kept)
{
  g_setenv("OPENBLAS_CORETYPE", "HASWELL", TRUE);
  blas_prepare_environment();
  ck_assert_str_eq(g_getenv("OPENBLAS_CORETYPE"), "HASWELL");
}
END_TEST

int main(void)
{
  g_autoptr(GError) error = NULL;
  blas_prepare_environment();
  blas = blas_open(2, &error);
  if (!blas) {
    g_printerr("skipped: %s\n", error->message);
    return 77;
  }
  TCase *tests = tcase_create("blas");
  tcase_add_test(tests, sgemm_multiplies);
  tcase_add_test(tests, products_in_two_threads_do_not_interfere);
  tcase_add_test(tests, the_users_choice_of_kernels_is_kept);
  int status = fixtures_run(tests, "blas");
  blas_close(&blas);
  return status;
}
