/* The command line of compress and train, built from their table of options. */
#pragma once

#include "commands/command.h"
#include "train/run/run-options.h"

/* Parses the options of @command; --help prints the help and exits.
 * @summary, @description: shown above and below the options in the help
 * @options: (out caller-allocates): free with run_options_clear(), even on failure
 * Returns: FALSE with COMMAND_ERROR_USAGE or _IO */
gboolean training_options_parse(RunOptions *options, RunCommand command, const char *summary,
                                const char *description, int argc, char **argv, GError **error);
