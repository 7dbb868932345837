#include "base/error.h"

char *vitgate_default_model_find(GError **error)
{
  const char *folders[] = { g_getenv("VITGATE_MODEL_DIR"), VITGATE_DATA_DIR };
  for (guint i = 0; i < G_N_ELEMENTS(folders); i++) {
    g_autofree char *path =
        folders[i] ? g_build_filename(folders[i], VITGATE_DEFAULT_MODEL, NULL) : NULL;
    if (path && g_file_test(path, G_FILE_TEST_EXISTS))
      return g_steal_pointer(&path);
  }
  vitgate__set_error(error, VITGATE_ERROR_NOT_FOUND,
                     "no model is given, and the default model %s is not in $VITGATE_MODEL_DIR or "
                     "in %s (if vitgate is not installed, use the shell of \"meson devenv -C build "
                     "-w .\")",
                     VITGATE_DEFAULT_MODEL, VITGATE_DATA_DIR);
  return NULL;
}
