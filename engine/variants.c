#include "variants.h"

#include <string.h>

#include "architecture.h"
#include "error.h"

typedef struct {
  Safetensors *file;
  GArray *tensors; /* Tensor, as they will be */
  Variants *found;
  GError **error;
} Folding;

/* ---- LayerScale ---- */

/* Multiplies the rows of @tensor. Products of floats are rounded once: as exact as the sum that
 * they go into. */
static gboolean scale_rows(const Folding *f, Tensor *tensor, const float *scales)
{
  const gsize n = vitgate__tensor_n_elements(tensor), columns = n / tensor->shape[0];
  float *values =
      vitgate__safetensors_allocate(f->file, tensor->name, n * sizeof *values, f->error);
  if (!values)
    return FALSE;
  vitgate__tensor_to_float(values, tensor);
  for (gsize i = 0; i < n; i++)
    values[i] *= scales[i / columns];
  tensor->type = TENSOR_F32;
  tensor->data = values;
  tensor->n_bytes = n * sizeof *values;
  return TRUE;
}

/* Folds the LayerScale @gamma into the layer @layer. */
static gboolean fold_scale(const Folding *f, const Tensor *gamma, const char *layer)
{
  static const char *const parts[] = { "weight", "bias" };
  const gsize n = vitgate__tensor_n_elements(gamma);
  g_autofree float *scales = g_new(float, n);
  vitgate__tensor_to_float(scales, gamma);
  for (guint p = 0; p < G_N_ELEMENTS(parts); p++) {
    g_autofree char *name = g_strdup_printf("%s.%s", layer, parts[p]);
    Tensor *tensor = vitgate__tensors_find(f->tensors, name);
    if (!tensor || !tensor->n_dims || tensor->shape[0] != n || tensor->type == TENSOR_I8 || !n) {
      g_autofree char *shape = vitgate__tensor_describe_shape(gamma->shape, gamma->n_dims);
      vitgate__set_error(f->error, VITGATE_ERROR_TENSOR,
                         "%s: tensor '%s' is %s, expected the scales of as many rows of floats in "
                         "'%s'",
                         vitgate__safetensors_get_path(f->file), gamma->name, shape, name);
      return FALSE;
    }
    if (!scale_rows(f, tensor, scales))
      return FALSE;
  }
  f->found->n_layer_scales++;
  return TRUE;
}

static gboolean fold_scales(const Folding *f)
{
  static const struct {
    const char *gamma, *layer;
  } scales[] = { { ".ls1.gamma", ".attn.proj" }, { ".ls2.gamma", ".mlp.fc2" } };
  for (guint i = f->tensors->len; i-- > 0;) {
    const Tensor gamma = g_array_index(f->tensors, Tensor, i);
    for (guint s = 0; s < G_N_ELEMENTS(scales); s++) {
      if (!g_str_has_prefix(gamma.name, "blocks.") ||
          !g_str_has_suffix(gamma.name, scales[s].gamma))
        continue;
      const gsize block = strlen(gamma.name) - strlen(scales[s].gamma);
      g_autofree char *layer = g_strdup_printf("%.*s%s", (int)block, gamma.name, scales[s].layer);
      if (!fold_scale(f, &gamma, layer))
        return FALSE;
      g_array_remove_index(f->tensors, i);
      break;
    }
  }
  return TRUE;
}

/* ---- Position embeddings ---- */

/* A square of patches cannot have been counted with a class token, or two tokens. */
static gboolean add_class_position(const Folding *f)
{
  Tensor *position = vitgate__tensors_find(f->tensors, "pos_embed");
  if (!position || position->n_dims != 3 || position->shape[0] != 1 || position->n_bytes == 0 ||
      position->shape[1] == 1 || !vitgate__side_of(position->shape[1]) ||
      !vitgate__tensors_find(f->tensors, "cls_token"))
    return TRUE;
  const guint prefix = vitgate__tensors_find(f->tensors, "dist_token") ? 2 : 1;
  const gsize zeros = position->n_bytes / position->shape[1] * prefix;
  guint8 *data =
      vitgate__safetensors_allocate(f->file, position->name, position->n_bytes + zeros, f->error);
  if (!data)
    return FALSE;
  memset(data, 0, zeros); /* 0.0 in every type of floats */
  memcpy(data + zeros, position->data, position->n_bytes);
  position->data = data;
  position->shape[1] += prefix;
  position->n_bytes += zeros;
  f->found->no_class_position = TRUE;
  return TRUE;
}

/* ---- All of it ---- */

/* A norm of the class token alone is the same before and behind its choice. */
static void rename_norm(const Folding *f)
{
  static const char *const names[][2] = { { "fc_norm.weight", "norm.weight" },
                                          { "fc_norm.bias", "norm.bias" } };
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    Tensor *norm = vitgate__tensors_find(f->tensors, names[i][0]);
    if (norm && !vitgate__tensors_find(f->tensors, names[i][1]))
      norm->name = names[i][1];
  }
}

gboolean vitgate__variants_fold(Safetensors *file, gboolean class_token, Variants *found,
                                GError **error)
{
  guint n;
  const Tensor *tensors = vitgate__safetensors_list(file, &n);
  g_autoptr(GArray) changed = g_array_new(FALSE, FALSE, sizeof(Tensor));
  g_array_append_vals(changed, tensors, n);
  *found = (Variants){ 0 };
  const Folding folding = { file, changed, found, error };
  if (!fold_scales(&folding) || !add_class_position(&folding))
    return FALSE;
  if (class_token)
    rename_norm(&folding);
  return vitgate__safetensors_replace(file, changed, error);
}
