/* The rows of a file of class labels, whatever its form. */
#pragma once

#include <glib.h>

typedef struct {
  guint line;    /* in the file, from 1; 0: unknown */
  gint64 number; /* of the class, as the file says; -1: none */
  char *id;      /* (nullable) */
  char *text;    /* the label */
} LabelRow;

/* Returns: (transfer full) (element-type LabelRow) */
GArray *vitgate__label_rows_new(void);

/* Adds a row without a number and an id.
 * @text: (transfer full) */
LabelRow *vitgate__label_rows_add(GArray *rows, guint line, char *text);

static inline LabelRow *vitgate__label_row(const GArray *rows, guint i)
{
  return &g_array_index(rows, LabelRow, i);
}

/* Sorts rows by their numbers, if they have any.
 * Returns: FALSE with VITGATE_ERROR_LABELS unless the numbers count from 0 or 1 without a gap */
gboolean vitgate__label_rows_sort(GArray *rows, const char *path, GError **error);
