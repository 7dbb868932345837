/* The granularity of gate decisions, as users write it. */
#pragma once

#include "vitgate.h"

/* Reads "sample", "group:K" or "batch" into @options->granularity and group_size.
 * Returns: FALSE with COMMAND_ERROR_USAGE */
gboolean granularity_parse(const char *text, VitgateSessionOptions *options, GError **error);

/* Returns: (transfer full): the text that granularity_parse() reads */
char *granularity_to_text(const VitgateSessionOptions *options);
