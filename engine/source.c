#include "source.h"

/* Of Hugging Face's configurations, where they tell nothing else. */
#define HUGGING_FACE_EPS 1e-12

Source *vitgate__source_open(const char *path, GError **error)
{
  g_autoptr(Source) source = g_new0(Source, 1);
  source->file = vitgate__safetensors_open(path, error);
  if (!source->file || !vitgate__names_translate(source->file, &source->dialect, error))
    return NULL;
  return g_steal_pointer(&source);
}

void vitgate__source_close(Source **source)
{
  Source *s = g_steal_pointer(source);
  if (!s)
    return;
  vitgate__dialect_clear(&s->dialect);
  vitgate__safetensors_close(&s->file);
  g_free(s);
}

Description *vitgate__source_describe(const Source *source, guint heads, GError **error)
{
  Hints hints = { .heads = heads };
  if (source->dialect.hugging_face)
    hints.layer_norm_eps = HUGGING_FACE_EPS;
  return vitgate__description_read(source->file, &hints, error);
}
