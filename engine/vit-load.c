#include <string.h>

#include "error.h"
#include "vit.h"
#include "weights.h"

/* Copies tensors out of a file, one after another, into one block of memory. */
typedef struct {
  const Safetensors *file;
  VitgatePrecision precision;
  float *next;    /* free memory */
  float *scratch; /* [largest tensor] */
  GError **error;
  gboolean failed;
} Loader;

/* Reads tensor "@prefix.@name" (or "@prefix"), unless something failed before. */
static void read_tensor(Loader *loader, float *values, const char *prefix, const char *name)
{
  g_autofree char *full = name ? g_strdup_printf("%s.%s", prefix, name) : g_strdup(prefix);
  if (!loader->failed)
    loader->failed = !vitgate__weights_read(loader->file, full, values, loader->error);
}

static float *load_vector(Loader *loader, const char *prefix, const char *name, gsize n)
{
  float *values = loader->next;
  loader->next += vitgate__round_up(n);
  read_tensor(loader, values, prefix, name);
  return values;
}

static LayerNorm load_norm(Loader *loader, const char *name, guint n)
{
  return (LayerNorm){
    .scale = load_vector(loader, name, "weight", n),
    .shift = load_vector(loader, name, "bias", n),
  };
}

/* Reads weights, and behind them their bias, into the scratch memory.
 * Returns: the bias */
static float *read_affine(Loader *loader, const char *name, gboolean biased, guint n_out,
                          guint n_in)
{
  float *bias = loader->scratch + (gsize)n_out * n_in;
  read_tensor(loader, loader->scratch, name, "weight");
  if (biased)
    read_tensor(loader, bias, name, "bias");
  else
    memset(bias, 0, n_out * sizeof *bias);
  return bias;
}

static Linear load_layer(Loader *loader, const char *name, gboolean biased, guint n_out, guint n_in)
{
  Linear linear = { 0 };
  float *bias = read_affine(loader, name, biased, n_out, n_in);
  loader->next = vitgate__linear_init(&linear, loader->precision, loader->next, loader->scratch,
                                      bias, n_out, n_in);
  return linear;
}

static Linear load_linear(Loader *loader, const char *name, guint n_out, guint n_in)
{
  return load_layer(loader, name, TRUE, n_out, n_in);
}

/* The tail's queries are computed for other rows than its keys and values. */
static void load_tail(Loader *loader, Block *block, const char *name, gboolean biased, guint width,
                      guint dim)
{
  float *bias = read_affine(loader, name, biased, 3 * width, dim);
  loader->next = vitgate__linear_init(&block->q, loader->precision, loader->next, loader->scratch,
                                      bias, width, dim);
  loader->next =
      vitgate__linear_init(&block->qkv, loader->precision, loader->next,
                           loader->scratch + (gsize)width * dim, bias + width, 2 * width, dim);
}

static Gate load_gate(Loader *loader, const char *name, guint dim)
{
  char part[72];
#define PART(suffix) (g_snprintf(part, sizeof part, "%s." suffix, name), part)
  return (Gate){
    .norm_scale = load_vector(loader, PART("norm"), "weight", 2 * dim),
    .norm_shift = load_vector(loader, PART("norm"), "bias", 2 * dim),
    .fc1_weight = load_vector(loader, PART("fc1"), "weight", GATE_HIDDEN * 2 * dim),
    .fc1_bias = load_vector(loader, PART("fc1"), "bias", GATE_HIDDEN),
    .fc2_weight = load_vector(loader, PART("fc2"), "weight", GATE_HIDDEN),
    .fc2_bias = load_vector(loader, PART("fc2"), "bias", 1),
  };
#undef PART
}

static Block load_block(Loader *loader, const Description *d, guint i)
{
  Block block = { 0 };
  guint width = d->blocks[i].heads * d->head_dim, neurons = d->blocks[i].neurons;
  char name[64];
#define NAME(part) (g_snprintf(name, sizeof name, "blocks.%u." part, i), name)
  if (width) {
    block.norm1 = load_norm(loader, NAME("norm1"), d->dim);
    if (i == vitgate__description_tail(d))
      load_tail(loader, &block, NAME("attn.qkv"), !d->qkv_unbiased, width, d->dim);
    else
      block.qkv = load_layer(loader, NAME("attn.qkv"), !d->qkv_unbiased, 3 * width, d->dim);
    block.proj = load_linear(loader, NAME("attn.proj"), d->dim, width);
  }
  if (neurons) {
    block.norm2 = load_norm(loader, NAME("norm2"), d->dim);
    block.fc1 = load_linear(loader, NAME("mlp.fc1"), neurons, d->dim);
    block.fc2 = load_linear(loader, NAME("mlp.fc2"), d->dim, neurons);
  }
  if (d->blocks[i].attention_gate)
    block.attention_gate = load_gate(loader, NAME("attn_gate"), d->dim);
  if (d->blocks[i].mlp_gate)
    block.mlp_gate = load_gate(loader, NAME("mlp_gate"), d->dim);
#undef NAME
  return block;
}

static float *load_embedding(Loader *loader, const Vit *vit)
{
  static const char *const tokens[] = { "cls_token", "dist_token" };
  guint dim = vit->description->dim;
  float *rows = load_vector(loader, "pos_embed", NULL,
                            (gsize)vitgate__description_n_tokens(vit->description) * dim);
  for (guint t = 0; t < vit->n_prefix; t++) {
    read_tensor(loader, loader->scratch, tokens[t], NULL);
    for (guint i = 0; i < dim; i++)
      rows[t * dim + i] += loader->scratch[i];
  }
  return rows;
}

/* Floats for all packed weights, and for the largest layer before it is packed. */
static void measure(const Description *d, VitgatePrecision precision, gsize *total, gsize *largest)
{
  g_autoptr(GArray) specs = vitgate__description_tensors(d);
  *total = *largest = 0;
  for (guint i = 0; i < specs->len; i++) {
    const TensorSpec *spec = &g_array_index(specs, TensorSpec, i);
    gsize columns = 1;
    for (guint j = 1; j < spec->n_dims; j++)
      columns *= spec->shape[j];
    /* A gate's are no layers. */
    gboolean matrix = (spec->n_dims == 2 || spec->n_dims == 4) && !strstr(spec->name, "_gate.");
    *total += matrix ? vitgate__linear_size(precision, (guint)spec->shape[0], (guint)columns)
                     : vitgate__round_up(spec->shape[0] * columns);
    *largest = MAX(*largest, spec->shape[0] * (columns + 1));
  }
  *total += vitgate__linear_size(precision, 32, d->dim); /* the tail's queries are a layer of their
                                                            own, and fill a panel */
}

static void load_all(Loader *loader, Vit *vit)
{
  const Description *d = vit->description;
  vit->embedding = load_embedding(loader, vit);
  vit->patch = load_linear(loader, "patch_embed.proj", d->dim, 3 * d->patch_size * d->patch_size);
  vit->blocks = g_new0(Block, d->depth);
  for (guint i = 0; i < d->depth && !loader->failed; i++) {
    vit->blocks[i] = load_block(loader, d, i);
    vitgate__safetensors_forget_pages(loader->file);
  }
  vit->norm = load_norm(loader, d->mean_pooling ? "fc_norm" : "norm", d->dim);
  vit->head = load_linear(loader, "head", d->n_classes, d->dim);
  if (d->distilled)
    vit->head_dist = load_linear(loader, "head_dist", d->n_classes, d->dim);
}

Vit *vitgate__vit_load(const Description *d, const Safetensors *file, VitgatePrecision precision,
                       GError **error)
{
  gsize total, largest;
  measure(d, precision, &total, &largest);
  Vit *vit = g_new0(Vit, 1);
  vit->description = d;
  vit->precision = precision;
  vit->n_prefix = d->distilled ? 2 : 1;
  vit->tail = vitgate__description_tail(d);
  g_autofree float *scratch = g_try_new(float, largest);
  if (!scratch || posix_memalign((void **)&vit->memory, 64, MAX(total, 1) * sizeof(float))) {
    vit->memory = NULL;
    vitgate__set_error(error, VITGATE_ERROR_MEMORY,
                       "%s: no memory for %" G_GSIZE_FORMAT " bytes of weights",
                       vitgate__safetensors_get_path(file), (total + largest) * sizeof(float));
    vitgate__vit_free(&vit);
    return NULL;
  }
  Loader loader = {
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
  g_free(v->blocks);
  g_free(v);
}
