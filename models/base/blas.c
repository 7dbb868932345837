#include "base/blas.h"

#include <dlfcn.h>

#include "base/command-error.h"

#define SONAME "libopenblas.so.0"

static gboolean cpu_has_avx512(void)
{
#if defined(__x86_64__)
  /* These also check that the system supports AVX-512 (XGETBV), not only the CPU. */
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512cd");
#else
  return FALSE;
#endif
}

void blas_prepare_environment(void)
{
  if (cpu_has_avx512())
    g_setenv("OPENBLAS_CORETYPE", "SKYLAKEX", FALSE);
}

/* Debian installs each variant in its own folder; the plain soname is the one that the alternatives
 * system selected. The serial build corrupts results if two threads compute products at the same
 * time, so the pthread build is tried first, by its path. */
static void *open_library(char **path)
{
  const char *candidates[] = {
#ifdef OPENBLAS_PTHREAD_DIR
    OPENBLAS_PTHREAD_DIR "/" SONAME,
#endif
    SONAME,
  };
  for (guint i = 0; i < G_N_ELEMENTS(candidates); i++) {
    void *library = dlopen(candidates[i], RTLD_NOW | RTLD_LOCAL);
    if (library) {
      *path = g_strdup(candidates[i]);
      return library;
    }
  }
  return NULL;
}

Blas *blas_open(guint n_threads, GError **error)
{
  g_autoptr(Blas) blas = g_new0(Blas, 1);
  blas->library = open_library(&blas->path);
  if (!blas->library) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_IO,
                "cannot load OpenBLAS (Debian package libopenblas0-pthread): %s", dlerror());
    return NULL;
  }
  /* POSIX allows the conversion of dlsym()'s result to a function pointer. ISO C does not, except
   * like this. */
  *(void **)&blas->sgemm = dlsym(blas->library, "cblas_sgemm");
  *(void **)&blas->set_num_threads = dlsym(blas->library, "openblas_set_num_threads");
  *(void **)&blas->get_parallel = dlsym(blas->library, "openblas_get_parallel");
  if (!blas->sgemm || !blas->set_num_threads) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_IO,
                "%s does not contain cblas_sgemm or openblas_set_num_threads", blas->path);
    return NULL;
  }
  if (n_threads > 1 && blas->get_parallel && blas->get_parallel() == 0) {
    g_set_error(
        error, COMMAND_ERROR, COMMAND_ERROR_IO,
        "%s is a build of OpenBLAS without threads, but %u threads are requested (Debian package "
        "libopenblas0-pthread)",
        blas->path, n_threads);
    return NULL;
  }
  blas->set_num_threads((int)n_threads);
  return g_steal_pointer(&blas);
}

void blas_close(Blas **blas)
{
  if (!*blas)
    return;
  g_free((*blas)->path);
  g_free(*blas);
  *blas = NULL;
}
