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
