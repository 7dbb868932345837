/* What every room of the model factory uses to fail, and to say something on the way.
 *
 * What ends a command is a GError, which main() prints as one line, "vitgate NAME: message". */
#pragma once

#include <glib.h>

#define COMMAND_ERROR (command_error_quark())
GQuark command_error_quark(void);

typedef enum {
  COMMAND_ERROR_USAGE,       /* options or arguments that cannot be */
  COMMAND_ERROR_DATA,        /* photographs or their labels cannot be used */
  COMMAND_ERROR_CLASS,       /* a list names a class that the model does not know */
  COMMAND_ERROR_IO,          /* a file cannot be read or written */
  COMMAND_ERROR_INTERRUPTED, /* a signal ended a run that can go on */
  COMMAND_ERROR_TRAINING,    /* a run cannot go on, or cannot reach what is asked */
} CommandError;

/* Returns: FALSE with COMMAND_ERROR_USAGE */
gboolean command_fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Prints "vitgate NAME: message" as exactly one line on stderr. */
void command_note(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* Text from a file or another library as it may go to a terminal: valid UTF-8 without control
 * characters, so that one message stays one line.
 * Returns: (transfer full) */
char *command_clean_text(const char *text);
