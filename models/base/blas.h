/* OpenBLAS, loaded at run time: the yardstick of bench.
 *
 * Engine and trainer have kernels of their own and need none of this. OpenBLAS chooses its kernels
 * in its constructor, from the CPU and from OPENBLAS_CORETYPE; on CPUs newer than itself it falls
 * back to AVX2. So the environment is set first and the library is opened after, which a link-time
 * dependency would not allow. */
#pragma once

#include <glib.h>

typedef struct {
  void *library;
  char *path; /* what was loaded */
  void (*set_num_threads)(int n_threads);
  int (*get_parallel)(void); /* (nullable): 0: a build without threads */
  void (*sgemm)(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);
} Blas;

/* cblas.h's constants for sgemm(). */
enum { BLAS_ROW_MAJOR = 101, BLAS_NO_TRANS = 111, BLAS_TRANS = 112 };

/* Names the AVX-512 kernels to OpenBLAS where the CPU and the system have AVX-512 and the user has
 * named none. To be called before any thread exists: setenv() is not safe beside getenv(). */
void blas_prepare_environment(void);

/* Opens the library and has it run on @n_threads threads.
 * Returns: (transfer full): or NULL with COMMAND_ERROR_IO */
Blas *blas_open(guint n_threads, GError **error);

/* The library itself stays loaded: its threads cannot be ended. Nulls *@blas, which may be NULL. */
void blas_close(Blas **blas);

static inline void blas_cleanup(Blas *blas)
{
  blas_close(&blas);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Blas, blas_cleanup)
