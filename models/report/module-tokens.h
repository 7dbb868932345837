/* How many tokens the modules of a model run for: the mean over images, 0 for those for which a
 * module does not run, class token included; of attention, as queries. Merging and token gates
 * leave fewer than all, and the last attention computes only what the head reads.
 *
 * In memory and in JSON (the member "module_tokens"), the layout is that of the gate usage, see
 * gate-usage.h. `vitgate eval --json` prints it, and `vitgate compress` records it in a model's
 * provenance. */
#pragma once

#include "report/report.h"

/* Reads the member "module_tokens" of @object.
 * Returns: (transfer full): the tokens, or NULL if they are absent or do not fit the model */
double *module_tokens_parse(JsonObject *object, const VitgateModelInfo *model);
