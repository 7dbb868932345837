#include <string.h>

#include "base/error.h"
#include "base/regular-file.h"
#include "labels/lines.h"
#include "labels/literal.h"
#include "labels/rows.h"

/* Moves the labels and ids out of the rows.
 * Returns: FALSE with VITGATE_ERROR_LABELS if a class has no label, or only some have ids */
static gboolean take_rows(GArray *rows, const char *path, char **labels, char **ids, GError **error)
{
  for (guint i = 0; i < rows->len; i++) {
    LabelRow *row = vitgate__label_row(rows, i);
    const char *label = g_strstrip(row->text);
    const char *fault = !*label ? "no label"
                        : strpbrk(label, "\n\r") || !g_utf8_validate(label, -1, NULL)
                            ? "a label that is not one line of text"
                        : !row->id != !vitgate__label_row(rows, 0)->id ? "not an id like others"
                                                                       : NULL;
    if (fault) {
      vitgate__set_error(error, VITGATE_ERROR_LABELS, "%s: %s %u has %s", path,
                         row->line ? "line" : "class", row->line ? row->line : i, fault);
      return FALSE;
    }
    labels[i] = g_steal_pointer(&row->text);
    ids[i] = g_strdup(row->id);
  }
  return TRUE;
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
  char *start = text + (g_str_has_prefix(text, "\xef\xbb\xbf") ? 3 : 0); /* byte order mark */
  g_autoptr(GArray) rows = vitgate__label_literal_matches(start)
                               ? vitgate__label_literal_read(start, path, error)
                               : vitgate__label_lines_read(start, path, error);
  if (!rows)
    return NULL;
  if (!rows->len || (n_classes && rows->len != n_classes)) {
    vitgate__set_error(error, VITGATE_ERROR_LABELS, "%s: %u labels, expected %u", path, rows->len,
                       MAX(n_classes, 1));
    return NULL;
  }
  g_auto(GStrv) labels = g_new0(char *, rows->len + 1);
  g_auto(GStrv) names = g_new0(char *, rows->len + 1);
  if (!vitgate__label_rows_sort(rows, path, error) || !take_rows(rows, path, labels, names, error))
    return NULL;
  if (ids)
    *ids = names[0] ? g_steal_pointer(&names) : NULL;
  return g_steal_pointer(&labels);
}
