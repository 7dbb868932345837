/* Columns of text tables. */
#pragma once

#include <glib.h>

/* Pads text to @width columns of a terminal: bytes, which printf counts, are not columns. Longer
 * text stays as it is.
 * Returns: (transfer full) */
char *columns_pad(const char *text, guint width);
