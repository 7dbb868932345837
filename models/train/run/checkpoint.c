#include "train/run/checkpoint.h"

#include <string.h>

#include "base/error.h"
#include "base/json-write.h"
#include "file/description-json.h"
#include "file/json.h"
#include "file/safetensors-write.h"

/* The tensors of a checkpoint: all values of the network in one, and those of the optimizer. */
static const char *const kinds[] = { "values", "m", "v", "average" };

static real *array_of(const Optimizer *optimizer, guint kind)
{
  real *const arrays[] = { optimizer->network->values, optimizer->m, optimizer->v,
                           optimizer->average };
  return arrays[kind];
}

gboolean checkpoint_write(const char *path, const Optimizer *optimizer, JsonObject *state,
                          GError **error)
{
  const Network *network = optimizer->network;
  Tensor tensors[G_N_ELEMENTS(kinds)];
  for (guint k = 0; k < G_N_ELEMENTS(kinds); k++)
    tensors[k] = (Tensor){ .name = kinds[k],
                           .type = TENSOR_F32,
                           .n_dims = 1,
                           .shape = { network->n_values },
                           .data = array_of(optimizer, k),
                           .n_bytes = network->n_values * sizeof(float) };
  json_object_set_int_member(state, "step", (gint64)optimizer->step);
  json_object_set_boolean_member(state, "search", network->searches);
  g_autoptr(JsonNode) node = json_node_init_object(json_node_alloc(), state);
  g_autofree char *text = vitgate__json_write(node, FALSE);
  g_autofree char *description = vitgate__description_to_json(network->description);
  g_autoptr(GHashTable) metadata = g_hash_table_new(g_str_hash, g_str_equal);
  g_hash_table_insert(metadata, "vitgate", description);
  g_hash_table_insert(metadata, "training", text);
  return vitgate__safetensors_write(path, tensors, G_N_ELEMENTS(kinds), metadata, error);
}

Description *checkpoint_open(const char *path, Safetensors **file, JsonObject **state,
                             GError **error)
{
  g_autoptr(Safetensors) opened = vitgate__safetensors_open(path, error);
  if (!opened)
    return NULL;
  const char *text = vitgate__safetensors_get_metadata(opened, "training");
  if (!text) {
    vitgate__set_error(error, VITGATE_ERROR_FORMAT, "%s: is not a checkpoint of vitgate compress",
                       path);
    return NULL;
  }
  g_autoptr(JsonNode) node =
      vitgate__json_parse_object(text, strlen(text), path, VITGATE_ERROR_METADATA, error);
  Description *description = node ? vitgate__description_read(opened, error) : NULL;
  if (!description)
    return NULL;
  *state = json_object_ref(json_node_get_object(node));
  *file = g_steal_pointer(&opened);
  return description;
}

gboolean checkpoint_read(const Safetensors *file, Optimizer *optimizer, GError **error)
{
  const Network *network = optimizer->network;
  const char *path = vitgate__safetensors_get_path(file);
  const Tensor *tensors[G_N_ELEMENTS(kinds)];
  for (guint k = 0; k < G_N_ELEMENTS(kinds); k++) {
    tensors[k] = vitgate__safetensors_find(file, kinds[k]);
    if (!tensors[k] || tensors[k]->type != TENSOR_F32 ||
        vitgate__tensor_n_elements(tensors[k]) != network->n_values) {
      vitgate__set_error(error, VITGATE_ERROR_TENSOR,
                         "%s: tensor '%s' does not fit the network of %" G_GSIZE_FORMAT " values",
                         path, kinds[k], network->n_values);
      return FALSE;
    }
  }
  const char *text = vitgate__safetensors_get_metadata(file, "training");
  g_autoptr(JsonNode) node =
      vitgate__json_parse_object(text, strlen(text), path, VITGATE_ERROR_METADATA, error);
  if (!node)
    return FALSE;
  for (guint k = 0; k < G_N_ELEMENTS(kinds); k++)
    if (!vitgate__tensor_copy(array_of(optimizer, k), tensors[k], error))
      return FALSE;
  optimizer->step =
      (guint64)json_object_get_int_member_with_default(json_node_get_object(node), "step", 0);
  return TRUE;
}
