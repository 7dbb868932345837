#include "train/run/model-writer.h"

#include "file/description-json.h"
#include "file/safetensors-write.h"
#include "write/encoded-tensors.h"

void network_round(Network *network, VitgatePrecision precision)
{
  for (guint i = 0; i < network->parameters->len; i++) {
    const Parameter *p = &g_array_index(network->parameters, Parameter, i);
    encoded_tensors_round(precision, p->name, p->shape, p->n_dims, network->values + p->offset);
  }
}

gboolean network_write(const Network *network, VitgatePrecision precision, const char *path,
                       GError **error)
{
  g_autoptr(EncodedTensors) storage = encoded_tensors_new(precision);
  for (guint i = 0; i < network->parameters->len; i++) {
    const Parameter *p = &g_array_index(network->parameters, Parameter, i);
    if (!p->implied)
      encoded_tensors_add(storage, p->name, p->shape, p->n_dims, network->values + p->offset);
  }
  Description description = *network->description;
  description.precision = encoded_tensors_name(precision);
  g_autofree char *text = vitgate__description_to_json(&description);
  g_autoptr(GHashTable) metadata = g_hash_table_new(g_str_hash, g_str_equal);
  g_hash_table_insert(metadata, "vitgate", text);
  g_hash_table_insert(metadata, "format", "pt"); /* required by Python's loaders */
  return vitgate__safetensors_write(path, (const Tensor *)(gpointer)storage->tensors->data,
                                    storage->tensors->len, metadata, error);
}
