/* The file that a command will write. */
#pragma once

#include <glib.h>

/* Checks before the work whether @path can be created or replaced, by creating a file in the same
 * folder.
 * Returns: FALSE with COMMAND_ERROR_IO */
gboolean output_file_check(const char *path, GError **error);
