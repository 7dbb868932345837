/* A file that a command is going to write. */
#pragma once

#include <glib.h>

/* Finds out before the work whether @path can be made or replaced, by making a file beside it.
 * Returns: FALSE with COMMAND_ERROR_IO */
gboolean output_file_check(const char *path, GError **error);
