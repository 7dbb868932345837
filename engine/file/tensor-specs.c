#include "file/tensor-specs.h"

#include "base/error.h"

void vitgate__add_spec(GArray *specs, const char *name, guint64 rows, guint64 columns)
{
  TensorSpec spec = { .n_dims = columns ? 2 : 1, .shape = { rows, columns } };
  g_strlcpy(spec.name, name, sizeof spec.name);
  g_array_append_val(specs, spec);
}

void vitgate__add_weight(GArray *specs, const char *name, guint64 rows, guint64 columns)
{
  char full[64];
  g_snprintf(full, sizeof full, "%s.weight", name);
  vitgate__add_spec(specs, full, rows, columns);
}

void vitgate__add_affine(GArray *specs, const char *name, guint64 rows, guint64 columns)
{
  char full[64];
  vitgate__add_weight(specs, name, rows, columns);
  g_snprintf(full, sizeof full, "%s.bias", name);
  vitgate__add_spec(specs, full, rows, 0);
}

const Tensor *vitgate__find_shaped(const Safetensors *file, const char *name, guint n_dims,
                                   GError **error)
{
  const char *path = vitgate__safetensors_get_path(file);
  const Tensor *tensor = vitgate__safetensors_find(file, name);
  if (tensor && tensor->n_dims == n_dims)
    return tensor;
  if (tensor) {
    g_autofree char *found = vitgate__tensor_describe_shape(tensor->shape, tensor->n_dims);
    vitgate__set_error(error, VITGATE_ERROR_TENSOR, "%s: tensor '%s' is %s, expected %u dimensions",
                       path, name, found, n_dims);
  } else {
    guint n_tensors;
    const Tensor *tensors = vitgate__safetensors_list(file, &n_tensors);
    vitgate__set_error(
        error, VITGATE_ERROR_UNSUPPORTED,
        "%s: no tensor '%s', which every ViT, DeiT and T2T-ViT classifier has (found %u tensors, "
        "the first named '%s')",
        path, name, n_tensors, n_tensors ? tensors[0].name : "");
  }
  return NULL;
}

guint vitgate__side_of(guint64 n_patches)
{
  guint64 side = 1;
  while (side * side < n_patches && side < 4096)
    side++;
  return side * side == n_patches ? (guint)side : 0;
}
