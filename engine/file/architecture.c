/* ViT, DeiT and T2T-ViT, under timm's names and its own: which tensors they have, what they cost,
 * and how to tell their dimensions from a file that says nothing about itself. */
#include "file/architecture.h"

#include <string.h>

#include "base/error.h"

guint vitgate__description_n_patches(const Description *d)
{
  guint side = d->image_size / d->patch_size;
  return side * side;
}

guint vitgate__description_n_tokens(const Description *d)
{
  return vitgate__description_n_patches(d) + (d->distilled ? 2 : 1);
}

guint vitgate__description_patch_values(const Description *d)
{
  return d->stem ? vitgate__description_split(d, T2T_STAGES).n_values
                 : 3 * d->patch_size * d->patch_size;
}

/* ---- Costs ---- */

guint vitgate__description_tail(const Description *d)
{
  for (guint b = d->depth; b > 0 && !d->mean_pooling; b--)
    if (d->blocks[b - 1].heads)
      return b - 1;
  return d->depth;
}

guint vitgate__description_tokens_behind(const Description *d, guint block)
{
  const guint prefix = d->distilled ? 2 : 1;
  return block < vitgate__description_tail(d) ? vitgate__description_n_tokens(d) : prefix;
}

/* Queries and the projection of what they find; keys and values. */
double vitgate__attention_gmacs(const Description *d, guint heads, guint n_tokens, guint n_queries)
{
  double t = n_tokens, q = n_queries, width = (double)heads * d->head_dim;
  return 1e-9 * (q * d->dim * 2 * width + 2 * q * t * width + t * d->dim * 2 * width);
}

double vitgate__mlp_gmacs(const Description *d, guint neurons, guint n_tokens)
{
  return 1e-9 * 2 * n_tokens * d->dim * neurons;
}

double vitgate__gate_gmacs(guint dim)
{
  return 1e-9 * GATE_HIDDEN * (2.0 * dim + 1);
}

double vitgate__description_fixed_gmacs(const Description *d)
{
  const double patches = vitgate__description_n_patches(d);
  return 1e-9 * (patches * vitgate__description_patch_values(d) * d->dim +
                 (d->distilled ? 2.0 : 1.0) * d->dim * d->n_classes) +
         (d->stem ? vitgate__stem_gmacs(d) : 0);
}

static double sum_gmacs(const Description *d, gboolean all_tokens)
{
  const guint tokens = vitgate__description_n_tokens(d);
  double sum = vitgate__description_fixed_gmacs(d);
  for (guint i = 0; i < d->depth; i++) {
    const guint behind = all_tokens ? tokens : vitgate__description_tokens_behind(d, i);
    sum += vitgate__attention_gmacs(d, d->blocks[i].heads, tokens, behind) +
           vitgate__mlp_gmacs(d, d->blocks[i].neurons, behind) +
           (!!d->blocks[i].attention_gate + !!d->blocks[i].mlp_gate) * vitgate__gate_gmacs(d->dim);
  }
  return sum;
}

double vitgate__description_gmacs(const Description *d)
{
  return sum_gmacs(d, FALSE);
}

double vitgate__description_published_gmacs(const Description *d)
{
  return sum_gmacs(d, TRUE);
}

guint64 vitgate__attention_parameters(const Description *d, guint heads)
{
  guint64 width = (guint64)heads * d->head_dim, bias = !d->qkv_unbiased;
  return heads ? (2 + d->layer_scale) * d->dim + 3 * width * (d->dim + bias) + (width + 1) * d->dim
               : 0;
}

guint64 vitgate__mlp_parameters(const Description *d, guint neurons)
{
  guint64 n = neurons;
  return neurons ? (2 + d->layer_scale) * d->dim + n * (d->dim + 1) + (n + 1) * d->dim : 0;
}

guint64 vitgate__description_parameters(const Description *d)
{
  g_autoptr(GArray) specs = vitgate__description_tensors(d);
  guint64 sum = 0;
  for (guint i = 0; i < specs->len; i++) {
    const TensorSpec *spec = &g_array_index(specs, TensorSpec, i);
    guint64 n = 1;
    for (guint j = 0; j < spec->n_dims; j++)
      n *= spec->shape[j];
    sum += n;
  }
  return sum;
}

/* ---- Tensors ---- */

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

static void add_gate(GArray *specs, const Description *d, guint i, const char *module)
{
  char name[48];
  g_snprintf(name, sizeof name, "blocks.%u.%s_gate.norm", i, module);
  vitgate__add_affine(specs, name, 2 * d->dim, 0);
  g_snprintf(name, sizeof name, "blocks.%u.%s_gate.fc1", i, module);
  vitgate__add_affine(specs, name, GATE_HIDDEN, 2 * d->dim);
  g_snprintf(name, sizeof name, "blocks.%u.%s_gate.fc2", i, module);
  vitgate__add_affine(specs, name, 1, GATE_HIDDEN);
}

static void add_scale(GArray *specs, const Description *d, guint i, const char *scale)
{
  char name[48];
  g_snprintf(name, sizeof name, "blocks.%u.%s.gamma", i, scale);
  vitgate__add_spec(specs, name, d->dim, 0);
}

static void add_block(GArray *specs, const Description *d, guint i)
{
  const struct {
    const char *name;
    guint64 rows, columns;
    gboolean present;
  } parts[] = {
    { "norm1", d->dim, 0, d->blocks[i].heads },
    { "attn.qkv", 3 * d->blocks[i].heads * d->head_dim, d->dim, d->blocks[i].heads },
    { "attn.proj", d->dim, d->blocks[i].heads * d->head_dim, d->blocks[i].heads },
    { "norm2", d->dim, 0, d->blocks[i].neurons },
    { "mlp.fc1", d->blocks[i].neurons, d->dim, d->blocks[i].neurons },
    { "mlp.fc2", d->dim, d->blocks[i].neurons, d->blocks[i].neurons },
  };
  char name[48];
  for (guint p = 0; p < G_N_ELEMENTS(parts); p++) {
    g_snprintf(name, sizeof name, "blocks.%u.%s", i, parts[p].name);
    if (!parts[p].present)
      continue;
    if (d->qkv_unbiased && !strcmp(parts[p].name, "attn.qkv"))
      vitgate__add_weight(specs, name, parts[p].rows, parts[p].columns);
    else
      vitgate__add_affine(specs, name, parts[p].rows, parts[p].columns);
  }
  if (d->layer_scale && d->blocks[i].heads)
    add_scale(specs, d, i, "ls1");
  if (d->layer_scale && d->blocks[i].neurons)
    add_scale(specs, d, i, "ls2");
  if (d->blocks[i].attention_gate)
    add_gate(specs, d, i, "attn");
  if (d->blocks[i].mlp_gate)
    add_gate(specs, d, i, "mlp");
}

GArray *vitgate__description_tensors(const Description *d)
{
  GArray *specs = g_array_new(FALSE, FALSE, sizeof(TensorSpec));
  const TensorSpec embeddings[] = {
    { "cls_token", 3, { 1, 1, d->dim } },
    { "dist_token", 3, { 1, 1, d->dim } },
    { "pos_embed", 3, { 1, vitgate__description_n_tokens(d), d->dim } },
    { "patch_embed.proj.weight", 4, { d->dim, 3, d->patch_size, d->patch_size } },
    { "patch_embed.proj.bias", 1, { d->dim } },
  };
  if (d->stem)
    vitgate__stem_add_tensors(specs, d);
  for (guint i = 0; i < (d->stem ? 3 : G_N_ELEMENTS(embeddings)); i++)
    if (i != 1 || d->distilled)
      g_array_append_val(specs, embeddings[i]);
  for (guint i = 0; i < d->depth; i++)
    add_block(specs, d, i);
  vitgate__add_affine(specs, d->mean_pooling ? "fc_norm" : "norm", d->dim, 0);
  vitgate__add_affine(specs, "head", d->n_classes, d->dim);
  if (d->distilled)
    vitgate__add_affine(specs, "head_dist", d->n_classes, d->dim);
  return specs;
}

/* ---- Inference from names and shapes ---- */

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
        "%s: no tensor '%s', which every ViT, DeiT and T2T-ViT for classification has (found "
        "%u tensors, the first named '%s')",
        path, name, n_tensors, n_tensors ? tensors[0].name : "");
  }
  return NULL;
}

/* The dimensions of block @i; no tensors of its kind mean no module. */
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

/* Whether the first attention there is has no bias: then none may have one. */
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

/* Whether any module has a LayerScale: then all must have one. */
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

/* timm's ViTs have heads of 64 unless told otherwise; from So400m and Huge on, 16 heads. */
static guint infer_head_dim(const Safetensors *file, guint dim, guint heads, GError **error)
{
  /* Their widths divide by 64 all the same. */
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
                           : "%s: %u dimensions do not divide into heads of 64: the number of "
                             "heads must be told (vitgate import --heads)",
                     vitgate__safetensors_get_path(file), dim, heads);
  return 0;
}

guint vitgate__side_of(guint64 n_patches)
{
  guint64 side = 1;
  while (side * side < n_patches && side < 4096)
    side++;
  return side * side == n_patches ? (guint)side : 0;
}

static gboolean infer_patches(Description *d, const Safetensors *file, GError **error)
{
  const Tensor *patch = vitgate__find_shaped(file, "patch_embed.proj.weight", 4, error);
  const Tensor *position = patch ? vitgate__find_shaped(file, "pos_embed", 3, error) : NULL;
  if (!position)
    return FALSE;
  d->distilled = vitgate__safetensors_find(file, "dist_token") != NULL;
  d->mean_pooling = !d->distilled && vitgate__safetensors_find(file, "fc_norm.weight");
  const guint side = vitgate__side_of(position->shape[1] - (d->distilled ? 2 : 1));
  if (!side || !patch->shape[0] || patch->shape[0] > DESCRIPTION_MAX_DIM || !patch->shape[3] ||
      patch->shape[3] > 4096 / side) {
    g_autofree char *p = vitgate__tensor_describe_shape(patch->shape, 4);
    g_autofree char *e = vitgate__tensor_describe_shape(position->shape, 3);
    vitgate__set_error(error, VITGATE_ERROR_UNSUPPORTED,
                       "%s: patch_embed.proj.weight %s and pos_embed %s imply no square image of "
                       "at most 4096 pixels a side",
                       vitgate__safetensors_get_path(file), p, e);
    return FALSE;
  }
  d->dim = (guint)patch->shape[0];
  d->patch_size = (guint)patch->shape[3];
  d->image_size = side * d->patch_size;
  d->layer_norm_eps = 1e-6;
  d->preprocessing.resize = (guint)(d->image_size / 0.875); /* as DeiT is evaluated */
  return TRUE;
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
        "%s: tensor 'head.weight' tells of %" G_GUINT64_FORMAT " classes, expected 1 to %d",
        vitgate__safetensors_get_path(file), head->shape[0], DESCRIPTION_MAX_CLASSES);
    return FALSE;
  }
  d->n_classes = (guint)head->shape[0];
  d->precision = head->type == TENSOR_F16    ? "float16"
                 : head->type == TENSOR_BF16 ? "bfloat16"
                                             : "float32";
  return TRUE;
}

Description *vitgate__description_infer(const Safetensors *file, const Hints *hints, GError **error)
{
  const char *path = vitgate__safetensors_get_path(file);
  g_autoptr(Description) d = g_new0(Description, 1);
  const gboolean t2t = vitgate__safetensors_find(file, "tokens_to_token.project.weight") != NULL;
  if (!(t2t ? vitgate__stem_infer : infer_patches)(d, file, error) ||
      !infer_classes(d, file, error))
    return NULL;
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
    .resize = d->preprocessing.resize,
    .bicubic = TRUE,
    .mean = { 0.485f, 0.456f, 0.406f }, /* ImageNet's */
    .std = { 0.229f, 0.224f, 0.225f },
  };
  const char *name = vitgate__safetensors_get_metadata(file, "model");
  g_autofree char *base = g_path_get_basename(path);
  if (g_str_has_suffix(base, ".safetensors"))
    base[strlen(base) - strlen(".safetensors")] = '\0';
  d->name = g_strdup(name ? name : base);
  d->dense_gmacs = vitgate__description_published_gmacs(d);
  d->dense_parameters = vitgate__description_parameters(d);
  return g_steal_pointer(&d);
}
