/* The command line of the sub-commands that train, from the table of their options. */
#pragma once

#include "commands/command.h"
#include "train/run/run-options.h"

/* Reads the options of @command; --help prints and exits.
 * @summary, @description: shown in the help above and below the options
 * @options: (out caller-allocates): for run_options_clear(), on failure too
 * Returns: FALSE with COMMAND_ERROR_USAGE or _IO */
gboolean training_options_parse(RunOptions *options, RunCommand command, const char *summary,
                                const char *description, int argc, char **argv, GError **error);
