/* OpenBLAS, loaded at run time as the yardstick of bench.
 *
 * Engine and trainer have their own kernels and do not use it. OpenBLAS chooses its kernels in its
 * constructor, from the CPU and from OPENBLAS_CORETYPE; on a CPU newer than itself, it falls back
 * to AVX2. So the environment must be set before the library is opened, which is not possible with
 * a link-time dependency. */
#pragma once

#include <glib.h>

typedef struct {
  void *library;
  char *path; /* the library that was loaded */
  void (*set_num_threads)(int n_threads);
  int (*get_parallel)(void); /* (nullable); returns 0 for a build without threads */
  void (*sgemm)(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);
} Blas;

/* cblas.h's constants for sgemm(). */
enum { BLAS_ROW_MAJOR = 101, BLAS_NO_TRANS = 111, BLAS_TRANS = 112 };

/* Selects the AVX-512 kernels of OpenBLAS if the CPU and the system support AVX-512 and the user
 * has not chosen kernels. Call it before any thread exists: setenv() is not safe while another
 * thread calls getenv(). */
void blas_prepare_environment(void);

/* Opens the library and sets it to use @n_threads threads.
 * Returns: (transfer full): or NULL with COMMAND_ERROR_IO */
Blas *blas_open(guint n_threads, GError **error);

/* Frees *@blas, which may be NULL, and nulls it. The library stays loaded, since its threads cannot
 * be stopped. */
void blas_close(Blas **blas);

static inline void blas_cleanup(Blas *blas)
{
  blas_close(&blas);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Blas, blas_cleanup)
