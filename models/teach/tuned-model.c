#include "teach/tuned-model.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/command-error.h"
#include "teach/taught-file.h"

gboolean tuned_model_open(const Tuning *tuning, const char *path, const Description *description,
                          Source **source, VitgateModel **model, GError **error)
{
  g_autofree char *name = g_strconcat(path, ".XXXXXX", NULL);
  VitgateModel *opened = NULL;
  Source *file = NULL;
  const int descriptor = g_mkstemp(name);
  if (descriptor < 0) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_IO, "cannot create %s: %s", name,
                g_strerror(errno));
    return FALSE;
  }
  close(descriptor);
  if (taught_file_write_tail(name, *source, description, tail_get_network(tuning->tail),
                             tuning->first, error) &&
      (opened = vitgate_model_open(name, error)))
    file = vitgate__source_open(name, error);
  g_unlink(name);
  if (!file) {
    vitgate_model_unref(&opened);
    return FALSE;
  }
  vitgate_model_unref(model);
  vitgate__source_close(source);
  *model = opened;
  *source = file;
  return TRUE;
}

gboolean tuned_model_renew(Examples *examples, const Pictures *pictures,
                           const FeaturesOptions *options, GError **error)
{
  const gsize n = (gsize)examples->n_views * examples->n_features;
  g_autoptr(GPtrArray) sources = g_ptr_array_new();
  g_autoptr(Examples) again =
      examples_new(examples->labels, examples->n_features, examples->n_views);
  g_autoptr(GHashTable) by_hash = g_hash_table_new(g_int64_hash, g_int64_equal);
  if (!features_run(again, pictures, options, sources, NULL, error))
    return FALSE;
  for (guint i = 0; i < again->list->len; i++)
    g_hash_table_insert(by_hash, &examples_get(again, i)->hash, examples_get(again, i));
  for (guint i = 0; i < examples->list->len; i++) {
    Example *example = examples_get(examples, i);
    const Example *found = g_hash_table_lookup(by_hash, &example->hash);
    if (!found) {
      g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_IO, "%s: cannot be read any more",
                  example->path);
      return FALSE;
    }
    memcpy(example->features, found->features, n * sizeof(float));
  }
  return TRUE;
}
