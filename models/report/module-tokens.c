#include "report/module-tokens.h"

#include <math.h>

#include "file/json.h"
#include "report/gate-usage.h"

double *module_tokens_parse(JsonObject *object, const VitgateModelInfo *model)
{
  const guint n = 2 * model->depth;
  JsonArray *array = vitgate__json_get_array(object, "module_tokens");
  if (!array || json_array_get_length(array) != n)
    return NULL;
  g_autofree double *tokens = g_new(double, n + 1);
  for (guint m = 0; m < n; m++) {
    JsonNode *node = json_array_get_element(array, m);
    tokens[m] = NAN;
    const gboolean fits = gate_usage_has_module(model, m)
                              ? vitgate__json_get_number(node, &tokens[m]) && tokens[m] >= 0 &&
                                    tokens[m] <= model->n_tokens
                              : JSON_NODE_HOLDS_NULL(node);
    if (!fits)
      return NULL;
  }
  return g_steal_pointer(&tokens);
}

void module_tokens_add(double *sums, guint64 *ran, const VitgateResult *result, guint depth)
{
  for (guint m = 0; m < 2 * depth; m++) {
    sums[m] += result->module_tokens[m];
    ran[m] += result->modules[m];
  }
}

double *module_tokens_mean(const double *sums, const guint64 *ran, const VitgateModelInfo *model)
{
  double *tokens = g_new(double, 2 * model->depth + 1);
  for (guint m = 0; m < 2 * model->depth; m++)
    tokens[m] = gate_usage_has_module(model, m) ? sums[m] / (double)MAX(ran[m], 1) : NAN;
  return tokens;
}
