#include "file/infer.h"

#include <string.h>

#include "base/error.h"
#include "file/architecture.h"
#include "file/tensor-specs.h"

/* A module without tensors does not exist. */
static BlockShape infer_block(const Safetensors *file, guint i, guint head_dim)
{
  char name[64];
  g_snprintf(name, sizeof name, "blocks.%u.attn.qkv.weight", i);
  const Tensor *qkv = vitgate__safetensors_find(file, name);
  g_snprintf(name, sizeof name, "blocks.%u.mlp.fc1.weight", i);
  const Tensor *fc1 = vitgate__safetensors_find(file, name);
  return (BlockShape){
    .heads =
        qkv && qkv->n_dims ? (guint)MIN(qkv->shape[0] / (3 * head_dim), DESCRIPTION_MAX_DIM) : 0,
    .neurons = fc1 && fc1->n_dims ? (guint)MIN(fc1->shape[0], DESCRIPTION_MAX_NEURONS) : 0,
  };
}

/* Returns: whether the first attention has no bias; the others must agree */
static gboolean infer_unbiased(const Safetensors *file, guint depth)
{
  for (guint i = 0; i < depth; i++) {
    g_autofree char *weight = g_strdup_printf("blocks.%u.attn.qkv.weight", i),
                    *bias = g_strdup_printf("blocks.%u.attn.qkv.bias", i);
    if (vitgate__safetensors_find(file, weight))
      return !vitgate__safetensors_find(file, bias);
  }
  return FALSE;
}

/* Returns: whether any module has a LayerScale; then all must have one */
static gboolean infer_layer_scale(const Safetensors *file, guint depth)
{
  for (guint i = 0; i < depth; i++) {
    g_autofree char *attention = g_strdup_printf("blocks.%u.ls1.gamma", i),
                    *mlp = g_strdup_printf("blocks.%u.ls2.gamma", i);
    if (vitgate__safetensors_find(file, attention) || vitgate__safetensors_find(file, mlp))
      return TRUE;
  }
  return FALSE;
}

static gboolean has_block(const Safetensors *file, guint i)
{
  g_autofree char *prefix = g_strdup_printf("blocks.%u.", i);
  guint n_tensors;
  const Tensor *tensors = vitgate__safetensors_list(file, &n_tensors);
  for (guint t = 0; t < n_tensors; t++)
    if (g_str_has_prefix(tensors[t].name, prefix))
      return TRUE;
  return FALSE;
}

/* Heads of timm's ViTs have 64 dimensions. The exceptions are So400m, Huge and larger networks,
 * which have 16 heads. */
static guint infer_head_dim(const Safetensors *file, guint dim, guint heads, GError **error)
{
  static const guint of_sixteen_heads[] = { 1152, 1280, 1408, 1664 };
  for (guint i = 0; !heads && i < G_N_ELEMENTS(of_sixteen_heads); i++)
    if (dim == of_sixteen_heads[i])
      heads = 16;
  if (!heads && dim % 64 == 0)
    return 64;
  if (heads && dim % heads == 0)
    return dim / heads;
  vitgate__set_error(error, VITGATE_ERROR_UNSUPPORTED,
                     heads ? "%s: %u dimensions do not divide into %u heads"
                           : "%s: %u dimensions do not divide into heads of 64; give the "
                             "number of heads (vitgate import --heads)",
                     vitgate__safetensors_get_path(file), dim, heads);
  return 0;
}

static gboolean infer_classes(Description *d, const Safetensors *file, GError **error)
{
  const Tensor *token = vitgate__find_shaped(file, "cls_token", 3, error);
  const Tensor *head = token ? vitgate__find_shaped(file, "head.weight", 2, error) : NULL;
  if (!head)
    return FALSE;
  if (!head->shape[0] || head->shape[0] > DESCRIPTION_MAX_CLASSES) {
    vitgate__set_error(
        error, VITGATE_ERROR_UNSUPPORTED,
        "%s: tensor 'head.weight' is for %" G_GUINT64_FORMAT " classes, expected 1 to %d",
        vitgate__safetensors_get_path(file), head->shape[0], DESCRIPTION_MAX_CLASSES);
    return FALSE;
  }
  d->n_classes = (guint)head->shape[0];
  d->precision = head->type == TENSOR_F16    ? "float16"
                 : head->type == TENSOR_BF16 ? "bfloat16"
                                             : "float32";
  return TRUE;
}

/* vitgate's own exports record the activation. Otherwise, classes exclude each other. The softmax
 * of a single class would always be 1. */
static gboolean infer_activation(Description *d, const Safetensors *file, GError **error)
{
  const char *name = vitgate__safetensors_get_metadata(file, "activation");
  d->activation = d->n_classes == 1 ? VITGATE_ACTIVATION_SIGMOID : VITGATE_ACTIVATION_SOFTMAX;
  if (!name || d->n_classes == 1)
    return TRUE;
  for (guint i = 0; vitgate__activation_names[i]; i++)
    if (!strcmp(name, vitgate__activation_names[i])) {
      d->activation = (VitgateActivation)i;
      return TRUE;
    }
  vitgate__set_error(error, VITGATE_ERROR_UNSUPPORTED,
                     "%s: metadata 'activation' is \"%.60s\", expected softmax or sigmoid",
                     vitgate__safetensors_get_path(file), name);
  return FALSE;
}

Description *vitgate__description_infer(const Safetensors *file, const Hints *hints, GError **error)
{
  g_autoptr(Description) d = g_new0(Description, 1);
  const Family *const *family = vitgate__families;
  while (family[1] && !(*family)->matches(file))
    family++;
  d->family = *family;
  if (!d->family->infer(d, file, error) || !infer_classes(d, file, error) ||
      !infer_activation(d, file, error))
    return NULL;
  d->class_head_only = d->distilled && hints->class_head_only;
  d->layer_norm_eps = d->family->layer_norm_eps;
  if (hints->layer_norm_eps > 0)
    d->layer_norm_eps = hints->layer_norm_eps;
  d->head_dim = infer_head_dim(file, d->dim, hints->heads, error);
  if (!d->head_dim)
    return NULL;
  d->blocks = g_new0(BlockShape, DESCRIPTION_MAX_DEPTH);
  for (; d->depth < DESCRIPTION_MAX_DEPTH && has_block(file, d->depth); d->depth++)
    d->blocks[d->depth] = infer_block(file, d->depth, d->head_dim);
  d->qkv_unbiased = infer_unbiased(file, d->depth);
  d->layer_scale = infer_layer_scale(file, d->depth);

  d->preprocessing = (Preprocessing){
    .resize = (guint)(d->image_size / d->family->crop_share),
    .bicubic = TRUE,
    .mean = { 0.485f, 0.456f, 0.406f }, /* ImageNet's */
    .std = { 0.229f, 0.224f, 0.225f },
  };
  const char *name = vitgate__safetensors_get_metadata(file, "model");
  g_autofree char *base = g_path_get_basename(vitgate__safetensors_get_path(file));
  if (g_str_has_suffix(base, ".safetensors"))
    base[strlen(base) - strlen(".safetensors")] = '\0';
  d->name = g_strdup(name ? name : base);
  d->dense_gmacs = vitgate__description_published_gmacs(d);
  d->dense_parameters = vitgate__description_parameters(d);
  return g_steal_pointer(&d);
}
