#include "train/cut/importance.h"

#include <string.h>

#include "base/error.h"
#include "train/cut/compensation.h"

/* Counts to try, in eighths of all units. */
static const guint tried_eighths[] = { 7, 6, 4, 2, 0 };

/* Corrects errors[n_units + 1], which were estimated by an expansion around no error, by the errors
 * measured in trials. Between two trials, it interpolates linearly in the estimated error. */
static void correct_errors(Ranking *ranking, const guint *counts, const double *tried, guint n)
{
  double estimated = 0, found = 0;
  guint upper = ranking->n_units;
  g_autofree double *corrected = g_new0(double, ranking->n_units + 1);
  for (guint t = 0; t < n; t++) {
    const double next_estimated = ranking->errors[counts[t]], next = MAX(found, tried[t]);
    for (guint k = counts[t]; k < upper; k++) {
      const double part = next_estimated > estimated
                              ? (ranking->errors[k] - estimated) / (next_estimated - estimated)
                              : upper > k;
      corrected[k] = found + part * (next - found);
    }
    upper = counts[t];
    estimated = next_estimated;
    found = next;
  }
  memcpy(ranking->errors, corrected, (ranking->n_units + 1) * sizeof *corrected);
}

/* Measures the errors of a few counts: cuts the module to each, with all other modules whole, and
 * corrects the ranking's errors. */
static gboolean try_counts(Probe *c, guint module, const Moments *moments, Ranking *ranking,
                           double ridge)
{
  const Network *network = c->network;
  const TrainBlock *block = &network->blocks[module / 2];
  real *weights = network_at(network, module % 2 ? block->fc2_weight : block->proj_weight);
  real *bias = network_at(network, module % 2 ? block->fc2_bias : block->proj_bias);
  const gsize n_weights = (gsize)moments->n * moments->n_out * sizeof *weights;
  const gsize n_bias = moments->n_out * sizeof *bias;
  g_autofree real *weights_before = g_memdup2(weights, n_weights);
  g_autofree real *bias_before = g_memdup2(bias, n_bias);
  guint counts[G_N_ELEMENTS(tried_eighths)], n = 0;
  double tried[G_N_ELEMENTS(tried_eighths)];
  gboolean finite = TRUE;
  for (guint i = 0; finite && i < G_N_ELEMENTS(tried_eighths); i++) {
    const guint count = ranking->n_units * tried_eighths[i] / 8;
    if (count == ranking->n_units || (n && count == counts[n - 1]))
      continue;
    g_autofree gboolean *keep = ranking_mark(ranking, count);
    finite = compensate(moments, weights, bias, keep, ridge);
    counts[n] = count;
    tried[n++] = probe_try(c, module);
    memcpy(weights, weights_before, n_weights);
    memcpy(bias, bias_before, n_bias);
  }
  if (finite)
    correct_errors(ranking, counts, tried, n);
  return finite;
}

/* Returns: (nullable): the ranking, or NULL if activations are not finite */
static Ranking *rank_module(Probe *c, guint module, double ridge)
{
  const Network *network = c->network;
  const Description *d = network->description;
  const TrainBlock *block = &network->blocks[module / 2];
  const gboolean mlp = module % 2;
  Moments *moments = probe_measure(c, module);
  Ranking *ranking =
      ranking_new(moments, network_at(network, mlp ? block->fc2_weight : block->proj_weight),
                  c->metrics ? c->metrics + (gsize)module * d->dim * d->dim : NULL,
                  mlp ? 1 : d->head_dim, ridge);
  if (ranking && c->all_trials && !try_counts(c, module, moments, ranking, ridge))
    ranking_free(&ranking);
  moments_free(&moments);
  probe_advance(c, module);
  return ranking;
}

Ranking **rankings_new(Probe *c, double ridge, GError **error)
{
  const guint depth = c->network->description->depth;
  Ranking **rankings = g_new0(Ranking *, 2 * depth);
  double work = 0;
  for (guint module = 0; module < 2 * depth; module++)
    work += probe_ranking_work(c, module, G_N_ELEMENTS(tried_eighths));
  Progress progress = progress_start_phase("ranking heads and neurons", work, NULL);
  c->progress = &progress;
  c->work = 0;
  for (guint module = 0; module < 2 * depth; module++) {
    const TrainBlock *block = &c->network->blocks[module / 2];
    if (!(module % 2 ? block->neurons : block->heads))
      continue;
    rankings[module] = rank_module(c, module, ridge);
    if (!rankings[module]) {
      vitgate__set_error(error, VITGATE_ERROR_ARGUMENT,
                         "block %u: the %s activations on the calibration images are not finite",
                         module / 2, module % 2 ? "MLP's" : "attention's");
      rankings_free(&rankings, depth);
      break;
    }
  }
  progress_clear(&progress);
  c->progress = NULL;
  probe_rewind(c);
  return rankings;
}

void rankings_free(Ranking ***rankings, guint depth)
{
  Ranking **r = g_steal_pointer(rankings);
  for (guint module = 0; r && module < 2 * depth; module++)
    ranking_free(&r[module]);
  g_free(r);
}
