#include "file/canonical.h"

#include <string.h>

#include "file/tensor-specs.h"

typedef struct {
  Safetensors *file;
  GArray *tensors; /* the changed tensors */
  gboolean no_class_position;
  GError **error;
} Change;

/* If the positions form a square, they include neither the class nor the distillation token. */
static gboolean add_class_position(Change *c)
{
  Tensor *position = vitgate__tensors_find(c->tensors, "pos_embed");
  if (!position || position->n_dims != 3 || position->shape[0] != 1 || position->n_bytes == 0 ||
      position->shape[1] == 1 || !vitgate__side_of(position->shape[1]) ||
      !vitgate__tensors_find(c->tensors, "cls_token"))
    return TRUE;
  const guint prefix = vitgate__tensors_find(c->tensors, "dist_token") ? 2 : 1;
  const gsize zeros = position->n_bytes / position->shape[1] * prefix;
  guint8 *data =
      vitgate__safetensors_allocate(c->file, position->name, position->n_bytes + zeros, c->error);
  if (!data || !vitgate__tensor_copy(data + zeros, position, c->error))
    return FALSE;
  memset(data, 0, zeros); /* 0.0 in every floating-point type */
  position->data = data;
  position->shape[1] += prefix;
  position->n_bytes += zeros;
  c->no_class_position = TRUE;
  return TRUE;
}

/* If the head reads only the class token, the norm may come before or after this token is picked.
 */
static void rename_norm(const Change *c)
{
  static const char *const names[][2] = { { "fc_norm.weight", "norm.weight" },
                                          { "fc_norm.bias", "norm.bias" } };
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    Tensor *norm = vitgate__tensors_find(c->tensors, names[i][0]);
    if (norm && !vitgate__tensors_find(c->tensors, names[i][1]))
      norm->name = names[i][1];
  }
}

gboolean vitgate__canonicalize(Safetensors *file, gboolean class_token, gboolean *no_class_position,
                               GError **error)
{
  guint n;
  const Tensor *tensors = vitgate__safetensors_list(file, &n);
  g_autoptr(GArray) changed = g_array_new(FALSE, FALSE, sizeof(Tensor));
  g_array_append_vals(changed, tensors, n);
  Change change = { .file = file, .tensors = changed, .error = error };
  if (!add_class_position(&change))
    return FALSE;
  if (class_token)
    rename_norm(&change);
  *no_class_position = change.no_class_position;
  return vitgate__safetensors_replace(file, changed, error);
}
