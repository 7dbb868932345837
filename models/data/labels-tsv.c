#include "data/labels-tsv.h"

#include <string.h>

#include "base/command-error.h"

typedef struct {
  int file, class_index, class_id; /* index of the column; -1: missing */
  guint n;                         /* minimum number of columns in a line */
} Columns;

static void free_label(gpointer data)
{
  FileLabel *label = data;
  g_array_unref(label->class_indices);
  g_free(label->class_id);
  g_free(label);
}

static gboolean fail(guint line, const char *reason, const char *text, GError **error)
{
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "labels.tsv line %u: %s: \"%.200s\"", line,
              reason, text);
  return FALSE;
}

static gboolean parse_header(Columns *columns, const char *line, GError **error)
{
  int label = -1;
  *columns = (Columns){ -1, -1, -1, 0 };
  g_auto(GStrv) names = g_strsplit(line, "\t", -1);
  for (int i = 0; names[i]; i++) {
    int *column = !strcmp(names[i], "file")          ? &columns->file
                  : !strcmp(names[i], "class_index") ? &columns->class_index
                  : !strcmp(names[i], "wnid")        ? &columns->class_id
                  : !strcmp(names[i], "label")       ? &label
                                                     : NULL;
    if (!column)
      continue;
    if (*column >= 0)
      return fail(1, "duplicate column", names[i], error);
    *column = i;
    if (column != &label)
      columns->n = (guint)i + 1;
  }
  /* Beside the other columns, labels are for people. */
  if (columns->class_index < 0 && columns->class_id < 0 && label >= 0) {
    columns->class_id = label;
    columns->n = MAX(columns->n, (guint)label + 1);
  }
  if (columns->file < 0 || (columns->class_index < 0 && columns->class_id < 0))
    return fail(1, "expected the column \"file\", and \"class_index\", \"wnid\" or \"label\"", line,
                error);
  return TRUE;
}

/* Parses "7", "7,12" or "-1". */
static gboolean parse_indices(GArray *indices, const char *text)
{
  g_auto(GStrv) parts = g_strsplit(text, ",", -1);
  const gboolean several = parts[0] && parts[1];
  for (guint i = 0; parts[i]; i++) {
    gint64 value;
    if (!g_ascii_string_to_signed(g_strstrip(parts[i]), 10, several ? 0 : -1, G_MAXINT, &value,
                                  NULL))
      return FALSE;
    const int index = (int)value;
    g_array_append_val(indices, index);
  }
  return parts[0] != NULL;
}

static gboolean parse_line(GHashTable *labels, const Columns *columns, const char *line,
                           guint number, GError **error)
{
  g_auto(GStrv) fields = g_strsplit(line, "\t", -1);
  if (g_strv_length(fields) < columns->n)
    return fail(number, "too few columns", line, error);
  const char *file = fields[columns->file];
  if (g_str_has_prefix(file, "./"))
    file += 2;
  if (!*file)
    return fail(number, "the file has no name", line, error);
  if (g_hash_table_contains(labels, file))
    return fail(number, "the file is listed twice", file, error);

  g_autoptr(GArray) indices = g_array_new(FALSE, FALSE, sizeof(int));
  if (columns->class_index >= 0 && !parse_indices(indices, fields[columns->class_index]))
    return fail(number, "expected a class index of -1 or more", fields[columns->class_index],
                error);
  const char *class_id = columns->class_id >= 0 ? fields[columns->class_id] : "-";

  FileLabel *label = g_new0(FileLabel, 1);
  label->class_index = indices->len ? g_array_index(indices, int, 0) : -1;
  label->class_indices = g_steal_pointer(&indices);
  label->class_id = *class_id && strcmp(class_id, "-") ? g_strdup(class_id) : NULL;
  g_hash_table_insert(labels, g_strdup(file), label);
  return TRUE;
}

GHashTable *labels_tsv_parse(GBytes *text, GError **error)
{
  g_autoptr(GHashTable) labels = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_label);
  gsize n_bytes;
  const char *bytes = g_bytes_get_data(text, &n_bytes);
  if (n_bytes >= 3 && !memcmp(bytes, "\xef\xbb\xbf", 3)) {
    bytes += 3;
    n_bytes -= 3;
  }
  if (!n_bytes) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "labels.tsv is empty");
    return NULL;
  }
  Columns columns = { -1, -1, -1, 0 };
  guint number = 0;
  for (const char *end = bytes + n_bytes; bytes < end;) {
    const char *newline = memchr(bytes, '\n', (gsize)(end - bytes));
    gsize length = (gsize)((newline ? newline : end) - bytes);
    g_autofree char *line = g_strndup(bytes, length);
    bytes = newline ? newline + 1 : end;
    number++;
    if (strlen(line) != length) {
      fail(number, "contains a zero byte", line, error);
      return NULL;
    }
    if (length && line[length - 1] == '\r')
      line[length - 1] = '\0';
    if (number > 1 && !*line)
      continue;
    if (!(number == 1 ? parse_header(&columns, line, error)
                      : parse_line(labels, &columns, line, number, error)))
      return NULL;
  }
  return g_steal_pointer(&labels);
}
