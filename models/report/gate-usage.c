#include "report/gate-usage.h"

#include <math.h>
#include <string.h>

#include "base/command-error.h"
#include "base/regular-file.h"
#include "file/json.h"
#include "report/module-numbers.h"

gboolean gate_usage_has_gate(const VitgateModelInfo *model, guint m)
{
  const VitgateBlockInfo *block = &model->blocks[m / 2];
  return m % 2 ? block->mlp_gate : block->attention_gate;
}

gboolean gate_usage_has_token_gate(const VitgateModelInfo *model, guint m)
{
  const VitgateBlockInfo *block = &model->blocks[m / 2];
  return m % 2 ? block->mlp_token_gate : block->attention_token_gate;
}

guint gate_usage_kinds(const VitgateModelInfo *model)
{
  guint kinds = 0;
  for (guint m = 0; m < 2 * model->depth; m++)
    kinds |= (gate_usage_has_gate(model, m) ? GATES_FOR_IMAGES : 0) |
             (gate_usage_has_token_gate(model, m) ? GATES_FOR_TOKENS : 0);
  return kinds;
}

const char *gate_usage_shares_of(const VitgateModelInfo *model)
{
  switch (gate_usage_kinds(model)) {
  case GATES_FOR_TOKENS:
    return "tokens";
  case GATES_FOR_IMAGES | GATES_FOR_TOKENS:
    return "images, or of their tokens,";
  default:
    return "images";
  }
}

double *gate_usage_parse(JsonObject *object, const VitgateModelInfo *model)
{
  return module_numbers_parse(object, "gate_usage", model, 1);
}

double *gate_usage_read(const char *path, const VitgateModelInfo *model, double **tokens,
                        GError **error)
{
  gsize length;
  g_autoptr(GError) failure = NULL;
  g_autofree char *text = vitgate__regular_file_read(path, &length, &failure);
  if (!text) {
    g_set_error_literal(error, COMMAND_ERROR, COMMAND_ERROR_IO, failure->message);
    return NULL;
  }
  g_autoptr(JsonNode) root =
      vitgate__json_parse_object(text, length, path, VITGATE_ERROR_METADATA, &failure);
  if (!root) {
    g_set_error_literal(error, COMMAND_ERROR, COMMAND_ERROR_DATA, failure->message);
    return NULL;
  }
  double *usage = gate_usage_parse(json_node_get_object(root), model);
  if (!usage)
    g_set_error(
        error, COMMAND_ERROR, COMMAND_ERROR_DATA,
        "%s: no valid member \"gate_usage\", expected the output of vitgate eval --json for this "
        "model: %u shares from 0 to 1, with null exactly where the model has no module",
        path, 2 * model->depth);
  *tokens = usage ? module_tokens_parse(json_node_get_object(root), model) : NULL;
  return usage;
}

void gate_usage_report(JsonBuilder *json, const double *usage, const VitgateModelInfo *model)
{
  if (usage)
    report_numbers(json, "gate_usage", usage, 2 * model->depth);
  else
    report_null(json, "gate_usage");
}

char *gate_usage_to_text(const double *usage, const VitgateModelInfo *model, guint m)
{
  if (!module_numbers_has_module(model, m))
    return g_strdup("cut");
  if (gate_usage_has_token_gate(model, m))
    return usage ? g_strdup_printf("%.1f %% of tokens", 100 * usage[m]) : g_strdup("token gate");
  if (!gate_usage_has_gate(model, m))
    return g_strdup("always");
  return usage ? g_strdup_printf("%.1f %%", 100 * usage[m]) : g_strdup("gate");
}
