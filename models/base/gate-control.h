/* The controls of token gates, as users write them. */
#pragma once

#include "network/logit-control.h"

/* Reads "none", "random", "shuffled" or "position".
 * Returns: FALSE with COMMAND_ERROR_USAGE */
gboolean gate_control_parse(const char *text, LogitControlKind *kind, GError **error);

/* Returns: the text that gate_control_parse() reads */
const char *gate_control_name(LogitControlKind kind);

gboolean gate_control_has_token_gates(const VitgateModelInfo *model);

/* Checks that the model in file @path has the token gates that a control is for.
 * Returns: FALSE with COMMAND_ERROR_USAGE */
gboolean gate_control_check(LogitControlKind kind, const VitgateModelInfo *model, const char *path,
                            GError **error);
