/* How often the modules of a model run: a share from 0 to 1 for each module. It is the share of
 * images; with a token gate, the mean over the images of the share of tokens, those that are left
 * when they come to the module, class token included.
 *
 * In memory and in JSON (the member "gate_usage"), it is laid out as module-numbers.h says.
 * `vitgate eval --json` prints it; a model file may have it in its calibration points and in its
 * provenance. */
#pragma once

#include "report/report.h"

/* @m: number of a module in the order of module-numbers.h */
gboolean gate_usage_has_gate(const VitgateModelInfo *model, guint m);
gboolean gate_usage_has_token_gate(const VitgateModelInfo *model, guint m);

/* What a gate decides for. */
typedef enum {
  GATES_FOR_IMAGES = 1,
  GATES_FOR_TOKENS = 2,
} GateKinds;

/* Returns: the GateKinds of the model's gates; 0 if it has none */
guint gate_usage_kinds(const VitgateModelInfo *model);

/* Returns: what the shares are of, to follow "share of" */
const char *gate_usage_shares_of(const VitgateModelInfo *model);

/* Reads the member "gate_usage" of @object.
 * Returns: (transfer full): the usage, or NULL if it is absent or does not fit the model */
double *gate_usage_parse(JsonObject *object, const VitgateModelInfo *model);

/* Reads a file with the output of `vitgate eval --json`.
 * @tokens: (out) (transfer full) (nullable): the tokens that the modules ran for, see
 * module-numbers.h; NULL if the file does not have them
 * Returns: (transfer full): the usage, or NULL with COMMAND_ERROR_DATA or _IO */
double *gate_usage_read(const char *path, const VitgateModelInfo *model, double **tokens,
                        GError **error);

/* Adds the member "gate_usage", which is null if @usage is NULL. */
void gate_usage_report(JsonBuilder *json, const double *usage, const VitgateModelInfo *model);

/* Describes how often module @m runs: "63.4 %" of the images, "37.0 % of tokens", "gate" or "token
 * gate" if @usage is NULL, "always" without a gate, or "cut" without a module.
 * Returns: (transfer full) */
char *gate_usage_to_text(const double *usage, const VitgateModelInfo *model, guint m);
