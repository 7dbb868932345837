#include "train/network/pass-gate.h"

#include <math.h>
#include <string.h>

#include "file/architecture.h"
#include "train/network/mask.h"
#include "train/network/pass-ranks.h"
#include "train/network/training-kernels.h"

/* Finds a module's input: the first row of each image, the tokens and their sizes. */
static void module_input(const Share *share, guint b, gboolean mlp, const guint **rows,
                         const real **tokens, const real **size)
{
  const Activations *a = &share->blocks[b];
  *rows = mlp ? a->merged : a->rows;
  *tokens = mlp ? a->z : a->x;
  *size = mlp ? share->blocks[b + 1].size : a->size;
}

static void gather_features(Share *share, guint b, gboolean mlp)
{
  const Network *network = share->pass->network;
  const guint dim = network->description->dim;
  const real patches = vitgate__description_n_patches(network->description);
  const guint *rows;
  const real *tokens, *size;
  module_input(share, b, mlp, &rows, &tokens, &size);
  real *in = share->blocks[b].gates[mlp].in;
  memset(in, 0, (gsize)share->n * 2 * dim * sizeof *in);
  for (guint i = 0; i < share->n; i++, in += 2 * dim) {
    memcpy(in, tokens + (gsize)rows[i] * dim, dim * sizeof *in);
    for (guint j = rows[i] + network->n_prefix; j < rows[i + 1]; j++)
      training_kernels()->add_scaled(in + dim, size[j] / patches, tokens + (gsize)j * dim, dim);
  }
}

/* Returns: GMACs of the module for image @i as if its gate were open */
static double module_macs(const Share *share, guint b, gboolean mlp, guint i)
{
  const Network *network = share->pass->network;
  const TrainBlock *block = &network->blocks[b];
  const guint *rows;
  const real *tokens, *size;
  module_input(share, b, mlp, &rows, &tokens, &size);
  const guint t = rows[i + 1] - rows[i];
  const Choice *choice = mlp ? &block->neurons_choice : &block->heads_choice;
  double all = mlp ? vitgate__mlp_gmacs(network->description, block->neurons, t)
                   : vitgate__attention_gmacs(network->description, block->heads, t,
                                              b == share->pass->tail ? network->n_prefix : t);
  if (!mlp && b < share->pass->tail && block->heads && block->merge_threshold <= 1)
    all += vitgate__merge_gmacs(t - network->n_prefix, network->description->head_dim);
  return all * (choice->n ? mask_scale(network, choice) : 1);
}

static void compute_logits(Share *share, guint b, gboolean mlp)
{
  const Network *network = share->pass->network;
  const GateOffsets *gate = network_gate(network, b, mlp);
  const guint width = 2 * network->description->dim, n = share->n;
  Activations *a = &share->blocks[b];
  gather_features(share, b, mlp);
  training_kernels()->layer_norm(a->gates[mlp].norm, a->gates[mlp].mean, a->gates[mlp].inverse,
                                 a->gates[mlp].in, network_at(network, gate->norm_scale),
                                 network_at(network, gate->norm_shift),
                                 (real)network->description->layer_norm_eps, n, width);
  const real *w1 = network_at(network, gate->fc1_weight), *b1 = network_at(network, gate->fc1_bias);
  const real *w2 = network_at(network, gate->fc2_weight), *b2 = network_at(network, gate->fc2_bias);
  for (guint i = 0; i < n; i++)
    for (guint h = 0; h < GATE_HIDDEN; h++)
      a->gates[mlp].hidden[i * GATE_HIDDEN + h] =
          b1[h] + (real)training_kernels()->dot(w1 + (gsize)h * width,
                                                a->gates[mlp].norm + (gsize)i * width, width);
  training_kernels()->gelu(a->gates[mlp].active, a->gates[mlp].hidden, (gsize)n * GATE_HIDDEN);
  real *logit =
      share->pass->decisions.logit + (gsize)(2 * b + mlp) * share->pass->capacity + share->first;
  for (guint i = 0; i < n; i++) {
    const double raw =
        b2[0] + training_kernels()->dot(w2, a->gates[mlp].active + i * GATE_HIDDEN, GATE_HIDDEN);
    a->gates[mlp].raw[i] = (real)raw;
    logit[i] = (real)(GATE_BOUND * tanh(raw / GATE_BOUND));
  }
}

/* Returns: the mean logit of the images that share a decision with image @i */
static double group_logit(const TrainingPass *pass, const real *logit, guint i)
{
  const guint *group = pass->decisions.group;
  if (!group)
    return logit[i];
  double sum = 0;
  guint n = 0;
  for (guint j = 0; j < pass->n_images; j++)
    if (group[j] == group[i]) {
      sum += logit[j];
      n++;
    }
  return sum / n;
}

static void decide(Share *share, guint b, gboolean mlp)
{
  const TrainingPass *pass = share->pass;
  const Decisions *decisions = &pass->decisions;
  const gsize at = (gsize)(2 * b + mlp) * pass->capacity;
  for (guint i = share->first; i < share->first + share->n; i++) {
    double logit = group_logit(pass, decisions->logit + at, i) + decisions->bias;
    if (decisions->sampling) {
      const guint group = decisions->group ? decisions->group[i] : i;
      logit = (logit + decisions->noise[at + group]) / decisions->temperature;
    }
    const double soft = 1 / (1 + exp(-logit));
    decisions->soft[at + i] = (real)soft;
    decisions->open[at + i] = decisions->relaxed ? (real)soft : logit > 0;
  }
}

void pass_gate(Share *share, guint b, gboolean mlp)
{
  TrainingPass *pass = share->pass;
  const GateOffsets *gate = network_gate(pass->network, b, mlp);
  const gsize at = (gsize)(2 * b + mlp) * pass->capacity;
  if (gate->present) {
    compute_logits(share, b, mlp);
    if (pass->decisions.group)
      pass_gather(share, pass->decisions.logit + at);
    decide(share, b, mlp);
  }
  for (guint i = 0; i < share->n; i++) {
    const gsize k = at + share->first + i;
    if (!gate->present)
      pass->decisions.open[k] = pass->decisions.soft[k] = 1;
    pass->decisions.macs[k] = (real)module_macs(share, b, mlp, i);
    pass->decisions.rate[k] = 1;
    pass->decisions.dopen[k] = pass->decisions.dlogit[k] = 0;
  }
}

/* Adds the gradient of a gate's logit to its weights and to share->dx. */
static void logit_backward(Share *share, guint b, gboolean mlp, guint i, double dlogit)
{
  const Network *network = share->pass->network;
  const GateOffsets *gate = network_gate(network, b, mlp);
  const guint dim = network->description->dim, width = 2 * dim;
  const Activations *a = &share->blocks[b];
  const TrainingKernels *f = training_kernels();
  const double bounded = tanh(a->gates[mlp].raw[i] / GATE_BOUND);
  const real draw = (real)(dlogit * (1 - bounded * bounded));
  real dactive[GATE_HIDDEN], dhidden[GATE_HIDDEN];
  share->gradient[gate->fc2_bias] += draw;
  f->add_scaled(share->gradient + gate->fc2_weight, draw, a->gates[mlp].active + i * GATE_HIDDEN,
                GATE_HIDDEN);
  for (guint h = 0; h < GATE_HIDDEN; h++)
    dactive[h] = draw * network_at(network, gate->fc2_weight)[h];
  f->gelu_backward(dhidden, dactive, a->gates[mlp].hidden + i * GATE_HIDDEN, GATE_HIDDEN);
  real *dnorm = share->dfeatures, *din = share->dfeatures + width;
  memset(dnorm, 0, 2 * width * sizeof *dnorm);
  for (guint h = 0; h < GATE_HIDDEN; h++) {
    const gsize row = (gsize)h * width;
    f->add_scaled(share->gradient + gate->fc1_weight + row, dhidden[h],
                  a->gates[mlp].norm + (gsize)i * width, width);
    f->add_scaled(dnorm, dhidden[h], network_at(network, gate->fc1_weight) + row, width);
  }
  f->add_scaled(share->gradient + gate->fc1_bias, 1, dhidden, GATE_HIDDEN);
  f->layer_norm_backward(din, share->gradient + gate->norm_scale,
                         share->gradient + gate->norm_shift, dnorm,
                         a->gates[mlp].in + (gsize)i * width, network_at(network, gate->norm_scale),
                         a->gates[mlp].mean + i, a->gates[mlp].inverse + i, 1, width);

  const real patches = vitgate__description_n_patches(network->description);
  const guint *rows;
  const real *tokens, *size;
  module_input(share, b, mlp, &rows, &tokens, &size);
  f->add_scaled(share->dx + (gsize)rows[i] * dim, 1, din, dim);
  for (guint j = rows[i] + network->n_prefix; j < rows[i + 1]; j++)
    f->add_scaled(share->dx + (gsize)j * dim, size[j] / patches, din + dim, dim);
}

/* Straight-through estimate: the gradient of the hard decision is used as that of the soft one. */
void pass_gate_backward(Share *share, guint b, gboolean mlp)
{
  TrainingPass *pass = share->pass;
  const Decisions *decisions = &pass->decisions;
  const gsize at = (gsize)(2 * b + mlp) * pass->capacity;
  if (!network_gate(pass->network, b, mlp)->present)
    return;
  if (decisions->group)
    pass_gather(share, decisions->dopen + at);
  for (guint i = 0; i < share->n; i++) {
    const guint image = share->first + i;
    double sum = 0;
    guint n = 0;
    for (guint j = 0; j < pass->n_images; j++)
      if (decisions->group ? decisions->group[j] == decisions->group[image] : j == image) {
        sum += decisions->dopen[at + j];
        n++;
      }
    const double soft = decisions->soft[at + image];
    const double slope = soft * (1 - soft) / (decisions->sampling ? decisions->temperature : 1);
    logit_backward(share, b, mlp, i, sum * slope / n + (double)decisions->dlogit[at + image]);
  }
}

void pass_gate_apply(const Share *share, guint module, real *out, const real *f, const guint *first)
{
  const gsize dim = share->pass->network->description->dim;
  const real *open = share->pass->decisions.open + module * share->pass->capacity + share->first;
  for (guint i = 0; i < share->n; i++)
    training_kernels()->add_scaled(out + first[i] * dim, open[i], f + first[i] * dim,
                                   (first[i + 1] - first[i]) * dim);
}

void pass_gate_apply_backward(Share *share, guint module, real *df, const real *f,
                              const guint *first)
{
  const gsize dim = share->pass->network->description->dim;
  const gsize at = (gsize)module * share->pass->capacity + share->first;
  const real *open = share->pass->decisions.open + at;
  real *dopen = share->pass->decisions.dopen + at;
  memset(df, 0, first[share->n] * dim * sizeof *df);
  for (guint i = 0; i < share->n; i++) {
    const gsize from = first[i] * dim, n = first[i + 1] * dim - from;
    training_kernels()->add_scaled(df + from, open[i], share->dx + from, n);
    if (network_gate(share->pass->network, module / 2, module % 2)->present)
      dopen[i] += (real)training_kernels()->dot(share->dx + from, f + from, n);
  }
}
