/* What the program tells people: notes on stderr, one line each, and on a terminal a status line
 * that stays below them. May be called from any thread. */
#pragma once

#include <glib.h>

/* Prints "vitgate-watch: message" as exactly one line on stderr. */
void note(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* Replaces the status line; an empty one takes it away. Without a terminal nothing happens. */
void note_show_status(const char *line);

/* Returns: whether there is a terminal to show a status line on */
gboolean note_has_terminal(void);
