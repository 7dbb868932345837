/* Reads any bytes as a file of labels. It gives one label for each class or is refused. */
#include <string.h>

#include "fuzz.h"
#include "vitgate.h"

/* Returns: the number of labels; 0 if the file is refused */
static guint use_labels(const char *path, guint n_classes)
{
  g_autoptr(GError) error = NULL;
  g_auto(GStrv) ids = NULL;
  g_auto(GStrv) labels = vitgate_labels_read(path, n_classes, &ids, &error);
  if (!fuzz_succeeded(labels != NULL, error)) {
    require(!ids && strstr(error->message, path));
    return 0;
  }
  const guint n = g_strv_length(labels);
  require(!ids || g_strv_length(ids) == n);
  for (guint i = 0; i < n; i++)
    require(*labels[i] && g_utf8_validate(labels[i], -1, NULL) && !strchr(labels[i], '\n'));
  return n;
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
  const char *path = fuzz_file(data, size);
  const guint n = use_labels(path, 0);
  require(use_labels(path, n + 1) == 0);
  require(n == 0 || use_labels(path, n) == n);
  return 0;
}
