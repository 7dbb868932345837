#include "train/cut/compensation.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "train/cut/cholesky.h"

/* Computes residual[kept][n_out] = (cross_S - W_S C_SS)^T. The cross moments of the layer's own
 * outputs are W C. */
static void find_residual(double *residual, const Moments *m, const real *weights,
                          const guint *kept, guint n_kept, const gboolean *keep)
{
  for (guint s = 0; s < n_kept; s++) {
    const double *row = m->square + (gsize)kept[s] * m->n;
    for (guint k = 0; k < m->n_out; k++) {
      const real *w = weights + (gsize)k * m->n;
      double sum = 0;
      for (guint i = 0; i < m->n; i++)
        if (m->cross ? keep[i] : !keep[i])
          sum += (double)w[i] * row[i];
      residual[(gsize)s * m->n_out + k] =
          m->cross ? m->cross[(gsize)k * m->n + kept[s]] - sum : sum;
    }
  }
}

static gboolean solve_kept(double *residual, const Moments *m, const guint *kept, guint n_kept,
                           double ridge)
{
  g_autofree double *square = g_new(double, (gsize)n_kept *n_kept + 1);
  const double added = moments_ridge(m, ridge);
  for (guint s = 0; s < n_kept; s++) {
    for (guint t = 0; t < n_kept; t++)
      square[(gsize)s * n_kept + t] = m->square[(gsize)kept[s] * m->n + kept[t]];
    square[(gsize)s * (n_kept + 1)] += added;
  }
  if (!isfinite(added) || !cholesky_factor(square, n_kept))
    return FALSE;
  cholesky_solve(square, residual, n_kept, m->n_out);
  return TRUE;
}

/* Applies the change to the weights, and sets the bias that gives the wanted mean. */
static void settle(const Moments *m, real *weights, real *bias, const double *change,
                   const guint *kept, guint n_kept, const gboolean *keep)
{
  for (guint k = 0; k < m->n_out; k++) {
    real *w = weights + (gsize)k * m->n;
    double mean = m->cross ? m->mean_out[k] : bias[k];
    for (guint i = 0; i < m->n; i++) {
      if (!m->cross)
        mean += w[i] * m->mean_in[i];
      if (!keep[i])
        w[i] = 0;
    }
    for (guint s = 0; s < n_kept; s++) {
      w[kept[s]] += (real)change[(gsize)s * m->n_out + k];
      mean -= w[kept[s]] * m->mean_in[kept[s]];
    }
    bias[k] = (real)mean;
  }
}

gboolean compensate(const Moments *m, real *weights, real *bias, const gboolean *keep, double ridge)
{
  g_autofree guint *kept = g_new(guint, m->n + 1);
  guint n_kept = 0;
  for (guint i = 0; i < m->n; i++)
    if (keep[i])
      kept[n_kept++] = i;
  g_autofree double *change = g_new(double, (gsize)n_kept * m->n_out + 1);
  find_residual(change, m, weights, kept, n_kept, keep);
  if (!solve_kept(change, m, kept, n_kept, ridge))
    return FALSE;
  settle(m, weights, bias, change, kept, n_kept, keep);
  return TRUE;
}

static gboolean compensate_module(Probe *c, guint module, const Ranking *ranking, guint n_kept,
                                  double ridge)
{
  Network *network = c->network;
  const TrainBlock *block = &network->blocks[module / 2];
  const gboolean mlp = module % 2;
  g_autofree gboolean *keep = ranking_mark(ranking, n_kept);
  Moments *moments = probe_compare(c, module);
  const gboolean done =
      compensate(moments, network_at(network, mlp ? block->fc2_weight : block->proj_weight),
                 network_at(network, mlp ? block->fc2_bias : block->proj_bias), keep, ridge);
  moments_free(&moments);
  if (done)
    probe_advance(c, module);
  return done;
}

gboolean compensate_network(Probe *c, Ranking *const *rankings, const BlockShape *shapes,
                            double ridge, GError **error)
{
  const guint n_modules = 2 * c->network->description->depth;
  double work = 0;
  for (guint module = 0; module < n_modules; module++)
    work += rankings[module] ? probe_compensation_work(c, module) : 0;
  Progress progress = progress_start_phase("compensating", work, NULL);
  c->progress = &progress;
  c->work = 0;
  gboolean done = TRUE;
  for (guint module = 0; done && module < n_modules; module++) {
    const BlockShape *shape = &shapes[module / 2];
    if (!rankings[module])
      continue;
    done = compensate_module(c, module, rankings[module],
                             module % 2 ? shape->neurons : shape->heads, ridge);
    if (!done)
      vitgate__set_error(error, VITGATE_ERROR_ARGUMENT,
                         "block %u: the %s activations on the calibration images are not finite",
                         module / 2, module % 2 ? "MLP's" : "attention's");
  }
  progress_clear(&progress);
  c->progress = NULL;
  return done;
}
