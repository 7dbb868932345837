#include "model-writer.h"

#include <math.h>
#include <string.h>

#define MAX_INT8 127

static gboolean is_rounded(const Parameter *p)
{
  return p->decay;
}

/* The position embedding is the largest of the rest. */
static gboolean is_halved(const Parameter *p)
{
  return !strcmp(p->name, "pos_embed");
}

static real row_scale(const real *row, gsize n)
{
  real most = 0;
  for (gsize i = 0; i < n; i++)
    most = MAX(most, (real)fabs(row[i]));
  return most > 0 ? most / MAX_INT8 : 1;
}

static void round_row(gint8 *out, const real *row, real scale, gsize n)
{
  for (gsize i = 0; i < n; i++)
    out[i] = (gint8)lrint(CLAMP(row[i] / scale, -MAX_INT8, MAX_INT8));
}

void network_round_to_int8(Network *network)
{
  for (guint i = 0; i < network->parameters->len; i++) {
    const Parameter *p = &g_array_index(network->parameters, Parameter, i);
    const gsize rows = p->shape[0], n = rows ? p->n / rows : 0;
    for (gsize j = 0; is_halved(p) && j < p->n; j++)
      network->values[p->offset + j] = (real)(_Float16)network->values[p->offset + j];
    if (!is_rounded(p))
      continue;
    g_autofree gint8 *rounded = g_new(gint8, n);
    for (gsize r = 0; r < rows; r++) {
      real *row = network->values + p->offset + r * n;
      const real scale = (real)(float)row_scale(row, n);
      round_row(rounded, row, scale, n);
      for (gsize j = 0; j < n; j++)
        row[j] = rounded[j] * scale;
    }
  }
}

static Tensor make_tensor(const char *name, TensorType type, const guint64 *shape, guint n_dims,
                          gpointer data, gsize n)
{
  Tensor tensor = { .name = name, .type = type, .n_dims = n_dims, .data = data };
  memcpy(tensor.shape, shape, n_dims * sizeof *shape);
  tensor.n_bytes = n * vitgate__tensor_types[type].size;
  return tensor;
}

/* @owned: takes what the tensors point to */
static void add_floats(GArray *tensors, GPtrArray *owned, const Parameter *p, const real *values)
{
  float *data = g_new(float, p->n);
  for (gsize i = 0; i < p->n; i++)
    data[i] = (float)values[i];
  g_ptr_array_add(owned, data);
  Tensor tensor = make_tensor(p->name, TENSOR_F32, p->shape, p->n_dims, data, p->n);
  g_array_append_val(tensors, tensor);
}

static void add_halves(GArray *tensors, GPtrArray *owned, const Parameter *p, const real *values)
{
  _Float16 *data = g_new(_Float16, p->n);
  for (gsize i = 0; i < p->n; i++)
    data[i] = (_Float16)values[i];
  g_ptr_array_add(owned, data);
  Tensor tensor = make_tensor(p->name, TENSOR_F16, p->shape, p->n_dims, data, p->n);
  g_array_append_val(tensors, tensor);
}

static void add_int8(GArray *tensors, GPtrArray *owned, const Parameter *p, const real *values)
{
  const gsize rows = p->shape[0], n = rows ? p->n / rows : 0;
  gint8 *data = g_new(gint8, p->n);
  float *scales = g_new(float, rows);
  char *name = g_strconcat(p->name, "_scale", NULL);
  for (gsize r = 0; r < rows; r++) {
    scales[r] = (float)row_scale(values + r * n, n);
    round_row(data + r * n, values + r * n, scales[r], n);
  }
  g_ptr_array_add(owned, data);
  g_ptr_array_add(owned, scales);
  g_ptr_array_add(owned, name);
  Tensor matrix = make_tensor(p->name, TENSOR_I8, p->shape, p->n_dims, data, p->n);
  Tensor scale = make_tensor(name, TENSOR_F32, p->shape, 1, scales, rows);
  g_array_append_val(tensors, matrix);
  g_array_append_val(tensors, scale);
}

gboolean network_write(const Network *network, const char *precision, const char *path,
                       GError **error)
{
  const gboolean int8 = !strcmp(precision, "int8");
  g_autoptr(GArray) tensors = g_array_new(FALSE, FALSE, sizeof(Tensor));
  g_autoptr(GPtrArray) owned = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < network->parameters->len; i++) {
    const Parameter *p = &g_array_index(network->parameters, Parameter, i);
    if (p->implied)
      continue;
    if (int8 && is_rounded(p))
      add_int8(tensors, owned, p, network->values + p->offset);
    else if (int8 && is_halved(p))
      add_halves(tensors, owned, p, network->values + p->offset);
    else
      add_floats(tensors, owned, p, network->values + p->offset);
  }
  Description description = *network->description;
  description.precision = precision;
  g_autofree char *text = vitgate__description_to_json(&description);
  g_autoptr(GHashTable) metadata = g_hash_table_new(g_str_hash, g_str_equal);
  g_hash_table_insert(metadata, "vitgate", text);
  g_hash_table_insert(metadata, "format", "pt"); /* Python's loaders ask for it */
  return vitgate__safetensors_write(path, (const Tensor *)(gpointer)tensors->data, tensors->len,
                                    metadata, error);
}
