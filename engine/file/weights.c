#include "file/weights.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "file/architecture.h"
#include "file/tensor-specs.h"

#define PIECE     4096 /* values of a tensor that are checked together */
#define MAX_NAMED 8    /* maximum number of unknown tensors in a message */

static gboolean same_shape(const Tensor *tensor, const guint64 *shape, guint n_dims)
{
  return tensor->n_dims == n_dims && !memcmp(tensor->shape, shape, n_dims * sizeof *shape);
}

/* Returns: the tensor of that name and shape, or NULL with the error set */
static const Tensor *find_shaped(const Safetensors *file, const char *name, const guint64 *shape,
                                 guint n_dims, GError **error)
{
  const Tensor *tensor = vitgate__safetensors_find(file, name);
  if (tensor && same_shape(tensor, shape, n_dims))
    return tensor;
  const char *path = vitgate__safetensors_get_path(file);
  g_autofree char *expected = vitgate__tensor_describe_shape(shape, n_dims);
  if (tensor) {
    g_autofree char *found = vitgate__tensor_describe_shape(tensor->shape, tensor->n_dims);
    vitgate__set_error(error, VITGATE_ERROR_TENSOR, "%s: tensor '%s' is %s, expected %s", path,
                       name, found, expected);
  } else {
    vitgate__set_error(error, VITGATE_ERROR_TENSOR, "%s: tensor '%s' is missing, expected %s", path,
                       name, expected);
  }
  return NULL;
}

static gboolean check_type(const Safetensors *file, const Tensor *tensor, gboolean matrix,
                           GError **error)
{
  switch (tensor->type) {
  case TENSOR_F32:
  case TENSOR_F16:
  case TENSOR_BF16:
    return TRUE;
  case TENSOR_I8:
    if (matrix)
      return TRUE;
    break;
  case TENSOR_U8:
    break;
  }
  vitgate__set_error(error, VITGATE_ERROR_UNSUPPORTED, "%s: tensor '%s' is of type %s, expected %s",
                     vitgate__safetensors_get_path(file), tensor->name,
                     vitgate__tensor_types[tensor->type].name,
                     matrix ? "F32, F16, BF16 or I8" : "F32, F16 or BF16");
  return FALSE;
}

/* Checks one tensor, and its scales if it has any; adds their names to @known. */
static gboolean check_spec(const Safetensors *file, const TensorSpec *spec, GHashTable *known,
                           GError **error)
{
  const gboolean matrix = spec->n_dims == 2 || spec->n_dims == 4;
  const Tensor *tensor = find_shaped(file, spec->name, spec->shape, spec->n_dims, error);
  if (!tensor || !check_type(file, tensor, matrix, error))
    return FALSE;
  g_hash_table_add(known, g_strdup(spec->name));
  if (tensor->type != TENSOR_I8)
    return TRUE;
  char *scale = g_strconcat(spec->name, "_scale", NULL);
  g_hash_table_add(known, scale);
  tensor = find_shaped(file, scale, spec->shape, 1, error);
  return tensor && check_type(file, tensor, FALSE, error);
}

/* Half the precision of other weights is enough for features, and a file holds many of them. */
static gboolean check_views_type(const Safetensors *file, GError **error)
{
  const Tensor *tensor = vitgate__safetensors_find(file, TEACH_FEATURES);
  if (tensor->type == TENSOR_F16 || tensor->type == TENSOR_I8)
    return TRUE;
  vitgate__set_error(error, VITGATE_ERROR_UNSUPPORTED,
                     "%s: tensor '" TEACH_FEATURES "' is of type %s, expected F16 or I8",
                     vitgate__safetensors_get_path(file), vitgate__tensor_types[tensor->type].name);
  return FALSE;
}

gboolean vitgate__weights_check(const Description *d, const Safetensors *file, GError **error)
{
  g_autoptr(GArray) specs = vitgate__description_tensors(d);
  g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < specs->len; i++)
    if (!check_spec(file, &g_array_index(specs, TensorSpec, i), known, error))
      return FALSE;
  const TensorSpec views = { TEACH_FEATURES,
                             2,
                             { d->n_views, vitgate__description_head_inputs(d) } };
  if (d->n_views && (!check_spec(file, &views, known, error) || !check_views_type(file, error)))
    return FALSE;
  /* A network with an unknown tensor would compute something else. */
  guint n_tensors, n_unknown = 0;
  const Tensor *tensors = vitgate__safetensors_list(file, &n_tensors);
  g_autoptr(GString) unknown = g_string_new(NULL);
  for (guint i = 0; i < n_tensors; i++)
    if (!g_hash_table_contains(known, tensors[i].name) && n_unknown++ < MAX_NAMED)
      g_string_append_printf(unknown, "%s'%s'", n_unknown > 1 ? ", " : "", tensors[i].name);
  if (!n_unknown)
    return TRUE;
  if (n_unknown > MAX_NAMED)
    g_string_append_printf(unknown, " and %u more", n_unknown - MAX_NAMED);
  vitgate__set_error(error, VITGATE_ERROR_UNSUPPORTED,
                     "%s: tensor%s %s %s not part of a supported ViT, DeiT or T2T-ViT",
                     vitgate__safetensors_get_path(file), n_unknown > 1 ? "s" : "", unknown->str,
                     n_unknown > 1 ? "are" : "is");
  return FALSE;
}

/* @first: number of the first value among the elements of the tensor */
static gboolean check_piece(const Safetensors *file, const char *name, const float *values,
                            gsize first, gsize n, gboolean positive, GError **error)
{
  gsize i = 0;
  while (i < n && isfinite(values[i]) && (!positive || values[i] > 0))
    i++;
  if (i == n)
    return TRUE;
  vitgate__set_error(error, VITGATE_ERROR_TENSOR,
                     "%s: tensor '%s' holds %f at element %" G_GSIZE_FORMAT ", expected %s numbers",
                     vitgate__safetensors_get_path(file), name, (double)values[i], first + i,
                     positive ? "finite, positive" : "finite");
  return FALSE;
}

static gboolean check_values(const Safetensors *file, const char *name, const float *values,
                             gsize n, gboolean positive, GError **error)
{
  return check_piece(file, name, values, 0, n, positive, error);
}

/* Multiplies each row of a tensor by its scale.
 * @largest: magnitude that no value exceeds: if no scale makes it infinite, no value is checked */
static gboolean scale_rows(const Safetensors *file, const char *name, float *values,
                           const float *scales, gsize rows, gsize columns, float largest,
                           GError **error)
{
  gboolean finite = TRUE;
  for (gsize i = 0; i < rows; i++) {
    float *row = values + i * columns;
    for (gsize j = 0; j < columns; j++)
      row[j] *= scales[i];
    finite = finite && isfinite(scales[i] * largest);
  }
  return finite || check_values(file, name, values, rows * columns, FALSE, error);
}

static gboolean check_tensor(const Safetensors *file, const char *name, gboolean positive,
                             GError **error)
{
  const Tensor *tensor = vitgate__safetensors_find(file, name);
  const gsize n = vitgate__tensor_n_elements(tensor), size = n ? tensor->n_bytes / n : 0;
  float values[PIECE];
  for (gsize first = 0; first < n; first += PIECE) {
    Tensor piece = *tensor;
    piece.n_bytes = MIN(PIECE, n - first) * size;
    piece.place += first * size;
    if (piece.data)
      piece.data = (const guint8 *)piece.data + first * size;
    if (!vitgate__tensor_to_float(values, &piece, error) ||
        !check_piece(file, name, values, first, MIN(PIECE, n - first), positive, error))
      return FALSE;
  }
  return TRUE;
}

gboolean vitgate__weights_check_views(const Description *d, const Safetensors *file, GError **error)
{
  if (!d->n_views)
    return TRUE;
  if (vitgate__safetensors_find(file, TEACH_FEATURES)->type == TENSOR_I8)
    return check_tensor(file, TEACH_FEATURES "_scale", TRUE, error);
  return check_tensor(file, TEACH_FEATURES, FALSE, error);
}

gboolean vitgate__weights_read(const Safetensors *file, const char *name, float *values,
                               GError **error)
{
  const Tensor *tensor = vitgate__safetensors_find(file, name);
  const gsize n = vitgate__tensor_n_elements(tensor);
  if (!vitgate__tensor_to_float(values, tensor, error))
    return FALSE;
  if (tensor->type != TENSOR_I8)
    return check_values(file, name, values, n, FALSE, error);

  g_autofree char *scale_name = g_strconcat(name, "_scale", NULL);
  const gsize rows = tensor->shape[0], columns = rows ? n / rows : 0;
  g_autofree float *scales = g_new(float, rows);
  if (!vitgate__tensor_to_float(scales, vitgate__safetensors_find(file, scale_name), error) ||
      !check_values(file, scale_name, scales, rows, TRUE, error))
    return FALSE;
  return scale_rows(file, name, values, scales, rows, columns, -(float)G_MININT8, error);
}

/* Returns: (transfer full) (nullable): the name of the LayerScale that follows the layer of tensor
 * @name */
static char *scale_after(const char *name)
{
  static const struct {
    const char *layer, *scale;
  } scales[] = { { ".attn.proj.", "ls1.gamma" }, { ".mlp.fc2.", "ls2.gamma" } };
  for (guint i = 0; i < G_N_ELEMENTS(scales) && g_str_has_prefix(name, "blocks."); i++) {
    const char *layer = strstr(name, scales[i].layer);
    if (layer)
      return g_strdup_printf("%.*s.%s", (int)(layer - name), name, scales[i].scale);
  }
  return NULL;
}

/* Each folded weight is rounded once, so it is as exact as the sum that it goes into. */
gboolean vitgate__weights_read_folded(const Safetensors *file, const char *name, float *values,
                                      GError **error)
{
  g_autofree char *scale_name = scale_after(name);
  const Tensor *scale = scale_name ? vitgate__safetensors_find(file, scale_name) : NULL;
  if (!vitgate__weights_read(file, name, values, error))
    return FALSE;
  if (!scale)
    return TRUE;
  const gsize n = vitgate__tensor_n_elements(vitgate__safetensors_find(file, name));
  const gsize rows = vitgate__tensor_n_elements(scale), columns = rows ? n / rows : 0;
  g_autofree float *scales = g_new(float, rows);
  if (!vitgate__weights_read(file, scale_name, scales, error))
    return FALSE;
  return scale_rows(file, name, values, scales, rows, columns, G_MAXFLOAT, error);
}
