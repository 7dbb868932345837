/* What a run says at its end: the figures of the model that it has written. */
#pragma once

#include "train/run/run.h"

/* Measures the model file on the held-out photographs as a user would run it, on one thread, prints
 * its figures to stdout with the next command, and writes them to the log.
 * Returns: FALSE with VITGATE_ERROR_* or COMMAND_ERROR_* */
gboolean closing_report(Run *run, GError **error);
