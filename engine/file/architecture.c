#include "file/architecture.h"

#include <string.h>

#include "file/tensor-specs.h"

guint vitgate__description_n_patches(const Description *d)
{
  guint side = d->image_size / d->patch_size;
  return side * side;
}

guint vitgate__description_n_tokens(const Description *d)
{
  return vitgate__description_n_patches(d) + (d->distilled ? 2 : 1);
}

guint vitgate__description_n_prefix(const Description *d)
{
  return d->distilled ? 2 : 1;
}

guint vitgate__description_n_class_heads(const Description *d)
{
  return d->distilled && !d->class_head_only ? 2 : 1;
}

guint vitgate__description_head_inputs(const Description *d)
{
  return vitgate__description_n_class_heads(d) * d->dim;
}

guint vitgate__description_patch_values(const Description *d)
{
  return d->family->patch_values(d);
}

/* ---- Costs ---- */

guint vitgate__description_tail(const Description *d)
{
  for (guint b = d->depth; b > 0 && !d->mean_pooling; b--)
    if (d->blocks[b - 1].heads)
      return b - 1;
  return d->depth;
}

guint vitgate__description_tokens_after(const Description *d, guint block)
{
  return block < vitgate__description_tail(d) ? vitgate__description_n_tokens(d)
                                              : vitgate__description_n_prefix(d);
}

/* Queries and the projection of their results, then keys and values. */
double vitgate__attention_update_gmacs(const Description *d, guint heads, guint n_tokens,
                                       guint n_queries, guint n_new)
{
  double t = n_tokens, q = n_queries, width = (double)heads * d->head_dim;
  return 1e-9 * (q * d->dim * 2 * width + 2 * q * t * width + n_new * (double)d->dim * 2 * width);
}

double vitgate__attention_gmacs(const Description *d, guint heads, guint n_tokens, guint n_queries)
{
  return vitgate__attention_update_gmacs(d, heads, n_tokens, n_queries, n_tokens);
}

double vitgate__mlp_gmacs(const Description *d, guint neurons, guint n_tokens)
{
  return 1e-9 * 2 * n_tokens * d->dim * neurons;
}

double vitgate__gate_gmacs(guint dim)
{
  return 1e-9 * GATE_HIDDEN * (2.0 * dim + 1);
}

double vitgate__token_gmacs(const Description *d, guint module, guint n_tokens)
{
  const BlockShape *shape = &d->blocks[module / 2];
  if (module % 2)
    return vitgate__mlp_gmacs(d, shape->neurons, 1);
  return vitgate__attention_gmacs(d, shape->heads, n_tokens, 1) -
         vitgate__attention_gmacs(d, shape->heads, n_tokens, 0);
}

gboolean vitgate__substitute_is_whole(const Description *d, const TokenGate *gate)
{
  return 2 * gate->rank >= d->dim;
}

double vitgate__token_gate_gmacs(const Description *d, const TokenGate *gate, guint n_tokens,
                                 guint n_closed)
{
  const guint width = vitgate__substitute_is_whole(d, gate) ? d->dim : 2 * gate->rank;
  return 1e-9 * d->dim * ((double)n_tokens + (double)n_closed * width);
}

gboolean vitgate__description_has_token_gates(const Description *d)
{
  for (guint i = 0; i < d->depth; i++)
    if (d->blocks[i].attention_tokens.present || d->blocks[i].mlp_tokens.present)
      return TRUE;
  return FALSE;
}

double vitgate__unknown_gmacs(const Description *d)
{
  const double n = vitgate__description_head_inputs(d);
  return d->unknown.present ? 1e-9 * n * (n + d->n_classes) : 0;
}

double vitgate__description_fixed_gmacs(const Description *d, guint n_patches)
{
  return 1e-9 * ((double)n_patches * vitgate__description_patch_values(d) * d->dim +
                 (double)vitgate__description_n_class_heads(d) * d->dim * d->n_classes) +
         d->family->gmacs(d) + vitgate__unknown_gmacs(d);
}

static double sum_gmacs(const Description *d, gboolean all_tokens)
{
  const guint tokens = vitgate__description_n_tokens(d);
  double sum = vitgate__description_fixed_gmacs(d, vitgate__description_n_patches(d));
  if (all_tokens)
    sum -= vitgate__unknown_gmacs(d);
  for (guint i = 0; i < d->depth; i++) {
    const guint after = all_tokens ? tokens : vitgate__description_tokens_after(d, i);
    sum += vitgate__attention_gmacs(d, d->blocks[i].heads, tokens, after) +
           vitgate__mlp_gmacs(d, d->blocks[i].neurons, after) +
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

double vitgate__description_update_gmacs(const Description *d, guint n_patches)
{
  const guint tokens = vitgate__description_n_tokens(d);
  const guint prefix = tokens - vitgate__description_n_patches(d), rows = prefix + n_patches;
  double sum = vitgate__description_fixed_gmacs(d, n_patches);
  for (guint i = 0; i < d->depth; i++) {
    const guint after = vitgate__description_tokens_after(d, i) == tokens ? rows : prefix;
    sum += vitgate__attention_update_gmacs(d, d->blocks[i].heads, tokens, after, rows) +
           vitgate__mlp_gmacs(d, d->blocks[i].neurons, after);
  }
  return sum;
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

static void add_token_gate(GArray *specs, const Description *d, guint i, const char *module,
                           const TokenGate *gate)
{
  char name[48];
  g_snprintf(name, sizeof name, "blocks.%u.%s_token_gate", i, module);
  vitgate__add_affine(specs, name, 1, d->dim);
  g_snprintf(name, sizeof name, "blocks.%u.%s_substitute", i, module);
  if (vitgate__substitute_is_whole(d, gate)) {
    vitgate__add_affine(specs, name, d->dim, d->dim);
    return;
  }
  if (gate->rank) {
    char part[64];
    g_snprintf(part, sizeof part, "%s.down", name);
    vitgate__add_weight(specs, part, gate->rank, d->dim);
    g_snprintf(part, sizeof part, "%s.up", name);
    vitgate__add_weight(specs, part, d->dim, gate->rank);
  }
  g_strlcat(name, ".bias", sizeof name);
  vitgate__add_spec(specs, name, d->dim, 0);
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
  if (d->blocks[i].attention_tokens.present)
    add_token_gate(specs, d, i, "attn", &d->blocks[i].attention_tokens);
  if (d->blocks[i].mlp_tokens.present)
    add_token_gate(specs, d, i, "mlp", &d->blocks[i].mlp_tokens);
}

GArray *vitgate__description_tensors(const Description *d)
{
  GArray *specs = g_array_new(FALSE, FALSE, sizeof(TensorSpec));
  const TensorSpec prefix[] = {
    { "cls_token", 3, { 1, 1, d->dim } },
    { "dist_token", 3, { 1, 1, d->dim } },
  };
  const TensorSpec position = { "pos_embed", 3, { 1, vitgate__description_n_tokens(d), d->dim } };
  g_array_append_vals(specs, prefix, vitgate__description_n_prefix(d));
  g_array_append_val(specs, position);
  d->family->add_tensors(specs, d);
  for (guint i = 0; i < d->depth; i++)
    add_block(specs, d, i);
  vitgate__add_affine(specs, d->mean_pooling ? "fc_norm" : "norm", d->dim, 0);
  vitgate__add_affine(specs, "head", d->n_classes, d->dim);
  if (vitgate__description_n_class_heads(d) == 2)
    vitgate__add_affine(specs, "head_dist", d->n_classes, d->dim);
  if (d->unknown.present) {
    const guint n = vitgate__description_head_inputs(d);
    vitgate__add_spec(specs, "unknown.whitening", n, n);
    vitgate__add_spec(specs, "unknown.means", d->n_classes, n);
  }
  return specs;
}
