/* The closed forms of static compression (Cholesky factors, compensation, ranking) against plain
 * least squares. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "fixtures.h"
#include "train/cut/cholesky.h"
#include "train/cut/compensation.h"

/* Double precision, well conditioned. */
#define EXACT 1e-9
/* Weights are float32. */
#define FLOAT 2e-5

/* ---- Cholesky ---- */

static double *random_doubles(GRand *random, gsize n)
{
  double *values = g_new(double, n);
  for (gsize i = 0; i < n; i++)
    values[i] = g_rand_double_range(random, -1, 1);
  return values;
}

/* a[n][n] = b b^T + I */
static double *random_definite(GRand *random, guint n)
{
  g_autofree double *b = random_doubles(random, (gsize)n * n);
  double *a = g_new0(double, (gsize)n *n);
  for (guint i = 0; i < n; i++)
    for (guint j = 0; j < n; j++) {
      for (guint k = 0; k < n; k++)
        a[i * n + j] += b[i * n + k] * b[j * n + k];
      a[i * n + j] += i == j;
    }
  return a;
}

static const guint sizes[] = { 1, 2, 7, 63, 64, 65, 131 };

START_TEST(test_cholesky_solves)
{
  const guint n = sizes[_i], columns = 3;
  g_autoptr(GRand) random = g_rand_new_with_seed(n);
  g_autofree double *a = random_definite(random, n);
  g_autofree double *x = random_doubles(random, n * columns);
  g_autofree double *b = g_new0(double, n *columns);
  for (guint i = 0; i < n; i++)
    for (guint k = 0; k < n; k++)
      for (guint j = 0; j < columns; j++)
        b[i * columns + j] += a[i * n + k] * x[k * columns + j];
  ck_assert(cholesky_factor(a, n));
  cholesky_solve(a, b, n, columns);
  for (guint i = 0; i < n * columns; i++)
    ck_assert_double_eq_tol(b[i], x[i], EXACT * n);
}
END_TEST

START_TEST(test_cholesky_inverts)
{
  const guint n = sizes[_i];
  g_autoptr(GRand) random = g_rand_new_with_seed(n);
  g_autofree double *a = random_definite(random, n);
  g_autofree double *factor = g_memdup2(a, (gsize)n * n * sizeof *a);
  g_autofree double *inverse = g_new(double, (gsize)n *n);
  ck_assert(cholesky_factor(factor, n));
  cholesky_invert(inverse, factor, n);
  for (guint i = 0; i < n; i++)
    for (guint j = 0; j < n; j++) {
      double sum = 0;
      for (guint k = 0; k < n; k++)
        sum += a[i * n + k] * inverse[k * n + j];
      ck_assert_double_eq_tol(sum, i == j, EXACT * n);
    }
}
END_TEST

START_TEST(test_cholesky_refuses_matrices_that_are_not_definite)
{
  double indefinite[] = { 1, 2, 2, 1 }, singular[] = { 1, 1, 1, 1 }, undefined[] = { NAN };
  ck_assert(!cholesky_factor(indefinite, 2));
  ck_assert(!cholesky_factor(singular, 2));
  ck_assert(!cholesky_factor(undefined, 1));
}
END_TEST

/* ---- Compensation ---- */

enum { N_IN = 6, N_OUT = 3, N_ROWS = 200 };

/* Rows of correlated inputs, their wanted outputs, and their moments. */
typedef struct {
  double x[N_ROWS][N_IN], y[N_ROWS][N_OUT];
  float weights[N_OUT * N_IN], bias[N_OUT];
  Moments *moments;
} Problem;

static Moments *find_moments(const Problem *p, gboolean cross)
{
  Moments *m = g_new0(Moments, 1);
  *m = (Moments){ .n = N_IN, .n_out = N_OUT, .weight = 1 };
  m->mean_in = g_new0(double, N_IN);
  m->mean_out = g_new0(double, N_OUT);
  m->square = g_new0(double, N_IN *N_IN);
  m->cross = cross ? g_new0(double, N_OUT *N_IN) : NULL;
  for (guint r = 0; r < N_ROWS; r++) {
    for (guint i = 0; i < N_IN; i++)
      m->mean_in[i] += p->x[r][i] / N_ROWS;
    for (guint k = 0; k < N_OUT; k++)
      m->mean_out[k] += p->y[r][k] / N_ROWS;
  }
  for (guint r = 0; r < N_ROWS; r++)
    for (guint i = 0; i < N_IN; i++) {
      const double x = (p->x[r][i] - m->mean_in[i]) / N_ROWS;
      for (guint j = 0; j < N_IN; j++)
        m->square[i * N_IN + j] += x * (p->x[r][j] - m->mean_in[j]);
      for (guint k = 0; cross && k < N_OUT; k++)
        m->cross[k * N_IN + i] += x * (p->y[r][k] - m->mean_out[k]);
    }
  return m;
}

/* @drifted: the wanted outputs differ from those that the weights give */
static Problem *problem_new(gboolean drifted)
{
  g_autoptr(GRand) random = g_rand_new_with_seed(11);
  Problem *p = g_new0(Problem, 1);
  double mix[N_IN][N_IN];
  for (guint i = 0; i < N_IN; i++)
    for (guint j = 0; j < N_IN; j++)
      mix[i][j] = g_rand_double_range(random, -1, 1);
  for (guint i = 0; i < N_OUT * N_IN; i++)
    p->weights[i] = (float)g_rand_double_range(random, -1, 1);
  for (guint i = 0; i < N_OUT; i++)
    p->bias[i] = (float)g_rand_double_range(random, -1, 1);
  for (guint r = 0; r < N_ROWS; r++) {
    for (guint i = 0; i < N_IN; i++) {
      const double source = g_rand_double_range(random, -1, 1);
      for (guint j = 0; j < N_IN; j++)
        p->x[r][j] += mix[i][j] * source;
      p->x[r][i] += 0.5;
    }
    for (guint k = 0; k < N_OUT; k++) {
      p->y[r][k] = p->bias[k] + (drifted ? g_rand_double_range(random, -0.3, 0.3) : 0);
      for (guint i = 0; i < N_IN; i++)
        p->y[r][k] += (drifted ? 1.2 : 1) * (double)p->weights[k * N_IN + i] * p->x[r][i];
    }
  }
  p->moments = find_moments(p, drifted);
  return p;
}

static void problem_free(Problem *p)
{
  moments_free(&p->moments);
  g_free(p);
}

/* Solves A x = b for x[n] by Gauss-Jordan elimination with pivots; a[n][n + 1] = (A | b). */
static void solve_plainly(double *x, double *a, guint n)
{
  for (guint c = 0; c < n; c++) {
    guint pivot = c;
    for (guint r = c + 1; r < n; r++)
      if (fabs(a[r * (n + 1) + c]) > fabs(a[pivot * (n + 1) + c]))
        pivot = r;
    for (guint j = 0; j <= n; j++) {
      const double v = a[c * (n + 1) + j];
      a[c * (n + 1) + j] = a[pivot * (n + 1) + j];
      a[pivot * (n + 1) + j] = v;
    }
    for (guint r = 0; r < n; r++) {
      const double factor = r == c ? 0 : a[r * (n + 1) + c] / a[c * (n + 1) + c];
      for (guint j = c; j <= n; j++)
        a[r * (n + 1) + j] -= factor * a[c * (n + 1) + j];
    }
  }
  for (guint i = 0; i < n; i++)
    x[i] = a[i * (n + 1) + n] / a[i * (n + 1) + i];
}

/* Finds the weights and, last, the bias of output @k that minimise the sum of
 * (y - b - w x)^2 / N_ROWS + lambda |w - w0|^2 over the kept inputs, by normal equations on the
 * uncentred rows. */
static void fit_plainly(const Problem *p, const gboolean *keep, guint k, double lambda,
                        double *result)
{
  guint kept[N_IN], n = 0;
  for (guint i = 0; i < N_IN; i++)
    if (keep[i])
      kept[n++] = i;
  double a[(N_IN + 1) * (N_IN + 2)] = { 0 }, solution[N_IN + 1];
  for (guint r = 0; r < N_ROWS; r++) {
    double row[N_IN + 2];
    for (guint s = 0; s < n; s++)
      row[s] = p->x[r][kept[s]];
    row[n] = 1;
    row[n + 1] = p->y[r][k];
    for (guint i = 0; i <= n; i++)
      for (guint j = 0; j <= n + 1; j++)
        a[i * (n + 2) + j] += row[i] * row[j] / N_ROWS;
  }
  for (guint s = 0; s < n; s++) {
    a[s * (n + 2) + s] += lambda;
    a[s * (n + 2) + n + 1] += lambda * (double)p->weights[k * N_IN + kept[s]];
  }
  solve_plainly(solution, a, n + 1);
  memset(result, 0, (N_IN + 1) * sizeof *result);
  for (guint s = 0; s < n; s++)
    result[kept[s]] = solution[s];
  result[N_IN] = solution[n];
}

static double mean_diagonal(const Moments *m)
{
  double sum = 0;
  for (guint i = 0; i < m->n; i++)
    sum += m->square[i * (m->n + 1)];
  return sum / m->n;
}

START_TEST(test_compensation_is_least_squares)
{
  static const gboolean keeps[][N_IN] = {
    { 1, 0, 1, 1, 0, 1 }, { 0, 0, 0, 1, 0, 0 }, { 1, 1, 1, 1, 1, 1 }, { 0 }
  };
  static const double ridges[] = { 1e-9, 1e-3, 0.5 };
  for (guint drifted = 0; drifted < 2; drifted++)
    for (guint i = 0; i < G_N_ELEMENTS(keeps); i++)
      for (guint j = 0; j < G_N_ELEMENTS(ridges); j++) {
        Problem *p = problem_new(drifted);
        double expected[N_OUT][N_IN + 1];
        for (guint k = 0; k < N_OUT; k++)
          fit_plainly(p, keeps[i], k, ridges[j] * mean_diagonal(p->moments), expected[k]);
        ck_assert(compensate(p->moments, p->weights, p->bias, keeps[i], ridges[j]));
        for (guint k = 0; k < N_OUT; k++) {
          ck_assert_double_eq_tol(p->bias[k], expected[k][N_IN], FLOAT);
          for (guint c = 0; c < N_IN; c++)
            ck_assert_double_eq_tol(p->weights[k * N_IN + c], expected[k][c], FLOAT);
        }
        problem_free(p);
      }
}
END_TEST

START_TEST(test_removed_inputs_get_zeros)
{
  const gboolean keep[N_IN] = { 1, 1, 0, 1, 0, 1 };
  Problem *p = problem_new(TRUE);
  ck_assert(compensate(p->moments, p->weights, p->bias, keep, 1e-3));
  for (guint k = 0; k < N_OUT; k++) {
    ck_assert(p->weights[k * N_IN + 2] == 0);
    ck_assert(p->weights[k * N_IN + 4] == 0);
  }
  problem_free(p);
}
END_TEST

START_TEST(test_moments_that_are_not_finite_change_nothing)
{
  const gboolean keep[N_IN] = { 1, 1, 0, 1, 0, 1 };
  Problem *p = problem_new(FALSE);
  float before[N_OUT * N_IN];
  memcpy(before, p->weights, sizeof before);
  p->moments->square[2 * (N_IN + 1)] = NAN;
  ck_assert(!compensate(p->moments, p->weights, p->bias, keep, 1e-3));
  ck_assert_mem_eq(before, p->weights, sizeof before);
  ck_assert_ptr_null(ranking_new(p->moments, p->weights, NULL, 1, 1e-3));
  problem_free(p);
}
END_TEST

/* ---- Ranking ---- */

/* Returns: mean squared error of the outputs, in the metric, after a fit with the kept inputs */
static double error_plainly(const Problem *p, const gboolean *keep, const double *metric)
{
  double fitted[N_OUT][N_IN + 1], sum = 0;
  for (guint k = 0; k < N_OUT; k++)
    fit_plainly(p, keep, k, 1e-12, fitted[k]);
  for (guint r = 0; r < N_ROWS; r++) {
    double error[N_OUT];
    for (guint k = 0; k < N_OUT; k++) {
      error[k] = fitted[k][N_IN] - p->y[r][k];
      for (guint i = 0; i < N_IN; i++)
        error[k] += fitted[k][i] * p->x[r][i];
    }
    for (guint k = 0; k < N_OUT; k++)
      for (guint l = 0; l < N_OUT; l++)
        sum += error[k] * error[l] * (metric ? metric[k * N_OUT + l] : k == l) / N_ROWS;
  }
  return sum;
}

/* Checks that every step removes the unit that leaves the smallest error and records that error. */
static void check_ranking(guint width, const double *metric)
{
  Problem *p = problem_new(FALSE);
  Ranking *ranking = ranking_new(p->moments, p->weights, metric, width, 1e-11);
  ck_assert_ptr_nonnull(ranking);
  ck_assert_uint_eq(ranking->n_units, N_IN / width);
  for (guint n = ranking->n_units; n > 0; n--) {
    double min = INFINITY;
    for (guint u = 0; u < n; u++) {
      g_autofree gboolean *keep = ranking_mark(ranking, n);
      for (guint i = 0; i < width; i++)
        keep[ranking->order[u] * width + i] = FALSE;
      min = MIN(min, error_plainly(p, keep, metric));
    }
    g_autofree gboolean *keep = ranking_mark(ranking, n - 1);
    const double left = error_plainly(p, keep, metric);
    ck_assert_double_eq_tol(left, min, 1e-6);
    ck_assert_double_eq_tol(ranking->errors[n - 1], left, 1e-5 * (1 + left));
  }
  ck_assert(ranking->errors[ranking->n_units] == 0);
  ranking_free(&ranking);
  problem_free(p);
}

START_TEST(test_ranking_removes_units_that_others_replace)
{
  check_ranking(1, NULL);
}
END_TEST

START_TEST(test_ranking_of_heads)
{
  check_ranking(2, NULL);
  check_ranking(3, NULL);
}
END_TEST

START_TEST(test_ranking_in_a_metric)
{
  const double metric[] = { 2, 0.5, 0, 0.5, 1, 0.2, 0, 0.2, 0.1 };
  check_ranking(1, metric);
  check_ranking(2, metric);
}
END_TEST

int main(void)
{
  TCase *tcase = tcase_create("closed forms");
  tcase_add_loop_test(tcase, test_cholesky_solves, 0, G_N_ELEMENTS(sizes));
  tcase_add_loop_test(tcase, test_cholesky_inverts, 0, G_N_ELEMENTS(sizes));
  tcase_add_test(tcase, test_cholesky_refuses_matrices_that_are_not_definite);
  tcase_add_test(tcase, test_compensation_is_least_squares);
  tcase_add_test(tcase, test_removed_inputs_get_zeros);
  tcase_add_test(tcase, test_moments_that_are_not_finite_change_nothing);
  tcase_add_test(tcase, test_ranking_removes_units_that_others_replace);
  tcase_add_test(tcase, test_ranking_of_heads);
  tcase_add_test(tcase, test_ranking_in_a_metric);
  return fixtures_run(tcase, "closed-forms");
}
