#include "train/network/network.h"

#include <string.h>

#include "base/arena.h"
#include "file/architecture.h"
#include "file/tensor-specs.h"
#include "file/weights.h"

/* A gate starts open with a probability of 92 % (sigmoid of 2.5). */
#define GATE_INITIAL_LOGIT 2.5
#define RANDOM_GATE_SCALE  12 /* gives the logits of images a spread of about one */

static gsize add(Network *network, const TensorSpec *spec)
{
  const gboolean steers = strstr(spec->name, "_gate.") || g_str_has_suffix(spec->name, ".alpha");
  Parameter p = { .n_dims = spec->n_dims, .offset = network->n_values, .n = 1, .steers = steers };
  g_strlcpy(p.name, spec->name, sizeof p.name);
  for (guint i = 0; i < spec->n_dims; i++) {
    p.shape[i] = spec->shape[i];
    p.n *= spec->shape[i];
  }
  p.fixed = p.frozen = g_str_has_prefix(spec->name, "tokens_to_token.attention");
  p.decay = (spec->n_dims == 2 || spec->n_dims == 4) && !g_str_has_suffix(spec->name, ".w");
  g_array_append_val(network->parameters, p);
  network->n_values += vitgate__round_up(p.n); /* every tensor starts on a cache line */
  return p.offset;
}

const Parameter *network_find(const Network *network, const char *name)
{
  for (guint i = 0; i < network->parameters->len; i++) {
    const Parameter *p = &g_array_index(network->parameters, Parameter, i);
    if (!strcmp(p->name, name))
      return p;
  }
  return NULL;
}

static gsize offset_of(const Network *network, const char *name)
{
  const Parameter *p = network_find(network, name);
  return p ? p->offset : 0;
}

static void locate_gate(Network *network, GateOffsets *gate, guint block, const char *module)
{
  const struct {
    const char *name;
    gsize *offset;
  } parts[] = {
    { "norm.weight", &gate->norm_scale }, { "norm.bias", &gate->norm_shift },
    { "fc1.weight", &gate->fc1_weight },  { "fc1.bias", &gate->fc1_bias },
    { "fc2.weight", &gate->fc2_weight },  { "fc2.bias", &gate->fc2_bias },
  };
  gate->present = TRUE;
  for (guint p = 0; p < G_N_ELEMENTS(parts); p++) {
    char name[64];
    g_snprintf(name, sizeof name, "blocks.%u.%s_gate.%s", block, module, parts[p].name);
    *parts[p].offset = offset_of(network, name);
  }
}

static void locate_token_gate(Network *network, TokenGateOffsets *gate, guint block,
                              const char *module, const TokenGate *shape)
{
  gate->present = TRUE;
  gate->rank = shape->rank;
  gate->whole = vitgate__substitute_is_whole(network->description, shape);
  const struct {
    const char *name;
    gsize *offset;
  } parts[] = {
    { "token_gate.weight", &gate->weight },
    { "token_gate.bias", &gate->bias },
    { "substitute.down.weight", &gate->down },
    { gate->whole ? "substitute.weight" : "substitute.up.weight", &gate->up },
    { "substitute.bias", &gate->bias_out },
  };
  for (guint p = 0; p < G_N_ELEMENTS(parts); p++) {
    char name[64];
    g_snprintf(name, sizeof name, "blocks.%u.%s_%s", block, module, parts[p].name);
    *parts[p].offset = offset_of(network, name);
  }
}

static void locate_block(Network *network, guint i)
{
  TrainBlock *block = &network->blocks[i];
  const struct {
    const char *name;
    gsize *offset;
  } parts[] = {
    { "norm1.weight", &block->norm1_scale },     { "norm1.bias", &block->norm1_shift },
    { "attn.qkv.weight", &block->qkv_weight },   { "attn.qkv.bias", &block->qkv_bias },
    { "attn.proj.weight", &block->proj_weight }, { "attn.proj.bias", &block->proj_bias },
    { "norm2.weight", &block->norm2_scale },     { "norm2.bias", &block->norm2_shift },
    { "mlp.fc1.weight", &block->fc1_weight },    { "mlp.fc1.bias", &block->fc1_bias },
    { "mlp.fc2.weight", &block->fc2_weight },    { "mlp.fc2.bias", &block->fc2_bias },
  };
  for (guint p = 0; p < G_N_ELEMENTS(parts); p++) {
    char name[64];
    g_snprintf(name, sizeof name, "blocks.%u.%s", i, parts[p].name);
    *parts[p].offset = offset_of(network, name);
  }
  block->heads = network->description->blocks[i].heads;
  block->neurons = network->description->blocks[i].neurons;
  block->merge_threshold = 2;
  if (network->description->blocks[i].attention_gate)
    locate_gate(network, &block->attention_gate, i, "attn");
  if (network->description->blocks[i].mlp_gate)
    locate_gate(network, &block->mlp_gate, i, "mlp");
  const BlockShape *shape = &network->description->blocks[i];
  if (shape->attention_tokens.present)
    locate_token_gate(network, &block->attention_tokens, i, "attn", &shape->attention_tokens);
  if (shape->mlp_tokens.present)
    locate_token_gate(network, &block->mlp_tokens, i, "mlp", &shape->mlp_tokens);
}

static void locate(Network *network)
{
  const char *embedding = network->description->family->embedding;
  g_autofree char *patch_weight = g_strconcat(embedding, ".weight", NULL);
  g_autofree char *patch_bias = g_strconcat(embedding, ".bias", NULL);
  const gboolean mean = network->description->mean_pooling;
  const struct {
    const char *name;
    gsize *offset;
  } parts[] = {
    { "cls_token", &network->cls_token },
    { "dist_token", &network->dist_token },
    { "pos_embed", &network->pos_embed },
    { patch_weight, &network->patch_weight },
    { patch_bias, &network->patch_bias },
    { mean ? "fc_norm.weight" : "norm.weight", &network->norm_scale },
    { mean ? "fc_norm.bias" : "norm.bias", &network->norm_shift },
    { "head.weight", &network->head_weight },
    { "head.bias", &network->head_bias },
    { "head_dist.weight", &network->head_dist_weight },
    { "head_dist.bias", &network->head_dist_bias },
  };
  for (guint p = 0; p < G_N_ELEMENTS(parts); p++)
    *parts[p].offset = offset_of(network, parts[p].name);
  for (guint i = 0; i < network->description->depth; i++)
    locate_block(network, i);
}

/* Adds a fixed bias of zeros if queries, keys and values have no bias. */
static void add_implied_biases(Network *network)
{
  const Description *d = network->description;
  for (guint b = 0; d->qkv_unbiased && b < d->depth; b++) {
    TensorSpec spec = { .n_dims = 1, .shape = { 3 * d->blocks[b].heads * d->head_dim } };
    if (!d->blocks[b].heads)
      continue;
    g_snprintf(spec.name, sizeof spec.name, "blocks.%u.attn.qkv.bias", b);
    add(network, &spec);
    Parameter *p = &g_array_index(network->parameters, Parameter, network->parameters->len - 1);
    p->fixed = p->frozen = p->implied = TRUE;
  }
}

static void add_choice(Network *network, Choice *choice, guint block, const char *units, guint max,
                       guint step)
{
  step = MAX(step, max / (MAX_CANDIDATES - 1) + 1);
  choice->n = max / step + 1;
  choice->counts = g_new(guint, choice->n);
  for (guint i = 0; i < choice->n; i++)
    choice->counts[i] = i * step;
  choice->counts[choice->n - 1] = max;
  TensorSpec spec = { .n_dims = 1, .shape = { choice->n } };
  g_snprintf(spec.name, sizeof spec.name, "blocks.%u.%s.alpha", block, units);
  choice->alphas = add(network, &spec);
}

/* Neurons are cut in multiples of 16; steps of an eighth are fine enough for the search. */
static guint neuron_step(guint neurons)
{
  return MAX(16, neurons / 8 / 16 * 16);
}

static void add_choices(Network *network)
{
  for (guint i = 0; i < network->description->depth; i++) {
    TrainBlock *block = &network->blocks[i];
    if (block->heads)
      add_choice(network, &block->heads_choice, i, "heads", block->heads, 1);
    if (block->neurons)
      add_choice(network, &block->neurons_choice, i, "neurons", block->neurons,
                 neuron_step(block->neurons));
  }
}

static void fill(Network *network, gsize offset, guint n, real value)
{
  for (guint i = 0; i < n; i++)
    network->values[offset + i] = value;
}

/* Small pseudo-random numbers break the symmetry of a gate's hidden units. */
static void start_gate(Network *network, const GateOffsets *gate)
{
  const guint width = 2 * network->description->dim;
  if (!gate->present)
    return;
  fill(network, gate->norm_scale, width, 1);
  g_autoptr(GRand) random = g_rand_new_with_seed((guint32)gate->fc1_weight);
  for (guint i = 0; i < GATE_HIDDEN * width; i++)
    network->values[gate->fc1_weight + i] = (real)(g_rand_double_range(random, -1, 1) * 0.06);
  for (guint i = 0; i < GATE_HIDDEN; i++)
    network->values[gate->fc2_weight + i] = (real)(g_rand_double_range(random, -1, 1) * 0.25);
  fill(network, gate->fc2_bias, 1, (real)GATE_INITIAL_LOGIT);
}

static void control_gate(Network *network, const GateOffsets *gate, ModuleControl control)
{
  if (!gate->present)
    return;
  for (guint i = 0; i < GATE_HIDDEN; i++)
    network->values[gate->fc2_weight + i] *=
        control == GATES_CONSTANT ? 0 : (real)RANDOM_GATE_SCALE;
}

void network_control_gates(Network *network, ModuleControl control, gboolean fresh)
{
  if (control == GATES_LEARNED)
    return;
  for (guint i = 0; i < network->parameters->len; i++) {
    Parameter *p = &g_array_index(network->parameters, Parameter, i);
    p->fixed = p->frozen || (strstr(p->name, "_gate.") && !g_str_has_suffix(p->name, ".fc2.bias"));
  }
  for (guint b = 0; fresh && b < network->description->depth; b++) {
    control_gate(network, &network->blocks[b].attention_gate, control);
    control_gate(network, &network->blocks[b].mlp_gate, control);
  }
}

/* The search starts close to the whole network: the last candidate has the largest weight. */
static void start_choice(Network *network, const Choice *choice)
{
  if (choice->n)
    network->values[choice->alphas + choice->n - 1] = 2;
}

void description_add_gates(Description *description)
{
  for (guint b = 1; b < description->depth; b++) {
    description->blocks[b].attention_gate = description->blocks[b].heads > 0;
    description->blocks[b].mlp_gate = description->blocks[b].neurons > 0;
  }
}

gboolean description_has_gate(const Description *d, guint module)
{
  const BlockShape *shape = &d->blocks[module / 2];
  return module % 2 ? shape->mlp_gate : shape->attention_gate;
}

gboolean description_has_gates(const Description *d)
{
  for (guint module = 0; module < 2 * d->depth; module++)
    if (description_has_gate(d, module))
      return TRUE;
  return FALSE;
}

gboolean description_has_token_gates(const Description *d)
{
  for (guint module = 0; module < 2 * d->depth; module++)
    if (description_token_gate(d, module)->present)
      return TRUE;
  return FALSE;
}

void network_learn_token_gates(Network *network, gboolean learn)
{
  for (guint i = 0; i < network->parameters->len; i++) {
    Parameter *p = &g_array_index(network->parameters, Parameter, i);
    if (strstr(p->name, "_token_gate."))
      p->fixed = !learn;
  }
  for (guint b = 0; b < network->description->depth; b++)
    network->blocks[b].attention_tokens.learns = network->blocks[b].mlp_tokens.learns = learn;
}

Network *network_new(const Description *description, gboolean search)
{
  Network *network = g_new0(Network, 1);
  network->description = description;
  network->n_prefix = description->distilled ? 2 : 1;
  network->parameters = g_array_new(FALSE, TRUE, sizeof(Parameter));
  network->blocks = g_new0(TrainBlock, description->depth + 1);
  g_autoptr(GArray) specs = vitgate__description_tensors(description);
  for (guint i = 0; i < specs->len; i++) {
    const TensorSpec *spec = &g_array_index(specs, TensorSpec, i);
    /* LayerScale is folded when loaded; the score for unknown pictures is not trained. */
    if (!g_str_has_suffix(spec->name, ".gamma") && !g_str_has_prefix(spec->name, "unknown."))
      add(network, spec);
  }
  add_implied_biases(network);
  locate(network);
  network_learn_token_gates(network, FALSE);
  network->searches = search;
  if (search)
    add_choices(network);
  network->values = g_new0(real, network->n_values);
  for (guint i = 0; i < description->depth; i++) {
    TrainBlock *block = &network->blocks[i];
    start_gate(network, &block->attention_gate);
    start_gate(network, &block->mlp_gate);
    start_choice(network, &block->heads_choice);
    start_choice(network, &block->neurons_choice);
  }
  return network;
}

void network_free(Network **network)
{
  Network *n = g_steal_pointer(network);
  if (!n)
    return;
  for (guint i = 0; i < n->description->depth; i++) {
    g_free(n->blocks[i].heads_choice.counts);
    g_free(n->blocks[i].neurons_choice.counts);
  }
  g_array_unref(n->parameters);
  g_free(n->blocks);
  g_free(n->values);
  g_free(n);
}

gboolean network_load(Network *network, const Safetensors *file, GError **error)
{
  for (guint i = 0; i < network->parameters->len; i++) {
    const Parameter *p = &g_array_index(network->parameters, Parameter, i);
    if (!vitgate__safetensors_find(file, p->name))
      continue;
    g_autofree float *values = g_new(float, p->n);
    if (!vitgate__weights_read_folded(file, p->name, values, error))
      return FALSE;
    for (gsize j = 0; j < p->n; j++)
      network->values[p->offset + j] = (real)values[j];
  }
  return TRUE;
}

static void copy_named(Network *to, const Network *from, gboolean gates_only)
{
  for (guint i = 0; i < to->parameters->len; i++) {
    const Parameter *p = &g_array_index(to->parameters, Parameter, i);
    const Parameter *same = network_find(from, p->name);
    if (same && same->n == p->n && (!gates_only || strstr(p->name, "_gate.")))
      memcpy(to->values + p->offset, from->values + same->offset, p->n * sizeof(real));
  }
}

void network_copy_values(Network *to, const Network *from)
{
  copy_named(to, from, FALSE);
}

void network_copy_gates(Network *to, const Network *from)
{
  copy_named(to, from, TRUE);
}
