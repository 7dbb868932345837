#include "train/cut/cut.h"

#include <string.h>

#include "file/architecture.h"
#include "train/network/mask.h"

static void copy_common(Network *to, const Network *from)
{
  for (guint i = 0; i < to->parameters->len; i++) {
    const Parameter *p = &g_array_index(to->parameters, Parameter, i);
    const Parameter *q = network_find(from, p->name);
    if (q && q->n == p->n)
      memcpy(network_at(to, p->offset), network_at(from, q->offset), p->n * sizeof *to->values);
  }
  for (guint b = 0; b < to->description->depth; b++)
    to->blocks[b].merge_threshold = from->blocks[b].merge_threshold;
}

/* Multiplies weights[n_out][units * width] by the mask of the choice. */
static void fold_mask(const Network *searching, const Choice *choice, real *weights, guint n_out,
                      guint width)
{
  if (!choice->n)
    return;
  const gsize n = (gsize)choice->counts[choice->n - 1] * width;
  g_autofree real *mask = g_new0(real, n);
  mask_make(searching, choice, mask, width);
  for (guint k = 0; k < n_out; k++)
    for (gsize i = 0; i < n; i++)
      weights[k * n + i] *= mask[i];
}

Network *network_copy_plain(const Network *network)
{
  const Description *d = network->description;
  Network *copy = network_new(d, FALSE);
  copy_common(copy, network);
  for (guint b = 0; b < d->depth; b++) {
    const TrainBlock *block = &copy->blocks[b];
    fold_mask(network, &network->blocks[b].heads_choice, network_at(copy, block->proj_weight),
              d->dim, d->head_dim);
    fold_mask(network, &network->blocks[b].neurons_choice, network_at(copy, block->fc2_weight),
              d->dim, 1);
  }
  return copy;
}

/* ---- Moving units ---- */

/* Copies the rows of the first n units in order: to[n * width][columns] from from[…][columns]. */
static void pick_rows(real *to, const real *from, const Ranking *ranking, guint n, gsize columns)
{
  const gsize unit = ranking->width * columns;
  for (guint u = 0; u < n; u++)
    memcpy(to + u * unit, from + ranking->order[u] * unit, unit * sizeof *to);
}

/* The same for columns: to[rows][n * width] from from[rows][n_units * width]. */
static void pick_columns(real *to, const real *from, const Ranking *ranking, guint n, guint rows)
{
  for (guint row = 0; row < rows; row++)
    pick_rows(to + (gsize)row * n * ranking->width,
              from + (gsize)row * ranking->n_units * ranking->width, ranking, n, 1);
}

static void pick_heads(Network *to, const Network *from, guint b, const Ranking *ranking)
{
  const TrainBlock *t = &to->blocks[b], *f = &from->blocks[b];
  const guint dim = to->description->dim, width = ranking->width, n = t->heads;
  for (guint part = 0; part < 3; part++) { /* queries, keys, values */
    const gsize row = (gsize)part * n * width, old = (gsize)part * f->heads * width;
    pick_rows(network_at(to, t->qkv_weight) + row * dim,
              network_at(from, f->qkv_weight) + old * dim, ranking, n, dim);
    pick_rows(network_at(to, t->qkv_bias) + row, network_at(from, f->qkv_bias) + old, ranking, n,
              1);
  }
  pick_columns(network_at(to, t->proj_weight), network_at(from, f->proj_weight), ranking, n, dim);
}

static void pick_neurons(Network *to, const Network *from, guint b, const Ranking *ranking)
{
  const TrainBlock *t = &to->blocks[b], *f = &from->blocks[b];
  const guint dim = to->description->dim, n = t->neurons;
  pick_rows(network_at(to, t->fc1_weight), network_at(from, f->fc1_weight), ranking, n, dim);
  pick_rows(network_at(to, t->fc1_bias), network_at(from, f->fc1_bias), ranking, n, 1);
  pick_columns(network_at(to, t->fc2_weight), network_at(from, f->fc2_weight), ranking, n, dim);
}

void order_units(Network *network, Ranking *const *rankings)
{
  const Description *d = network->description;
  Network *before = network_new(d, FALSE);
  copy_common(before, network);
  for (guint module = 0; module < 2 * d->depth; module++) {
    if (!rankings[module])
      continue;
    (module % 2 ? pick_neurons : pick_heads)(network, before, module / 2, rankings[module]);
    for (guint u = 0; u < rankings[module]->n_units; u++)
      rankings[module]->order[u] = u;
  }
  network_free(&before);
}

/* ---- Cutting ---- */

/* Adds the constant output of @module to the nearest module before it. The result is the same,
 * since nothing reads the tokens in between. */
static void give_constant(Network *to, guint module, const real *constant)
{
  const guint dim = to->description->dim;
  while (module-- > 0) {
    const TrainBlock *block = &to->blocks[module / 2];
    if (!(module % 2 ? block->neurons : block->heads))
      continue;
    real *bias = network_at(to, module % 2 ? block->fc2_bias : block->proj_bias);
    for (guint i = 0; i < dim; i++)
      bias[i] += constant[i];
    return;
  }
  real *positions = network_at(to, to->pos_embed);
  for (guint t = 0; t < vitgate__description_n_tokens(to->description); t++)
    for (guint i = 0; i < dim; i++)
      positions[(gsize)t * dim + i] += constant[i];
}

static Description *describe_cut(const Description *d, const BlockShape *shapes, const char *name)
{
  Description *cut = g_memdup2(d, sizeof *d);
  cut->name = g_strdup(name);
  cut->blocks = g_memdup2(shapes, d->depth * sizeof *shapes);
  for (guint b = 0; b < d->depth; b++) {
    cut->blocks[b].attention_gate = d->blocks[b].attention_gate && shapes[b].heads;
    cut->blocks[b].mlp_gate = d->blocks[b].mlp_gate && shapes[b].neurons;
    cut->blocks[b].attention_tokens = cut->blocks[b].mlp_tokens = (TokenGate){ 0 };
  }
  cut->calibration = NULL; /* does not hold for the cut network */
  cut->n_calibration = 0;
  cut->labels = g_strdupv(d->labels);
  cut->thresholds = g_memdup2(d->thresholds, d->n_classes * sizeof *d->thresholds);
  cut->teach = NULL; /* this and the score do not hold either */
  vitgate__description_clear_taught(cut);
  cut->label_ids = g_strdupv(d->label_ids);
  cut->provenance = d->provenance ? json_object_ref(d->provenance) : NULL;
  return cut;
}

Network *cut_network(const Network *network, Ranking *const *rankings, const BlockShape *shapes,
                     const char *name, Description **description)
{
  const Description *d = network->description;
  *description = describe_cut(d, shapes, name);
  Network *cut = network_new(*description, FALSE);
  copy_common(cut, network);
  for (guint module = 0; module < 2 * d->depth; module++) {
    const guint b = module / 2;
    const guint n = module % 2 ? shapes[b].neurons : shapes[b].heads;
    if (!rankings[module])
      continue;
    const TrainBlock *block = &network->blocks[b];
    if (n)
      (module % 2 ? pick_neurons : pick_heads)(cut, network, b, rankings[module]);
    else
      give_constant(cut, module,
                    network_at(network, module % 2 ? block->fc2_bias : block->proj_bias));
  }
  return cut;
}
