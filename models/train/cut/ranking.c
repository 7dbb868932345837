#include "train/cut/ranking.h"

#include <math.h>
#include <string.h>

#include "train/cut/cholesky.h"

/* Maximum number of inputs of one unit. */
#define MAX_WIDTH 256

void ranking_free(Ranking **ranking)
{
  Ranking *r = g_steal_pointer(ranking);
  if (!r)
    return;
  g_free(r->order);
  g_free(r->errors);
  g_free(r);
}

/* Inputs are in the order of the units at present. A removed unit goes after the remaining ones. */
typedef struct {
  guint n, n_out, width, remaining; /* remaining: units */
  double *inverse;                  /* [n][n] of the moments over the remaining inputs */
  double *weights;                  /* [n][n_out] the metric's root times the adapted weights */
  guint *unit;                      /* [units] the original number of the unit at each position */
} Elimination;

static void elimination_clear(Elimination *e)
{
  g_free(e->inverse);
  g_free(e->weights);
  g_free(e->unit);
}

/* Computes to[n][n_out] = from^T, or from^T L if there is a metric L L^T. */
static void project_weights(double *to, const real *from, const double *metric, guint n,
                            guint n_out)
{
  g_autofree double *root = NULL;
  if (metric) {
    root = g_memdup2(metric, (gsize)n_out * n_out * sizeof *metric);
    for (guint i = 0; i < n_out; i++)
      root[(gsize)i * n_out + i] += 1e-6;
    if (!cholesky_factor(root, n_out))
      g_clear_pointer(&root, g_free);
  }
  memset(to, 0, (gsize)n * n_out * sizeof *to);
  for (guint k = 0; k < n_out; k++)
    for (guint i = 0; i < n; i++) {
      const double w = from[(gsize)k * n + i];
      if (!root)
        to[(gsize)i * n_out + k] = w;
      for (guint j = 0; root && j <= k; j++)
        to[(gsize)i * n_out + j] += w * root[(gsize)k * n_out + j];
    }
}

static gboolean elimination_init(Elimination *e, const Moments *m, const real *weights,
                                 const double *metric, guint width, double ridge)
{
  const double added = moments_ridge(m, ridge);
  *e = (Elimination){ .n = m->n, .n_out = m->n_out, .width = width, .remaining = m->n / width };
  e->unit = g_new(guint, e->remaining);
  for (guint i = 0; i < e->remaining; i++)
    e->unit[i] = i;
  e->inverse = g_new(double, (gsize)m->n * m->n);
  e->weights = g_new(double, (gsize)m->n * m->n_out);
  project_weights(e->weights, weights, metric, m->n, m->n_out);
  g_autofree double *factor = g_memdup2(m->square, (gsize)m->n * m->n * sizeof *m->square);
  for (guint i = 0; i < m->n; i++)
    factor[(gsize)i * (m->n + 1)] += added;
  if (!cholesky_factor(factor, m->n))
    return FALSE;
  cholesky_invert(e->inverse, factor, m->n);
  return TRUE;
}

/* Returns: tr(w (inverse_uu)^-1 w^T) of the unit at position @u */
static double loss_of(const Elimination *e, guint u, double *block, double *solved)
{
  const guint first = u * e->width, w = e->width;
  double loss = 0;
  const double *rows = e->weights + (gsize)first * e->n_out;
  if (w == 1) {
    for (guint j = 0; j < e->n_out; j++)
      loss += rows[j] * rows[j];
    return loss / e->inverse[(gsize)first * (e->n + 1)];
  }
  for (guint i = 0; i < w; i++)
    memcpy(block + (gsize)i * w, e->inverse + (gsize)(first + i) * e->n + first, w * sizeof *block);
  if (!cholesky_factor(block, w))
    return INFINITY;
  memcpy(solved, rows, (gsize)w * e->n_out * sizeof *solved);
  cholesky_solve(block, solved, w, e->n_out);
  for (gsize i = 0; i < (gsize)w * e->n_out; i++)
    loss += rows[i] * solved[i];
  return loss;
}

static void swap(double *a, double *b, guint n)
{
  for (guint i = 0; i < n; i++) {
    const double x = a[i];
    a[i] = b[i];
    b[i] = x;
  }
}

/* Swaps the positions of two units. */
static void exchange(Elimination *e, guint u, guint v)
{
  const guint w = e->width, n = e->remaining * w;
  if (u == v)
    return;
  for (guint i = 0; i < w; i++) {
    const gsize a = u * w + i, b = v * w + i;
    swap(e->inverse + a * e->n, e->inverse + b * e->n, n);
    swap(e->weights + a * e->n_out, e->weights + b * e->n_out, e->n_out);
    for (guint row = 0; row < n; row++)
      swap(e->inverse + (gsize)row * e->n + a, e->inverse + (gsize)row * e->n + b, 1);
  }
  const guint unit = e->unit[u];
  e->unit[u] = e->unit[v];
  e->unit[v] = unit;
}

static void subtract(double *restrict y, double factor, const double *restrict x, guint n)
{
  for (guint i = 0; i < n; i++)
    y[i] -= factor * x[i];
}

/* Removes the last unit, input by input. The weights of the others compensate for it. */
static void remove_last(Elimination *e)
{
  for (guint i = 0; i < e->width; i++) {
    const guint last = e->remaining * e->width - 1 - i;
    const double *row = e->inverse + (gsize)last * e->n;
    for (guint j = 0; j < last; j++) {
      const double factor = row[j] / row[last];
      subtract(e->weights + (gsize)j * e->n_out, factor, e->weights + (gsize)last * e->n_out,
               e->n_out);
      subtract(e->inverse + (gsize)j * e->n, factor, row, last);
    }
  }
  e->remaining--;
}

/* Returns: the position of the unit with the smallest loss */
static guint find_least(const Elimination *e, double *loss, double *block, double *solved)
{
  guint least = 0;
  *loss = INFINITY;
  for (guint u = 0; u < e->remaining; u++) {
    const double candidate = loss_of(e, u, block, solved);
    if (candidate < *loss) {
      *loss = candidate;
      least = u;
    }
  }
  return least;
}

Ranking *ranking_new(const Moments *moments, const real *weights, const double *metric, guint width,
                     double ridge)
{
  Elimination e;
  g_return_val_if_fail(width && width <= MAX_WIDTH && moments->n % width == 0, NULL);
  if (!elimination_init(&e, moments, weights, metric, width, ridge)) {
    elimination_clear(&e);
    return NULL;
  }
  Ranking *ranking = g_new0(Ranking, 1);
  ranking->n_units = e.remaining;
  ranking->width = width;
  ranking->order = g_new(guint, e.remaining);
  ranking->errors = g_new0(double, e.remaining + 1);
  g_autofree double *block = g_new(double, (gsize)width *width);
  g_autofree double *solved = g_new(double, (gsize)width *e.n_out);
  double error = 0;
  while (e.remaining) {
    double loss;
    const guint least = find_least(&e, &loss, block, solved);
    if (!isfinite(loss)) {
      ranking_free(&ranking);
      break;
    }
    exchange(&e, least, e.remaining - 1);
    ranking->order[e.remaining - 1] = e.unit[e.remaining - 1];
    remove_last(&e);
    error += loss;
    ranking->errors[e.remaining] = error;
  }
  elimination_clear(&e);
  return ranking;
}

gboolean *ranking_mark(const Ranking *ranking, guint n_kept)
{
  gboolean *keep = g_new0(gboolean, (gsize)ranking->n_units * ranking->width + 1);
  for (guint u = 0; u < n_kept; u++)
    for (guint i = 0; i < ranking->width; i++)
      keep[ranking->order[u] * ranking->width + i] = TRUE;
  return keep;
}
