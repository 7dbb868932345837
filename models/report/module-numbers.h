/* A number for each module of a model.
 *
 * In memory, it is an array [2 * depth]: the attention of block 0, its MLP, the attention of block
 * 1 and so on, with NaN if the block has no such module. In JSON, it is an array in the same order
 * with null for NaN. */
#pragma once

#include "report/report.h"

/* @m: number of a module in the order above */
gboolean module_numbers_has_module(const VitgateModelInfo *model, guint m);

/* Reads a member of @object with numbers from 0 to @max.
 * Returns: (transfer full): the numbers, or NULL if they are absent or do not fit the model */
double *module_numbers_parse(JsonObject *object, const char *member, const VitgateModelInfo *model,
                             double max);

/* Reads the member "module_tokens", how many tokens the modules run for: the mean over images, 0
 * for those for which a module does not run, class token included; of attention, as queries.
 * Merging and token gates leave fewer than all, and the last attention computes only what the head
 * reads. `vitgate eval --json` prints it, and `vitgate compress` records it in a model's
 * provenance. */
double *module_tokens_parse(JsonObject *object, const VitgateModelInfo *model);
