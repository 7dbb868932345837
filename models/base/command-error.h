/* Errors and notes of the model factory, used by all its folders.
 *
 * If a command fails, it sets a GError, which main() prints as one line, "vitgate NAME:
 * message". */
#pragma once

#include <glib.h>

#define COMMAND_ERROR (command_error_quark())
GQuark command_error_quark(void);

typedef enum {
  COMMAND_ERROR_USAGE,       /* invalid options or arguments */
  COMMAND_ERROR_DATA,        /* photographs or their labels cannot be used */
  COMMAND_ERROR_CLASS,       /* a list names a class that the model does not know */
  COMMAND_ERROR_IO,          /* a file cannot be read or written */
  COMMAND_ERROR_INTERRUPTED, /* a signal stopped a run, which can be resumed */
  COMMAND_ERROR_TRAINING,    /* a run cannot continue or cannot reach the target */
} CommandError;

/* Sets a formatted error.
 * Returns: FALSE with COMMAND_ERROR_USAGE */
gboolean command_fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Prints "vitgate NAME: message" as exactly one line on stderr. */
void command_note(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* Makes command_note() print nothing: another process prints the same. */
void command_note_silence(void);
