/* Reads class labels from lines of text. */
#pragma once

#include <glib.h>

/* Reads one label per line. Before or after the label, a line may have:
 *   - the number of the class, set apart by a blank, ':', tab, ',' or ';'
 *   - a WordNet id, set apart by a blank, tab, ',' or ';'
 *   - any other id before a tab
 * Labels, numbers and ids may be quoted as in CSV. The first line may name the columns. All lines
 * must have the same form. Labels may begin with digits: they count as class numbers only if all of
 * them together are 0, 1, 2 … or 1, 2, 3 … in any order, and as a fault if most of them are.
 * @text: UTF-8; is changed
 * Returns: (transfer full) (element-type LabelRow): rows, or NULL with VITGATE_ERROR_LABELS */
GArray *vitgate__label_lines_read(char *text, const char *path, GError **error);
