/* Token gates in a run: they are fitted after the cut and before training. */
#pragma once

#include "train/run/run.h"

/* Gives the student token gates, fitted on its training photographs. A student without modules
 * worth a gate gets none, and a line in the log says so.
 * Returns: FALSE with COMMAND_ERROR_* or VITGATE_ERROR_* */
gboolean run_fit_token_gates(Run *run, GError **error);
