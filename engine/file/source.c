#include "file/source.h"

#include <string.h>

#include "base/error.h"
#include "file/canonical.h"
#include "file/description-json.h"
#include "file/other-formats.h"
#include "file/shards.h"

/* layer_norm_eps of Hugging Face's networks, unless their configuration gives another. */
#define HUGGING_FACE_EPS 1e-12

char *vitgate__source_find(const char *path, GError **error)
{
  static const char *const names[] = { SHARDS_INDEX, "model.safetensors" };
  if (!g_file_test(path, G_FILE_TEST_IS_DIR))
    return g_strdup(path);
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *inside = g_build_filename(path, names[i], NULL);
    if (g_file_test(inside, G_FILE_TEST_EXISTS))
      return g_steal_pointer(&inside);
  }
  g_autofree char *pickle = g_build_filename(path, "pytorch_model.bin", NULL);
  if (g_file_test(pickle, G_FILE_TEST_EXISTS))
    vitgate__set_error(error, VITGATE_ERROR_FORMAT, "%s: %s", pickle, vitgate__pickle_advice);
  else
    vitgate__set_error(error, VITGATE_ERROR_NOT_FOUND, "%s: holds no %s or %s", path, names[1],
                       names[0]);
  return NULL;
}

Source *vitgate__source_open(const char *path, GError **error)
{
  g_autofree char *file = vitgate__source_find(path, error);
  if (!file)
    return NULL;
  g_autoptr(Source) source = g_new0(Source, 1);
  source->file = g_str_has_suffix(file, ".index.json") ? vitgate__shards_open(file, error)
                                                       : vitgate__safetensors_open(file, error);
  if (!source->file)
    return NULL;
  if (!vitgate__names_translate(source->file, &source->dialect, error))
    return NULL;
  if (vitgate__safetensors_get_metadata(source->file, DESCRIPTION_KEY))
    return g_steal_pointer(&source);
  gboolean class_token;
  return vitgate__config_read(&source->config, file, error) &&
                 vitgate__config_pools(&source->config, &class_token, error) &&
                 vitgate__canonicalize(source->file, class_token, &source->no_class_position, error)
             ? g_steal_pointer(&source)
             : NULL;
}

Identity *vitgate__source_identify(const Source *source)
{
  Identity *identity = vitgate__identity_new();
  vitgate__safetensors_identify(source->file, identity);
  vitgate__config_identify(&source->config, identity);
  return identity;
}

gboolean vitgate__source_check_unchanged(const Source *source, GError **error)
{
  const char *path = vitgate__safetensors_get_path(source->file);
  Identity *identity = vitgate__source_identify(source);
  const gboolean same = vitgate__identity_matches_folder(identity, path);
  vitgate__identity_free(&identity);
  if (!vitgate__safetensors_check_unchanged(source->file, error))
    return FALSE;
  if (!same)
    vitgate__set_error(error, VITGATE_ERROR_IO,
                       "%s: a shard or configuration file beside it was replaced while it was "
                       "being read",
                       path);
  return same;
}

void vitgate__source_close(Source **source)
{
  Source *s = g_steal_pointer(source);
  if (!s)
    return;
  vitgate__config_clear(&s->config);
  vitgate__dialect_clear(&s->dialect);
  vitgate__safetensors_close(&s->file);
  g_free(s);
}

/* Sets the defaults of Hugging Face's ViT image processor, for weights without a
 * preprocessor_config.json. */
static void take_processor_defaults(Preprocessing *p, guint image_size)
{
  p->resize = image_size;
  p->fit = VITGATE_FIT_SQUASH;
  p->bicubic = FALSE;
  for (guint i = 0; i < 3; i++)
    p->mean[i] = p->std[i] = 0.5f;
}

/* The file of published weights is called "model"; its folder has the name of the model. */
static void name_by_folder(Description *d, const char *path)
{
  g_autofree char *file = g_path_get_basename(path);
  if (strcmp(file, "model.safetensors") && strcmp(file, SHARDS_INDEX))
    return;
  g_autofree char *absolute = g_canonicalize_filename(path, NULL);
  g_autofree char *folder = g_path_get_dirname(absolute);
  g_autofree char *base = g_path_get_basename(folder);
  g_free(d->name);
  d->name = g_utf8_make_valid(base, -1);
}

Description *vitgate__source_describe(const Source *source, guint heads, GError **error)
{
  Hints hints = { .heads = heads };
  if (vitgate__safetensors_get_metadata(source->file, DESCRIPTION_KEY))
    return vitgate__describe(source->file, &hints, error);
  const Dialect *dialect = &source->dialect;
  if (dialect->hugging_face)
    hints.layer_norm_eps = HUGGING_FACE_EPS;
  hints.class_head_only = dialect->class_head_only;
  if (!vitgate__config_hint(&source->config, &hints, error))
    return NULL;
  g_autoptr(Description) d = vitgate__describe(source->file, &hints, error);
  if (!d)
    return NULL;
  if (dialect->hugging_face && !dialect->deit)
    take_processor_defaults(&d->preprocessing, d->image_size);
  d->no_class_position = source->no_class_position;
  name_by_folder(d, vitgate__safetensors_get_path(source->file));
  return vitgate__config_apply(&source->config, d, error) ? g_steal_pointer(&d) : NULL;
}
