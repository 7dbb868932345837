/* Options that are times. */
#pragma once

#include <glib.h>

/* Reads "90m", "2h", "30s" or seconds.
 * @option: its name, for the error
 * Returns: FALSE with COMMAND_ERROR_USAGE */
gboolean time_option_parse(const char *option, const char *text, double *seconds, GError **error);
