#include "default-model.h"

#include "command.h"

#define DEFAULT_MODEL "deit-tiny-imagenet1k.safetensors"

char *default_model_find(GError **error)
{
  const char *folders[] = { g_getenv("VITGATE_MODEL_DIR"), VITGATE_INSTALLED_MODELS };
  for (guint i = 0; i < G_N_ELEMENTS(folders); i++) {
    g_autofree char *path = folders[i] ? g_build_filename(folders[i], DEFAULT_MODEL, NULL) : NULL;
    if (path && g_file_test(path, G_FILE_TEST_IS_REGULAR))
      return g_steal_pointer(&path);
  }
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE,
              "no model is named with --model, and %s is neither in $VITGATE_MODEL_DIR nor in %s",
              DEFAULT_MODEL, VITGATE_INSTALLED_MODELS);
  return NULL;
}
