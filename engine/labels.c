#include <string.h>

#include "base/error.h"
#include "base/regular-file.h"

/* Splits @text into lines in place and drops empty lines at the end.
 * Returns: (transfer full): the lines, which point into @text */
static GPtrArray *split_lines(char *text)
{
  GPtrArray *lines = g_ptr_array_new();
  for (char *line = text, *next; line; line = next) {
    next = strchr(line, '\n');
    if (next)
      *next++ = '\0';
    g_ptr_array_add(lines, g_strchomp(line));
  }
  while (lines->len && !*(char *)lines->pdata[lines->len - 1])
    g_ptr_array_set_size(lines, (int)lines->len - 1);
  return lines;
}

char **vitgate_labels_read(const char *path, guint n_classes, char ***ids, GError **error)
{
  gsize length;
  g_autofree char *text = vitgate__regular_file_read(path, &length, error);
  if (!text)
    return NULL;
  if (!g_utf8_validate(text, (gssize)length, NULL)) {
    vitgate__set_error(error, VITGATE_ERROR_LABELS, "%s: labels are not UTF-8 text", path);
    return NULL;
  }
  const gsize mark = g_str_has_prefix(text, "\xef\xbb\xbf") ? 3 : 0; /* byte order mark */
  g_autoptr(GPtrArray) lines = split_lines(text + mark);
  if (!lines->len || (n_classes && lines->len != n_classes)) {
    vitgate__set_error(error, VITGATE_ERROR_LABELS, "%s: %u labels, expected %u", path, lines->len,
                       MAX(n_classes, 1));
    return NULL;
  }
  g_auto(GStrv) labels = g_new0(char *, lines->len + 1);
  g_auto(GStrv) names = g_new0(char *, lines->len + 1);
  gboolean with_ids = strchr(lines->pdata[0], '\t') != NULL;
  for (guint i = 0; i < lines->len; i++) {
    char *line = lines->pdata[i], *tab = strchr(line, '\t');
    const char *label = g_strchug(with_ids && tab ? tab + 1 : line);
    if (!*label || (with_ids && !tab)) {
      vitgate__set_error(error, VITGATE_ERROR_LABELS, "%s: line %u has no %s", path, i + 1,
                         with_ids && !tab ? "id before a tab, unlike the first line" : "label");
      return NULL;
    }
    labels[i] = g_strdup(label);
    names[i] = with_ids ? g_strndup(line, (gsize)(tab - line)) : NULL;
  }
  if (ids)
    *ids = with_ids ? g_steal_pointer(&names) : NULL;
  return g_steal_pointer(&labels);
}
