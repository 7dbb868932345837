#include "network/vit-weights.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "file/architecture.h"
#include "network/weight-loader.h"

gboolean vitgate__vit_separates_queries(const Vit *vit, guint b)
{
  return b == vit->tail || vit->description->blocks[b].attention_tokens.present;
}

static void load_separate_queries(WeightLoader *loader, Block *block, const char *name,
                                  gboolean biased, guint width, guint dim)
{
  const float *weight = loader->scratch;
  const float *bias = vitgate__load_affine(loader, name, biased, 3 * width, dim);
  block->q = vitgate__load_packed(loader, loader->precision, weight, bias, width, dim);
  block->qkv = vitgate__load_packed(loader, loader->precision, weight + (gsize)width * dim,
                                    bias + width, 2 * width, dim);
}

static Gate load_gate(WeightLoader *loader, const char *name, guint dim)
{
  char part[72];
#define PART(suffix) (g_snprintf(part, sizeof part, "%s." suffix, name), part)
  return (Gate){
    .norm_scale = vitgate__load_vector(loader, PART("norm"), "weight", 2 * dim),
    .norm_shift = vitgate__load_vector(loader, PART("norm"), "bias", 2 * dim),
    .fc1_weight = vitgate__load_vector(loader, PART("fc1"), "weight", GATE_HIDDEN * 2 * dim),
    .fc1_bias = vitgate__load_vector(loader, PART("fc1"), "bias", GATE_HIDDEN),
    .fc2_weight = vitgate__load_vector(loader, PART("fc2"), "weight", GATE_HIDDEN),
    .fc2_bias = vitgate__load_vector(loader, PART("fc2"), "bias", 1),
  };
#undef PART
}

/* The bias of a product of two is that of the second. */
static TokenGateLayers load_token_gate(WeightLoader *loader, const Description *d, guint i,
                                       const char *module, const TokenGate *shape)
{
  TokenGateLayers gate = { 0 };
  char name[64], part[72];
  if (!shape->present)
    return gate;
  g_snprintf(name, sizeof name, "blocks.%u.%s_token_gate", i, module);
  gate.weight = vitgate__load_vector(loader, name, "weight", d->dim);
  gate.bias = vitgate__load_vector(loader, name, "bias", 1);
  g_snprintf(name, sizeof name, "blocks.%u.%s_substitute", i, module);
  if (vitgate__substitute_is_whole(d, shape)) {
    gate.up = vitgate__load_linear(loader, name, TRUE, d->dim, d->dim);
  } else if (shape->rank) {
    g_snprintf(part, sizeof part, "%s.down", name);
    gate.down = vitgate__load_linear(loader, part, FALSE, shape->rank, d->dim);
    g_snprintf(part, sizeof part, "%s.up", name);
    float *bias = vitgate__load_affine(loader, part, FALSE, d->dim, shape->rank);
    vitgate__load_values(loader, bias, name, "bias");
    gate.up =
        vitgate__load_packed(loader, loader->precision, loader->scratch, bias, d->dim, shape->rank);
  } else {
    gate.constant = vitgate__load_vector(loader, name, "bias", d->dim);
  }
  return gate;
}

static Block load_block(WeightLoader *loader, const Vit *vit, guint i)
{
  const Description *d = vit->description;
  Block block = { 0 };
  guint width = d->blocks[i].heads * d->head_dim, neurons = d->blocks[i].neurons;
  char name[64];
#define NAME(part) (g_snprintf(name, sizeof name, "blocks.%u." part, i), name)
  if (width) {
    block.norm1 = vitgate__load_norm(loader, NAME("norm1"), d->dim);
    if (vitgate__vit_separates_queries(vit, i))
      load_separate_queries(loader, &block, NAME("attn.qkv"), !d->qkv_unbiased, width, d->dim);
    else
      block.qkv =
          vitgate__load_linear(loader, NAME("attn.qkv"), !d->qkv_unbiased, 3 * width, d->dim);
    block.proj = vitgate__load_linear(loader, NAME("attn.proj"), TRUE, d->dim, width);
  }
  if (neurons) {
    block.norm2 = vitgate__load_norm(loader, NAME("norm2"), d->dim);
    block.fc1 = vitgate__load_linear(loader, NAME("mlp.fc1"), TRUE, neurons, d->dim);
    block.fc2 = vitgate__load_linear(loader, NAME("mlp.fc2"), TRUE, d->dim, neurons);
  }
  if (d->blocks[i].attention_gate)
    block.attention_gate = load_gate(loader, NAME("attn_gate"), d->dim);
  if (d->blocks[i].mlp_gate)
    block.mlp_gate = load_gate(loader, NAME("mlp_gate"), d->dim);
#undef NAME
  block.attention_tokens = load_token_gate(loader, d, i, "attn", &d->blocks[i].attention_tokens);
  block.mlp_tokens = load_token_gate(loader, d, i, "mlp", &d->blocks[i].mlp_tokens);
  return block;
}

static float *load_embedding(WeightLoader *loader, const Vit *vit)
{
  static const char *const tokens[] = { "cls_token", "dist_token" };
  guint dim = vit->description->dim;
  float *rows = vitgate__load_vector(loader, "pos_embed", NULL,
                                     (gsize)vitgate__description_n_tokens(vit->description) * dim);
  for (guint t = 0; t < vit->n_prefix; t++) {
    vitgate__load_values(loader, loader->scratch, tokens[t], NULL);
    for (guint i = 0; i < dim; i++)
      rows[t * dim + i] += loader->scratch[i];
  }
  return rows;
}

static Linear load_patch(WeightLoader *loader, const Description *d)
{
  const guint n_values = vitgate__description_patch_values(d);
  float *bias = vitgate__load_affine(loader, d->family->embedding, TRUE, d->dim, n_values);
  if (d->family->reorder)
    d->family->reorder(d, loader->scratch, d->dim, FALSE);
  return vitgate__load_packed(loader, loader->precision, loader->scratch, bias, d->dim, n_values);
}

/* Computes the floats that all packed weights take, and those of the largest layer before it is
 * packed. */
static void measure(const Vit *vit, gsize *total, gsize *largest)
{
  const Description *d = vit->description;
  g_autoptr(GArray) specs = vitgate__description_tensors(d);
  vitgate__load_measure(specs, vit->precision, total, largest);
  /* A separate layer fills whole panels. */
  const gsize panels = vitgate__linear_size(vit->precision, 32, d->dim);
  for (guint b = 0; b < d->depth; b++)
    if (vitgate__vit_separates_queries(vit, b))
      *total += panels;
}

static UnknownLayers load_unknown(WeightLoader *loader, const Description *d)
{
  const guint n = vitgate__description_head_inputs(d);
  float *bias = loader->scratch + (gsize)n * n;
  UnknownLayers unknown;
  vitgate__load_values(loader, loader->scratch, "unknown.whitening", NULL);
  memset(bias, 0, n * sizeof *bias);
  unknown.whitening =
      vitgate__load_packed(loader, VITGATE_PRECISION_FLOAT32, loader->scratch, bias, n, n);
  unknown.means = vitgate__load_vector(loader, "unknown.means", NULL, (gsize)d->n_classes * n);
  return unknown;
}

static void load_all(WeightLoader *loader, Vit *vit)
{
  const Description *d = vit->description;
  if (d->family->load)
    vit->stem = d->family->load(loader, d);
  vit->embedding = load_embedding(loader, vit);
  vit->patch = load_patch(loader, d);
  vit->blocks = g_new0(Block, d->depth);
  for (guint i = 0; i < d->depth && !loader->failed; i++)
    vit->blocks[i] = load_block(loader, vit, i);
  vit->norm = vitgate__load_norm(loader, d->mean_pooling ? "fc_norm" : "norm", d->dim);
  vit->head = vitgate__load_linear(loader, "head", TRUE, d->n_classes, d->dim);
  if (vitgate__description_n_class_heads(d) == 2)
    vit->head_dist = vitgate__load_linear(loader, "head_dist", TRUE, d->n_classes, d->dim);
  if (d->unknown.present)
    vit->unknown = load_unknown(loader, d);
}

Vit *vitgate__vit_load(const Description *d, const Safetensors *file, VitgatePrecision precision,
                       GError **error)
{
  gsize total, largest;
  Vit *vit = g_new0(Vit, 1);
  vit->description = d;
  vit->precision = precision;
  vit->n_prefix = d->distilled ? 2 : 1;
  vit->tail = vitgate__description_tail(d);
  measure(vit, &total, &largest);
  g_autofree float *scratch = g_try_new(float, largest);
  gsize n_bytes;
  if (!scratch || !g_size_checked_mul(&n_bytes, MAX(total, 1), sizeof(float)) ||
      posix_memalign((void **)&vit->memory, 64, n_bytes)) {
    vit->memory = NULL;
    vitgate__set_error(error, VITGATE_ERROR_MEMORY,
                       "%s: not enough memory for %" G_GSIZE_FORMAT " bytes of weights",
                       vitgate__safetensors_get_path(file), (total + largest) * sizeof(float));
    vitgate__vit_free(&vit);
    return NULL;
  }
  WeightLoader loader = {
    .file = file, .precision = precision, .next = vit->memory, .scratch = scratch, .error = error
  };
  load_all(&loader, vit);
  if (loader.failed)
    vitgate__vit_free(&vit);
  return vit;
}

void vitgate__vit_free(Vit **vit)
{
  Vit *v = g_steal_pointer(vit);
  if (!v)
    return;
  free(v->memory);
  g_free(v->stem);
  g_free(v->blocks);
  g_free(v);
}
