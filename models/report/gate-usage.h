/* How often the modules of a model run: for each the share of images, from 0 to 1.
 *
 * In memory [2 * depth]: block 0's attention, its MLP, block 1's attention and so on; NaN where
 * the block has no such module. In JSON the member "gate_usage", an array in the same order with
 * null for NaN: `vitgate eval --json` prints it, a model file may have it in its calibration points
 * and in its provenance. */
#pragma once

#include "report/report.h"

/* Of a module with the number @m in the order above. */
gboolean gate_usage_has_module(const VitgateModelInfo *model, guint m);
gboolean gate_usage_has_gate(const VitgateModelInfo *model, guint m);

/* Returns: whether any module of the model has a gate */
gboolean gate_usage_has_gates(const VitgateModelInfo *model);

/* Reads the member "gate_usage" of @object.
 * Returns: (transfer full): or NULL where it is absent or does not fit the model */
double *gate_usage_parse(JsonObject *object, const VitgateModelInfo *model);

/* Reads a file with the object that `vitgate eval --json` printed.
 * Returns: (transfer full): or NULL with COMMAND_ERROR_DATA or _IO */
double *gate_usage_read(const char *path, const VitgateModelInfo *model, GError **error);

/* Adds the member "gate_usage": null where @usage is NULL. */
void gate_usage_report(JsonBuilder *json, const double *usage, const VitgateModelInfo *model);

/* How often module @m runs, for people: "63.4 %" of the images; "gate" where @usage is NULL;
 * "always" without a gate; "cut" where there is no module.
 * Returns: (transfer full) */
char *gate_usage_to_text(const double *usage, const VitgateModelInfo *model, guint m);
