#include "report/module-numbers.h"

#include <math.h>

#include "file/json.h"

gboolean module_numbers_has_module(const VitgateModelInfo *model, guint m)
{
  const VitgateBlockInfo *block = &model->blocks[m / 2];
  return (m % 2 ? block->neurons : block->heads) > 0;
}

double *module_numbers_parse(JsonObject *object, const char *member, const VitgateModelInfo *model,
                             double max)
{
  const guint n = 2 * model->depth;
  JsonArray *array = vitgate__json_get_array(object, member);
  if (!array || json_array_get_length(array) != n)
    return NULL;
  g_autofree double *numbers = g_new(double, n + 1);
  for (guint m = 0; m < n; m++) {
    JsonNode *node = json_array_get_element(array, m);
    numbers[m] = NAN;
    const gboolean fits =
        module_numbers_has_module(model, m)
            ? vitgate__json_get_number(node, &numbers[m]) && numbers[m] >= 0 && numbers[m] <= max
            : JSON_NODE_HOLDS_NULL(node);
    if (!fits)
      return NULL;
  }
  return g_steal_pointer(&numbers);
}

double *module_tokens_parse(JsonObject *object, const VitgateModelInfo *model)
{
  return module_numbers_parse(object, "module_tokens", model, model->n_tokens);
}
