/* How many tokens the modules of a model run for: the mean over the images for which a module runs,
 * class token included; of attention, as queries. Merging and token gates leave fewer than all, and
 * the last attention computes only what the head reads.
 *
 * In memory and in JSON (the member "module_tokens"), the layout is that of the gate usage, see
 * gate-usage.h. `vitgate eval --json` prints it, and `vitgate compress` records it in a model's
 * provenance. */
#pragma once

#include "report/report.h"

/* Reads the member "module_tokens" of @object.
 * Returns: (transfer full): the tokens, or NULL if they are absent or do not fit the model */
double *module_tokens_parse(JsonObject *object, const VitgateModelInfo *model);

/* Adds one image to the sums over images.
 * @sums: [2 * depth]
 * @ran: [2 * depth] number of images for which each module ran; it counts the image too */
void module_tokens_add(double *sums, guint64 *ran, const VitgateResult *result, guint depth);

/* Divides the sums, as from module_tokens_add().
 * Returns: (transfer full): the means */
double *module_tokens_mean(const double *sums, const guint64 *ran, const VitgateModelInfo *model);
