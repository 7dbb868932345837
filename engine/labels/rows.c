#include "labels/rows.h"

#include "base/error.h"

static void clear_row(gpointer data)
{
  LabelRow *row = data;
  g_free(row->id);
  g_free(row->text);
}

GArray *vitgate__label_rows_new(void)
{
  GArray *rows = g_array_new(FALSE, TRUE, sizeof(LabelRow));
  g_array_set_clear_func(rows, clear_row);
  return rows;
}

LabelRow *vitgate__label_rows_add(GArray *rows, guint line, char *text)
{
  const LabelRow row = { .line = line, .number = -1, .text = text };
  g_array_append_val(rows, row);
  return vitgate__label_row(rows, rows->len - 1);
}

static gint compare_numbers(gconstpointer a, gconstpointer b)
{
  const gint64 first = ((const LabelRow *)a)->number, second = ((const LabelRow *)b)->number;
  return (first > second) - (first < second);
}

gboolean vitgate__label_rows_sort(GArray *rows, const char *path, GError **error)
{
  if (!rows->len || vitgate__label_row(rows, 0)->number < 0)
    return TRUE;
  g_array_sort(rows, compare_numbers);
  const gint64 first = vitgate__label_row(rows, 0)->number > 0;
  for (guint i = 0; i < rows->len; i++) {
    const gint64 number = vitgate__label_row(rows, i)->number;
    if (number == first + i)
      continue;
    vitgate__set_error(error, VITGATE_ERROR_LABELS,
                       "%s: class %" G_GINT64_FORMAT " %s; the %u classes must be numbered from 0 "
                       "or 1 without a gap",
                       path, number < first + i ? number : first + i,
                       number < first + i ? "is listed twice" : "is missing", rows->len);
    return FALSE;
  }
  return TRUE;
}
