#include "train/network/pass-token-gate.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "file/architecture.h"
#include "network/dial.h"
#include "train/network/pass-linear.h"
#include "train/network/training-kernels.h"

const TokenGateOffsets *pass_token_gate_of(const Share *share, guint b, gboolean mlp)
{
  const TokenGateOffsets *gate = network_token_gate(share->pass->network, 2 * b + mlp);
  const gboolean effective = gate->present && b < share->pass->tail &&
                             share->pass->decisions.bias < (double)TOKEN_GATES_OPEN;
  return effective ? gate : NULL;
}

static const TokenGate *shape_of(const Share *share, guint b, gboolean mlp)
{
  return description_token_gate(share->pass->network->description, 2 * b + mlp);
}

static const guint *rows_of(const Share *share, guint b, gboolean mlp)
{
  return mlp ? share->blocks[b].merged : share->blocks[b].rows;
}

static const real *norm_of(const Share *share, guint b, gboolean mlp)
{
  return mlp ? share->blocks[b].h2 : share->blocks[b].h1;
}

/* ---- Decisions ---- */

/* Replaces an image's logits by its own in another order. */
static void permute(real *logit, const real *own, guint n, guint64 key)
{
  for (guint t = 0; t < n; t++)
    logit[t] = own[random_permute(key, n, t)];
}

/* Replaces the share's logits by those of a control; see TokenControl. */
static void control_logits(Share *share, guint b, gboolean mlp)
{
  const guint *rows = rows_of(share, b, mlp), prefix = share->pass->network->n_prefix;
  real *logit = share->blocks[b].tokens[mlp].logit;
  const TokenControl control = share->pass->decisions.control;
  if (control == TOKENS_LEARNED)
    return;
  g_autofree real *own = g_memdup2(logit, rows[share->n] * sizeof *logit);
  for (guint i = 0; i < share->n; i++) {
    const guint first = rows[i] + prefix, n = rows[i + 1] - first;
    if (control == TOKENS_RANDOM) {
      permute(logit + first, own + first, n,
              random_key(share->pass->decisions.draw, 2 * b + mlp, share->first + i));
      continue;
    }
    for (guint t = 0; t < n; t++) {
      double sum = 0;
      guint count = 0;
      for (guint j = 0; j < share->n; j++) {
        const guint other = rows[j] + prefix, m = rows[j + 1] - other;
        if (!m || (control == TOKENS_SHUFFLED && j != (i + 1) % share->n))
          continue;
        sum += own[other + (guint)((guint64)t * m / n)];
        count++;
      }
      logit[first + t] = (real)(count ? sum / count : 0);
    }
  }
}

/* Takes the mean logit of the images in a group, position by position. Every image of a group has
 * the same number of tokens, since groups and merging exclude each other. */
static double group_logit(const TrainingPass *pass, guint b, gboolean mlp, guint image, guint token)
{
  const guint *group = pass->decisions.group;
  double sum = 0;
  guint n = 0;
  for (guint m = 0; m < vitgate__team_size(pass->team); m++) {
    const Share *share = &pass->shares[m];
    const guint *rows = rows_of(share, b, mlp);
    for (guint j = 0; j < share->n; j++)
      if (group[share->first + j] == group[image] && token < rows[j + 1] - rows[j]) {
        sum += share->blocks[b].tokens[mlp].logit[rows[j] + token];
        n++;
      }
  }
  return sum / n;
}

static void decide(Share *share, guint b, gboolean mlp)
{
  const TrainingPass *pass = share->pass;
  const Decisions *decisions = &pass->decisions;
  const guint *rows = rows_of(share, b, mlp);
  TokenActivations *a = &share->blocks[b].tokens[mlp];
  for (guint i = 0; i < share->n; i++)
    for (guint row = rows[i]; row < rows[i + 1]; row++) {
      const gboolean prefix = row - rows[i] < pass->network->n_prefix;
      const double logit =
          decisions->bias + (decisions->group
                                 ? group_logit(pass, b, mlp, share->first + i, row - rows[i])
                                 : (double)a->logit[row]);
      const double soft = 1 / (1 + exp(-logit));
      a->soft[row] = prefix ? 1 : (real)soft;
      a->open[row] = prefix ? 1 : decisions->relaxed ? (real)soft : logit > 0;
    }
}

/* Returns: GMACs that a token saves if it gets the substitute */
static double token_saving(const Share *share, guint b, gboolean mlp, guint n_tokens)
{
  const Description *d = share->pass->network->description;
  return vitgate__token_gmacs(d, 2 * b + mlp, n_tokens) -
         vitgate__token_gate_gmacs(d, shape_of(share, b, mlp), 0, 1);
}

/* Subtracts from each image's cost of the module what closed tokens save, and adds the gate's. */
static void set_costs(Share *share, guint b, gboolean mlp)
{
  const Description *d = share->pass->network->description;
  const guint *rows = rows_of(share, b, mlp), prefix = share->pass->network->n_prefix;
  const real *open = share->blocks[b].tokens[mlp].open;
  const gsize at = (gsize)(2 * b + mlp) * share->pass->capacity + share->first;
  real *macs = share->pass->decisions.macs + at, *rate = share->pass->decisions.rate + at;
  for (guint i = 0; i < share->n; i++) {
    const guint n = rows[i + 1] - rows[i];
    double closed = 0;
    for (guint row = rows[i]; row < rows[i + 1]; row++)
      closed += 1 - (double)open[row];
    macs[i] += (real)(vitgate__token_gate_gmacs(d, shape_of(share, b, mlp), n - prefix, 0) -
                      closed * token_saving(share, b, mlp, n));
    rate[i] = (real)(1 - closed / n);
  }
}

static void substitute(Share *share, guint b, gboolean mlp, const TokenGateOffsets *gate)
{
  const guint rows = rows_of(share, b, mlp)[share->n];
  const guint dim = share->pass->network->description->dim;
  TokenActivations *a = &share->blocks[b].tokens[mlp];
  const guint up = N_BLOCK_WEIGHTS * b + (mlp ? MLP_UP : ATTENTION_UP);
  if (!gate->rank) {
    for (guint row = 0; row < rows; row++)
      memcpy(a->out + (gsize)row * dim, network_at(share->pass->network, gate->bias_out),
             dim * sizeof *a->out);
    return;
  }
  if (!gate->whole)
    pass_linear(share, up - 1, a->hidden, norm_of(share, b, mlp), FALSE, rows);
  pass_linear(share, up, a->out, gate->whole ? norm_of(share, b, mlp) : a->hidden, FALSE, rows);
}

void pass_token_gate(Share *share, guint b, gboolean mlp)
{
  const TokenGateOffsets *gate = pass_token_gate_of(share, b, mlp);
  const Network *network = share->pass->network;
  const guint dim = network->description->dim;
  TokenActivations *a = &share->blocks[b].tokens[mlp];
  if (!gate)
    return;
  const real *h = norm_of(share, b, mlp), *weight = network_at(network, gate->weight);
  const double bias = (double)*network_at(network, gate->bias);
  for (guint row = 0; row < rows_of(share, b, mlp)[share->n]; row++)
    a->logit[row] = (real)(bias + training_kernels()->dot(weight, h + (gsize)row * dim, dim));
  control_logits(share, b, mlp);
  if (share->pass->decisions.group)
    vitgate__team_barrier(share->pass->team);
  decide(share, b, mlp);
  if (share->pass->decisions.group) /* without a backward pass, blocks share these arrays */
    vitgate__team_barrier(share->pass->team);
  set_costs(share, b, mlp);
  substitute(share, b, mlp, gate);
}

void pass_token_gate_apply(const Share *share, guint b, gboolean mlp, real *out, const real *f)
{
  const TokenActivations *a = &share->blocks[b].tokens[mlp];
  const guint dim = share->pass->network->description->dim;
  for (guint row = 0; row < rows_of(share, b, mlp)[share->n]; row++) {
    const gsize at = (gsize)row * dim;
    if (a->open[row] > 0)
      training_kernels()->add_scaled(out + at, a->open[row], f + at, dim);
    if (a->open[row] < 1)
      training_kernels()->add_scaled(out + at, 1 - a->open[row], a->out + at, dim);
  }
}

/* ---- Backward ---- */

void pass_token_gate_apply_backward(Share *share, guint b, gboolean mlp, real *df, const real *f)
{
  TokenActivations *a = &share->blocks[b].tokens[mlp];
  const guint dim = share->pass->network->description->dim;
  const guint rows = rows_of(share, b, mlp)[share->n];
  memset(df, 0, (gsize)rows * dim * sizeof *df);
  memset(share->dout, 0, (gsize)rows * dim * sizeof *share->dout);
  for (guint row = 0; row < rows; row++) {
    const gsize at = (gsize)row * dim;
    const real *dx = share->dx + at;
    a->dopen[row] = (real)(training_kernels()->dot(dx, f + at, dim) -
                           training_kernels()->dot(dx, a->out + at, dim));
    training_kernels()->add_scaled(df + at, a->open[row], dx, dim);
    training_kernels()->add_scaled(share->dout + at, 1 - a->open[row], dx, dim);
  }
}

/* Returns: the gradient of the row's logit: through its own decision or, with groups, through those
 * of its group at the same position */
static double logit_gradient(const Share *share, guint b, gboolean mlp, guint i, guint row)
{
  const TrainingPass *pass = share->pass;
  const guint *group = pass->decisions.group, token = row - rows_of(share, b, mlp)[i];
  double sum = 0;
  guint n = 0;
  for (guint m = 0; m < (group ? vitgate__team_size(pass->team) : 1); m++) {
    const Share *other = group ? &pass->shares[m] : share;
    const guint *rows = rows_of(other, b, mlp);
    for (guint j = group ? 0 : i; j < (group ? other->n : i + 1); j++) {
      if (group && group[other->first + j] != group[share->first + i])
        continue;
      const TokenActivations *a = &other->blocks[b].tokens[mlp];
      const guint at = rows[j] + token;
      const double slope = (double)a->soft[at] * (1 - (double)a->soft[at]);
      const double cost = share->compute_slope * token_saving(other, b, mlp, rows[j + 1] - rows[j]);
      sum += slope * ((double)a->dopen[at] + cost);
      n++;
    }
  }
  return sum / n;
}

static void gate_backward(Share *share, guint b, gboolean mlp, const TokenGateOffsets *gate)
{
  const Network *network = share->pass->network;
  const guint dim = network->description->dim, *rows = rows_of(share, b, mlp);
  const real *h = norm_of(share, b, mlp);
  for (guint i = 0; i < share->n; i++)
    for (guint row = rows[i] + network->n_prefix; row < rows[i + 1]; row++) {
      const gsize at = (gsize)row * dim;
      const real dlogit = (real)logit_gradient(share, b, mlp, i, row);
      share->gradient[gate->bias] += dlogit;
      training_kernels()->add_scaled(share->gradient + gate->weight, dlogit, h + at, dim);
      training_kernels()->add_scaled(share->dh + at, dlogit, network_at(network, gate->weight),
                                     dim);
    }
}

static void substitute_backward(Share *share, guint b, gboolean mlp, const TokenGateOffsets *gate)
{
  const guint rows = rows_of(share, b, mlp)[share->n];
  const guint up = N_BLOCK_WEIGHTS * b + (mlp ? MLP_UP : ATTENTION_UP);
  const real *h = norm_of(share, b, mlp);
  if (!gate->rank) {
    training_kernels()->add_rows(share->gradient + gate->bias_out, share->dout, rows,
                                 share->pass->network->description->dim);
    return;
  }
  if (gate->whole) {
    pass_linear_backward(share, up, share->dh, share->dout, h, TRUE, rows);
    return;
  }
  real *dhidden = share->dp; /* free here */
  pass_linear_backward(share, up, dhidden, share->dout, share->blocks[b].tokens[mlp].hidden, FALSE,
                       rows);
  pass_linear_backward(share, up - 1, share->dh, dhidden, h, TRUE, rows);
}

void pass_token_gate_backward(Share *share, guint b, gboolean mlp)
{
  const TokenGateOffsets *gate = pass_token_gate_of(share, b, mlp);
  if (!gate)
    return;
  substitute_backward(share, b, mlp, gate);
  if (!gate->learns)
    return;
  if (share->pass->decisions.group)
    vitgate__team_barrier(share->pass->team);
  gate_backward(share, b, mlp, gate);
}
