/* Tables as text for people: columns are as wide as their widest cell. */
#pragma once

#include <glib.h>

/* @rows: (element-type GStrv): of cells, the header first; all are equally long
 * Returns: (transfer full): lines, without control characters */
char *text_table(const GPtrArray *rows);
