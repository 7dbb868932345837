/* Prints messages to stderr, one line each, and on a terminal a status line below them. May be
 * called from any thread. */
#pragma once

#include <glib.h>

/* From now on, messages start with the time, unless stderr is the journal, which adds its own. Call
 * it before other threads start. */
void console_stamp(void);

/* Prints "vitgate-watch: message" to stderr, as exactly one line, without control characters and
 * without the secrets in URLs. */
void console_print(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* Returns: (transfer full): the last messages, oldest first, each with its time in UTC */
char **console_get_messages(void);

/* Replaces the status line; "" removes it. Does nothing without a terminal. */
void console_show_status(const char *line);

/* Returns: whether there is a terminal for the status line */
gboolean console_has_terminal(void);
