#include "train/gates/ridge.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "base/ranks-sum.h"
#include "train/cut/cholesky.h"
#include "train/cut/compensation.h"

#define ITERATIONS 30 /* of the subspace; directions that matter are found after a few */

FoldSums *fold_sums_new(guint n, guint n_folds)
{
  FoldSums *sums = g_new0(FoldSums, 1);
  sums->n = n;
  sums->n_folds = n_folds;
  sums->square = g_new0(double, (gsize)n_folds *(n + 1) * (n + 1));
  sums->cross = g_new0(double, (gsize)n_folds *(n + 1));
  sums->power = g_new0(double, n_folds);
  return sums;
}

void fold_sums_free(FoldSums **sums)
{
  FoldSums *s = g_steal_pointer(sums);
  if (!s)
    return;
  g_free(s->square);
  g_free(s->cross);
  g_free(s->power);
  g_free(s);
}

void fold_sums_share(FoldSums *sums)
{
  const gsize m = sums->n + 1;
  ranks_sum_now(sums->square, sums->n_folds * m * m);
  ranks_sum_now(sums->cross, sums->n_folds * m);
  ranks_sum_now(sums->power, sums->n_folds);
}

/* The sums of some folds. */
typedef struct {
  guint m; /* n + 1 */
  double *square, *cross, power;
} Sums;

/* Adds all folds, or all but one.
 * @left_out: n_folds: none */
static void add_folds(Sums *to, const FoldSums *sums, guint left_out)
{
  const gsize m = to->m;
  memset(to->square, 0, m * m * sizeof(double));
  memset(to->cross, 0, m * sizeof(double));
  to->power = 0;
  for (guint f = 0; f < sums->n_folds; f++) {
    if (f == left_out)
      continue;
    for (gsize i = 0; i < m * m; i++)
      to->square[i] += sums->square[f * m * m + i];
    for (gsize i = 0; i < m; i++)
      to->cross[i] += sums->cross[f * m + i];
    to->power += sums->power[f];
  }
}

/* Solves for [m] coefficients, the last of them the constant, which has no ridge.
 * @centred: [m - 1][m - 1] scratch
 * Returns: FALSE if the sums are not finite or x does not vary */
static gboolean solve(double *coefficients, const Sums *s, double ridge, double *centred)
{
  const guint m = s->m, n = m - 1;
  const double count = s->square[(gsize)m * m - 1], *mean = s->square + (gsize)n * m;
  double trace = 0;
  for (guint i = 0; i < n; i++) {
    for (guint j = 0; j < n; j++)
      centred[(gsize)i * n + j] = s->square[(gsize)i * m + j] - mean[i] * mean[j] / count;
    coefficients[i] = s->cross[i] - s->cross[n] * mean[i] / count;
    trace += centred[(gsize)i * (n + 1)];
  }
  if (!(trace > 1e-12 * count) || !isfinite(trace) || !isfinite(s->power))
    return FALSE;
  for (guint i = 0; i < n; i++)
    centred[(gsize)i * (n + 1)] += (ridge + 1e-7) * trace / n;
  if (!cholesky_factor(centred, n))
    return FALSE;
  cholesky_solve(centred, coefficients, n, 1);
  coefficients[n] = s->cross[n];
  for (guint i = 0; i < n; i++)
    coefficients[n] -= coefficients[i] * mean[i];
  coefficients[n] /= count;
  return TRUE;
}

/* Returns: the squared error of the predictions of a fold */
static double fold_error(const FoldSums *sums, guint fold, const double *coefficients)
{
  const gsize m = sums->n + 1;
  const double *square = sums->square + fold * m * m, *cross = sums->cross + fold * m;
  double error = sums->power[fold];
  for (gsize i = 0; i < m; i++) {
    double row = 0;
    for (gsize j = 0; j < m; j++)
      row += square[i * m + j] * coefficients[j];
    error += coefficients[i] * (row - 2 * cross[i]);
  }
  return error;
}

static double centred_power(const Sums *s)
{
  const double count = s->square[(gsize)s->m * s->m - 1], sum = s->cross[s->m - 1];
  return s->power - sum * sum / count;
}

double ridge_fit_folds(const FoldSums *sums, real *weight, real *bias, double *variance)
{
  static const double ridges[] = { 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1 };
  const guint n = sums->n, m = n + 1;
  g_autofree double *square = g_new(double, (gsize)m *m), *cross = g_new(double, m);
  g_autofree double *coefficients = g_new(double, m), *centred = g_new(double, (gsize)n *n + 1);
  Sums s = { .m = m, .square = square, .cross = cross };
  double errors[G_N_ELEMENTS(ridges)] = { 0 };
  guint best = 0;
  for (guint f = 0; f < sums->n_folds; f++) {
    add_folds(&s, sums, f);
    for (guint r = 0; r < G_N_ELEMENTS(ridges); r++) {
      if (!solve(coefficients, &s, ridges[r], centred))
        return NAN;
      errors[r] += fold_error(sums, f, coefficients);
    }
  }
  for (guint r = 1; r < G_N_ELEMENTS(ridges); r++)
    if (errors[r] < errors[best])
      best = r;
  add_folds(&s, sums, sums->n_folds);
  if (!solve(coefficients, &s, ridges[best], centred) || !isfinite(errors[best]))
    return NAN;
  for (guint i = 0; i < n; i++)
    weight[i] = (real)coefficients[i];
  *bias = (real)coefficients[n];
  *variance = 0;
  const double count = square[(gsize)m * m - 1], *mean = square + (gsize)n * m;
  for (guint i = 0; i < n; i++)
    for (guint j = 0; j < n; j++)
      *variance += coefficients[i] * coefficients[j] / count *
                   (square[(gsize)i * m + j] - mean[i] * mean[j] / count);
  return 1 - errors[best] / MAX(centred_power(&s), 1e-300);
}

/* ---- Maps ---- */

static double column_power(const double *q, guint n, guint rank, guint c)
{
  double power = 0;
  for (guint i = 0; i < n; i++)
    power += q[(gsize)i * rank + c] * q[(gsize)i * rank + c];
  return power;
}

/* Makes the columns of q[n][rank] orthonormal (Gram and Schmidt). A column that depends on those
 * before becomes zero. */
static void orthonormalise(double *q, guint n, guint rank)
{
  for (guint c = 0; c < rank; c++) {
    const double whole = column_power(q, n, rank, c);
    for (guint before = 0; before < c; before++) {
      double dot = 0;
      for (guint i = 0; i < n; i++)
        dot += q[(gsize)i * rank + c] * q[(gsize)i * rank + before];
      for (guint i = 0; i < n; i++)
        q[(gsize)i * rank + c] -= dot * q[(gsize)i * rank + before];
    }
    const double power = column_power(q, n, rank, c);
    for (guint i = 0; i < n; i++)
      q[(gsize)i * rank + c] = power > 1e-16 * whole ? q[(gsize)i * rank + c] / sqrt(power) : 0;
  }
}

/* out[rows][columns] = a[rows][n] b[n][columns] */
static void multiply(double *out, const double *a, const double *b, guint rows, guint columns,
                     guint n)
{
  memset(out, 0, (gsize)rows * columns * sizeof *out);
  for (guint i = 0; i < rows; i++)
    for (guint k = 0; k < n; k++) {
      const double factor = a[(gsize)i * n + k], *row = b + (gsize)k * columns;
      for (guint j = 0; j < columns; j++)
        out[(gsize)i * columns + j] += factor * row[j];
    }
}

/* Finds the directions q[n_out][rank] in which the predictions w x vary most, by subspace iteration
 * on w C w^T. */
static void find_directions(double *q, const double *w, const Moments *m, guint rank)
{
  g_autofree double *half = g_new(double, (gsize)m->n_out * m->n);
  g_autofree double *covariance = g_new(double, (gsize)m->n_out * m->n_out);
  g_autofree double *transposed = g_new(double, (gsize)m->n * m->n_out);
  g_autofree double *next = g_new(double, (gsize)m->n_out *rank);
  Random random = { 1 };
  multiply(half, w, m->square, m->n_out, m->n, m->n);
  for (guint i = 0; i < m->n_out; i++)
    for (guint j = 0; j < m->n; j++)
      transposed[(gsize)j * m->n_out + i] = w[(gsize)i * m->n + j];
  multiply(covariance, half, transposed, m->n_out, m->n_out, m->n);
  for (gsize i = 0; i < (gsize)m->n_out * rank; i++)
    q[i] = random_normal(&random);
  for (guint i = 0; i < ITERATIONS; i++) {
    orthonormalise(q, m->n_out, rank);
    multiply(next, covariance, q, m->n_out, rank, m->n_out);
    memcpy(q, next, (gsize)m->n_out * rank * sizeof *q);
  }
  orthonormalise(q, m->n_out, rank);
}

static void project(const Moments *m, const double *w, guint rank, real *down, real *up)
{
  g_autofree double *q = g_new(double, (gsize)m->n_out *rank);
  find_directions(q, w, m, rank);
  for (gsize i = 0; i < (gsize)m->n_out * rank; i++)
    up[i] = (real)q[i];
  for (guint r = 0; r < rank; r++)
    for (guint j = 0; j < m->n; j++) {
      double sum = 0;
      for (guint i = 0; i < m->n_out; i++)
        sum += q[(gsize)i * rank + r] * w[(gsize)i * m->n + j];
      down[(gsize)r * m->n + j] = (real)sum;
    }
}

/* Sets the bias that gives the mean output.
 * Returns: FALSE if it is not finite */
static gboolean set_bias(const Moments *m, guint rank, gboolean whole, const real *down,
                         const real *up, real *bias)
{
  const guint inner = whole ? m->n : rank;
  g_autofree double *mean = g_new(double, inner + 1);
  for (guint r = 0; r < inner; r++) {
    mean[r] = whole ? m->mean_in[r] : 0;
    for (guint j = 0; !whole && j < m->n; j++)
      mean[r] += (double)down[(gsize)r * m->n + j] * m->mean_in[j];
  }
  gboolean finite = TRUE;
  for (guint i = 0; i < m->n_out; i++) {
    double sum = m->mean_out[i];
    for (guint r = 0; r < inner; r++)
      sum -= (double)up[(gsize)i * inner + r] * mean[r];
    bias[i] = (real)sum;
    finite &= isfinite(sum);
  }
  return finite;
}

gboolean ridge_fit_map(const Moments *m, double ridge, guint rank, gboolean whole, real *down,
                       real *up, real *bias)
{
  const gsize size = (gsize)m->n_out * m->n;
  if (!rank && !whole)
    return set_bias(m, 0, FALSE, NULL, NULL, bias);
  g_autofree real *map = g_new0(real, size), *unused = g_new0(real, m->n_out);
  g_autofree gboolean *keep = g_new(gboolean, m->n);
  for (guint i = 0; i < m->n; i++)
    keep[i] = TRUE;
  if (!compensate(m, map, unused, keep, ridge))
    return FALSE;
  if (whole) {
    memcpy(up, map, size * sizeof *up);
  } else {
    g_autofree double *w = g_new(double, size);
    for (gsize i = 0; i < size; i++)
      w[i] = (double)map[i];
    project(m, w, rank, down, up);
  }
  return set_bias(m, rank, whole, down, up, bias);
}
