/* Static compression: the closed forms against plain least squares, and cutting against masking. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cholesky.h"
#include "compensation.h"
#include "cut.h"
#include "mask.h"

/* Double precision, well conditioned. */
#define EXACT 1e-9
/* Weights are float32. */
#define FLOAT 2e-5
/* The same float32 sums in another order. */
#define SAME_FUNCTION 1e-5
#define CUT_IS_MASKED 1e-4

enum { N_IMAGES = 40, DEPTH = 4, SIZE = 12 };

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

START_TEST(test_cholesky_refuses_what_is_not_definite)
{
  double indefinite[] = { 1, 2, 2, 1 }, singular[] = { 1, 1, 1, 1 }, undefined[] = { NAN };
  ck_assert(!cholesky_factor(indefinite, 2));
  ck_assert(!cholesky_factor(singular, 2));
  ck_assert(!cholesky_factor(undefined, 1));
}
END_TEST

/* ---- Compensation ---- */

enum { N_IN = 6, N_OUT = 3, N_ROWS = 200 };

/* Rows of inputs that are not independent, the outputs wanted of them, and their moments. */
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

/* @drifted: the outputs wanted are not what the weights give */
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

/* Gauss-Jordan elimination with pivots: x[n] with a[n][n + 1] = (A | b) */
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

/* The weights and, last, the bias of output @k that make sum of (y - b - w x)^2 / N_ROWS +
 * lambda |w - w0|^2 least, over the inputs kept: normal equations on the uncentred rows. */
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

/* Mean squared error, in the metric, of the outputs after the fit that @keep allows. */
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

/* Every step removes the unit that leaves the least error, and tells that error. */
static void check_ranking(guint width, const double *metric)
{
  Problem *p = problem_new(FALSE);
  Ranking *ranking = ranking_new(p->moments, p->weights, metric, width, 1e-11);
  ck_assert_ptr_nonnull(ranking);
  ck_assert_uint_eq(ranking->n_units, N_IN / width);
  for (guint n = ranking->n_units; n > 0; n--) {
    double least = INFINITY;
    for (guint u = 0; u < n; u++) {
      g_autofree gboolean *keep = ranking_mark(ranking, n);
      for (guint i = 0; i < width; i++)
        keep[ranking->order[u] * width + i] = FALSE;
      least = MIN(least, error_plainly(p, keep, metric));
    }
    g_autofree gboolean *keep = ranking_mark(ranking, n - 1);
    const double left = error_plainly(p, keep, metric);
    ck_assert_double_eq_tol(left, least, 1e-6);
    ck_assert_double_eq_tol(ranking->errors[n - 1], left, 1e-5 * (1 + left));
  }
  ck_assert(ranking->errors[ranking->n_units] == 0);
  ranking_free(&ranking);
  problem_free(p);
}

START_TEST(test_ranking_removes_what_the_others_replace)
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

/* ---- Networks ---- */

typedef struct {
  Description description;
  BlockShape blocks[DEPTH];
  Network *network;
  Team *team;
  Calibration *calibration;
  Ranking **rankings;
  float *tensors;
  guint given;
} Setup;

static void fill_network(Network *network)
{
  g_autoptr(GRand) random = g_rand_new_with_seed(7);
  for (guint i = 0; i < network->parameters->len; i++) {
    const Parameter *p = &g_array_index(network->parameters, Parameter, i);
    const gboolean norm = g_str_has_suffix(p->name, "weight") && p->n_dims == 1;
    for (gsize j = 0; j < p->n; j++)
      network->values[p->offset + j] =
          (norm ? 1 : 0) + (float)g_rand_double_range(random, -0.4, 0.4);
  }
}

static void setup_init(Setup *s, gboolean gates, gboolean search, guint members)
{
  const BlockShape shapes[DEPTH] = { { 3, 48 }, { 2, 32 }, { 1, 64 }, { 2, 40 } };
  memset(s, 0, sizeof *s);
  memcpy(s->blocks, shapes, sizeof shapes);
  s->description = (Description){
    .name = "small",
    .image_size = SIZE,
    .patch_size = 3,
    .dim = 10,
    .head_dim = 6,
    .depth = DEPTH,
    .blocks = s->blocks,
    .n_classes = 7,
    .layer_norm_eps = 1e-6,
  };
  if (gates)
    description_add_gates(&s->description);
  s->description.dense_gmacs = vitgate__description_gmacs(&s->description);
  s->description.dense_parameters = vitgate__description_parameters(&s->description);
  s->network = network_new(&s->description, search);
  fill_network(s->network);
  s->team = vitgate__team_new(members);
  s->tensors = g_new(float, N_IMAGES * 3 * SIZE * SIZE);
  g_autoptr(GRand) random = g_rand_new_with_seed(3);
  for (guint i = 0; i < N_IMAGES * 3 * SIZE * SIZE; i++)
    s->tensors[i] = (float)g_rand_double_range(random, -1, 1);
}

static guint give_images(gpointer data, real *tensors, guint max, GError **error)
{
  Setup *s = data;
  const guint n = MIN(MIN(max, 7), N_IMAGES - s->given);
  const gsize size = 3 * SIZE * SIZE;
  memcpy(tensors, s->tensors + s->given * size, n * size * sizeof *tensors);
  s->given += n;
  return n;
}

static void calibrate(Setup *s)
{
  const CalibrationOptions options = { .max_images = 1000, .least_patches = 0.5 };
  GError *error = NULL;
  s->calibration = calibration_new(s->network, s->team, &options, give_images, s, &error);
  ck_assert_ptr_nonnull(s->calibration);
  ck_assert_uint_eq(s->calibration->n_images, N_IMAGES);
  s->rankings = rankings_new(s->calibration, 1e-3, &error);
  ck_assert_ptr_nonnull(s->rankings);
}

static void setup_clear(Setup *s)
{
  rankings_free(&s->rankings, DEPTH);
  calibration_free(&s->calibration);
  vitgate__team_free(&s->team);
  network_free(&s->network);
  g_free(s->tensors);
}

static void run_forward(gpointer data, guint member)
{
  Pass *pass = data;
  pass_pack(&pass->shares[member]);
  pass_forward(&pass->shares[member]);
}

/* Returns: [N_IMAGES][n_classes] */
static float *find_logits(const Setup *s, const Network *network)
{
  const guint n = network->description->n_classes;
  float *logits = g_new(float, N_IMAGES *n);
  Pass *pass = pass_new(network, s->team, N_IMAGES, FALSE);
  pass->n_images = N_IMAGES;
  pass->tensors = s->tensors;
  vitgate__team_run(s->team, run_forward, pass);
  for (guint m = 0; m < vitgate__team_size(s->team); m++)
    memcpy(logits + pass->shares[m].first * n, pass->shares[m].logits,
           pass->shares[m].n * n * sizeof *logits);
  pass_free(&pass);
  return logits;
}

static double largest_difference(const float *a, const float *b)
{
  double most = 0;
  for (guint i = 0; i < N_IMAGES * 7; i++)
    most = MAX(most, fabs((double)a[i] - (double)b[i]));
  return most;
}

static double mean_square(const float *a, const float *b)
{
  double sum = 0;
  for (guint i = 0; i < N_IMAGES * 7; i++)
    sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
  return sum / N_IMAGES / 7;
}

START_TEST(test_order_keeps_the_function)
{
  Setup s;
  setup_init(&s, FALSE, FALSE, 2);
  calibrate(&s);
  g_autofree guint *order = g_memdup2(s.rankings[1]->order, 48 * sizeof(guint));
  g_autofree float *before = find_logits(&s, s.network);
  g_autofree float *row = g_memdup2(
      network_at(s.network, s.network->blocks[0].fc1_weight) + order[0] * 10, 10 * sizeof *row);
  order_units(s.network, s.rankings);
  g_autofree float *after = find_logits(&s, s.network);
  ck_assert_double_le(largest_difference(before, after), SAME_FUNCTION);
  ck_assert_mem_eq(network_at(s.network, s.network->blocks[0].fc1_weight), row, 10 * sizeof *row);
  for (guint u = 0; u < 48; u++)
    ck_assert_uint_eq(s.rankings[1]->order[u], u);
  setup_clear(&s);
}
END_TEST

static const BlockShape cut_shapes[][DEPTH] = {
  { { 2, 32 }, { 1, 16 }, { 1, 48 }, { 2, 16 } },
  { { 0, 16 }, { 2, 0 }, { 0, 0 }, { 1, 32 } }, /* nothing before block 0's attention */
  { { 0, 0 }, { 0, 32 }, { 1, 64 }, { 0, 0 } },
  { { 0, 0 }, { 0, 0 }, { 0, 0 }, { 0, 0 } },
  { { 3, 48 }, { 2, 32 }, { 1, 64 }, { 2, 40 } }, /* all stay */
};

START_TEST(test_cut_is_masked)
{
  Setup s;
  GError *error = NULL;
  setup_init(&s, FALSE, FALSE, 1 + _i % 2);
  calibrate(&s);
  ck_assert(compensate_network(s.calibration, s.rankings, cut_shapes[_i], 1e-3, &error));
  Description *description;
  Network *cut = cut_network(s.network, s.rankings, cut_shapes[_i], "cut", &description);
  ck_assert_str_eq(description->name, "cut");
  for (guint b = 0; b < DEPTH; b++) {
    ck_assert_uint_eq(description->blocks[b].heads, cut_shapes[_i][b].heads);
    ck_assert_uint_eq(description->blocks[b].neurons, cut_shapes[_i][b].neurons);
  }
  g_autofree float *masked = find_logits(&s, s.network);
  g_autofree float *physical = find_logits(&s, cut);
  ck_assert_double_le(largest_difference(masked, physical), CUT_IS_MASKED);
  network_free(&cut);
  vitgate__description_free(&description);
  setup_clear(&s);
}
END_TEST

START_TEST(test_keeping_all_changes_nothing)
{
  Setup s;
  GError *error = NULL;
  setup_init(&s, FALSE, FALSE, 1);
  calibrate(&s);
  g_autofree float *before = find_logits(&s, s.network);
  ck_assert(compensate_network(s.calibration, s.rankings, cut_shapes[4], 1e-3, &error));
  g_autofree float *after = find_logits(&s, s.network);
  ck_assert_double_le(largest_difference(before, after), CUT_IS_MASKED);
  setup_clear(&s);
}
END_TEST

START_TEST(test_compensation_comes_closer_than_cutting)
{
  Setup s;
  GError *error = NULL;
  setup_init(&s, FALSE, FALSE, 2);
  calibrate(&s);
  Description *descriptions[2];
  g_autofree float *whole = find_logits(&s, s.network);
  Network *plain = cut_network(s.network, s.rankings, cut_shapes[0], "plain", &descriptions[0]);
  ck_assert(compensate_network(s.calibration, s.rankings, cut_shapes[0], 1e-3, &error));
  Network *made_up = cut_network(s.network, s.rankings, cut_shapes[0], "cut", &descriptions[1]);
  g_autofree float *of_plain = find_logits(&s, plain);
  g_autofree float *of_made_up = find_logits(&s, made_up);
  ck_assert_double_lt(mean_square(of_made_up, whole), 0.5 * mean_square(of_plain, whole));
  network_free(&plain);
  network_free(&made_up);
  vitgate__description_free(&descriptions[0]);
  vitgate__description_free(&descriptions[1]);
  setup_clear(&s);
}
END_TEST

START_TEST(test_members_share_the_work_to_the_same_end)
{
  Setup alone, together;
  setup_init(&alone, FALSE, FALSE, 1);
  setup_init(&together, FALSE, FALSE, 3);
  calibrate(&alone);
  calibrate(&together);
  for (guint m = 0; m < 2 * DEPTH; m++)
    for (guint k = 0; k < alone.rankings[m]->n_units; k++)
      ck_assert_double_eq_tol(together.rankings[m]->errors[k], alone.rankings[m]->errors[k],
                              1e-3 * alone.rankings[m]->errors[0]);
  setup_clear(&alone);
  setup_clear(&together);
}
END_TEST

START_TEST(test_errors_grow_as_units_go)
{
  Setup s;
  setup_init(&s, FALSE, FALSE, 2);
  calibrate(&s);
  for (guint m = 0; m < 2 * DEPTH; m++) {
    const Ranking *r = s.rankings[m];
    ck_assert(r->errors[r->n_units] == 0);
    for (guint k = 0; k < r->n_units; k++)
      ck_assert_double_ge(r->errors[k], r->errors[k + 1]);
  }
  setup_clear(&s);
}
END_TEST

START_TEST(test_gates_go_with_their_module)
{
  Setup s;
  setup_init(&s, TRUE, FALSE, 1);
  calibrate(&s);
  const BlockShape shapes[DEPTH] = { { 3, 48 }, { 0, 16 }, { 1, 0 }, { 2, 40 } };
  Description *description;
  Network *cut = cut_network(s.network, s.rankings, shapes, "cut", &description);
  ck_assert(!cut->blocks[1].attention_gate.present);
  ck_assert(!cut->blocks[2].mlp_gate.present);
  ck_assert(cut->blocks[1].mlp_gate.present);
  ck_assert_mem_eq(network_at(cut, cut->blocks[1].mlp_gate.fc1_weight),
                   network_at(s.network, s.network->blocks[1].mlp_gate.fc1_weight),
                   GATE_HIDDEN * 20 * sizeof(float));
  network_free(&cut);
  vitgate__description_free(&description);
  setup_clear(&s);
}
END_TEST

START_TEST(test_search_masks_fold_into_the_weights)
{
  Setup s;
  setup_init(&s, FALSE, TRUE, 1);
  Network *plain = network_copy_plain(s.network);
  g_autofree float *searching = find_logits(&s, s.network);
  g_autofree float *folded = find_logits(&s, plain);
  ck_assert(!plain->searches);
  ck_assert_double_le(largest_difference(searching, folded), SAME_FUNCTION);
  network_free(&plain);
  setup_clear(&s);
}
END_TEST

static guint give_none(gpointer data, real *tensors, guint max, GError **error)
{
  return 0;
}

static guint give_error(gpointer data, real *tensors, guint max, GError **error)
{
  g_set_error(error, VITGATE_ERROR, VITGATE_ERROR_IO, "the disk is gone");
  return 0;
}

START_TEST(test_no_image_is_an_error)
{
  Setup s;
  GError *error = NULL;
  const CalibrationOptions options = { .max_images = 10, .least_patches = 0.5 };
  setup_init(&s, FALSE, FALSE, 1);
  ck_assert_ptr_null(calibration_new(s.network, s.team, &options, give_none, &s, &error));
  ck_assert(g_error_matches(error, VITGATE_ERROR, VITGATE_ERROR_ARGUMENT));
  g_clear_error(&error);
  ck_assert_ptr_null(calibration_new(s.network, s.team, &options, give_error, &s, &error));
  ck_assert(g_error_matches(error, VITGATE_ERROR, VITGATE_ERROR_IO));
  g_clear_error(&error);
  setup_clear(&s);
}
END_TEST

START_TEST(test_one_image_is_enough)
{
  Setup s;
  GError *error = NULL;
  const CalibrationOptions options = { .max_images = 1, .least_patches = 0.5 };
  setup_init(&s, FALSE, FALSE, 2);
  s.calibration = calibration_new(s.network, s.team, &options, give_images, &s, &error);
  ck_assert_ptr_nonnull(s.calibration);
  s.rankings = rankings_new(s.calibration, 1e-3, &error);
  ck_assert_ptr_nonnull(s.rankings);
  ck_assert(compensate_network(s.calibration, s.rankings, cut_shapes[0], 1e-3, &error));
  g_autofree float *logits = find_logits(&s, s.network);
  for (guint i = 0; i < N_IMAGES * 7; i++)
    ck_assert(isfinite(logits[i]));
  setup_clear(&s);
}
END_TEST

START_TEST(test_broken_activations_are_an_error)
{
  Setup s;
  GError *error = NULL;
  const CalibrationOptions options = { .max_images = 8, .least_patches = 0.5 };
  setup_init(&s, FALSE, FALSE, 1);
  network_at(s.network, s.network->blocks[1].fc1_bias)[3] = NAN;
  s.calibration = calibration_new(s.network, s.team, &options, give_images, &s, &error);
  ck_assert_ptr_null(s.calibration);
  ck_assert(g_error_matches(error, VITGATE_ERROR, VITGATE_ERROR_ARGUMENT));
  ck_assert_ptr_nonnull(strstr(error->message, "not finite"));
  g_clear_error(&error);
  setup_clear(&s);
}
END_TEST

/* ---- Allocation ---- */

/* DeiT-Tiny's shape, and errors that grow differently by module. */
typedef struct {
  Description description;
  BlockShape blocks[12];
  Ranking *rankings[24];
} Plan;

static void plan_init(Plan *p)
{
  memset(p, 0, sizeof *p);
  p->description = (Description){ .image_size = 224,
                                  .patch_size = 16,
                                  .dim = 192,
                                  .head_dim = 64,
                                  .depth = 12,
                                  .blocks = p->blocks,
                                  .n_classes = 1000 };
  for (guint b = 0; b < 12; b++)
    p->blocks[b] = (BlockShape){ .heads = 3, .neurons = 768 };
  p->description.dense_gmacs = vitgate__description_gmacs(&p->description);
  p->description.dense_parameters = vitgate__description_parameters(&p->description);
  for (guint m = 0; m < 24; m++) {
    Ranking *r = p->rankings[m] = g_new0(Ranking, 1);
    r->n_units = m % 2 ? 768 : 3;
    r->width = m % 2 ? 1 : 64;
    r->order = g_new0(guint, r->n_units);
    r->errors = g_new0(double, r->n_units + 1);
    for (guint k = 0; k < r->n_units; k++)
      r->errors[k] = (1 + m % 5) * pow(1 - (double)k / r->n_units, 2 + m % 3);
  }
}

static void plan_clear(Plan *p)
{
  for (guint m = 0; m < 24; m++)
    ranking_free(&p->rankings[m]);
}

static double ratio_of(const Plan *p, BlockShape *shapes, gboolean parameters)
{
  Description d = p->description;
  d.blocks = shapes;
  return parameters
             ? (double)vitgate__description_parameters(&d) / (double)p->description.dense_parameters
             : vitgate__description_gmacs(&d) / p->description.dense_gmacs;
}

static void check_counts(const BlockShape *shapes)
{
  for (guint b = 0; b < 12; b++) {
    ck_assert_uint_le(shapes[b].heads, 3);
    ck_assert_uint_le(shapes[b].neurons, 768);
    ck_assert_uint_eq(shapes[b].neurons % 16, 0);
  }
}

START_TEST(test_targets_are_met_within_one_unit)
{
  static const double targets[] = { 0.98, 0.9, 0.75, 0.5, 0.3, 0.1 };
  /* Of DeiT-Tiny's: sixteen neurons. */
  const double unit_compute = 2e-9 * 197 * 192 * 16 / 1.2537, unit_parameters = 385.0 * 16 / 5.7e6;
  for (guint i = 0; i < G_N_ELEMENTS(targets); i++) {
    Plan p;
    plan_init(&p);
    BlockShape shapes[12];
    const Budget compute = { .compute = targets[i] };
    ck_assert(allocate_units(&p.description, p.rankings, &compute, shapes, NULL));
    check_counts(shapes);
    ck_assert_double_le(ratio_of(&p, shapes, FALSE), targets[i] + 1e-6);
    ck_assert_double_ge(ratio_of(&p, shapes, FALSE), targets[i] - unit_compute);
    if (targets[i] > 0.2) {
      const Budget parameters = { .parameters = targets[i] };
      ck_assert(allocate_units(&p.description, p.rankings, &parameters, shapes, NULL));
      check_counts(shapes);
      ck_assert_double_le(ratio_of(&p, shapes, TRUE), targets[i] + 1e-6);
      ck_assert_double_ge(ratio_of(&p, shapes, TRUE), targets[i] - unit_parameters);
    }
    plan_clear(&p);
  }
}
END_TEST

START_TEST(test_both_targets_at_once)
{
  Plan p;
  plan_init(&p);
  BlockShape shapes[12];
  const Budget budget = { .compute = 0.6, .parameters = 0.8 };
  ck_assert(allocate_units(&p.description, p.rankings, &budget, shapes, NULL));
  ck_assert_double_le(ratio_of(&p, shapes, FALSE), 0.6 + 1e-6);
  ck_assert_double_le(ratio_of(&p, shapes, TRUE), 0.8 + 1e-6);
  plan_clear(&p);
}
END_TEST

START_TEST(test_modules_that_do_not_matter_go_first)
{
  Plan p;
  plan_init(&p);
  for (guint k = 0; k <= 768; k++)
    p.rankings[23]->errors[k] = 0;
  for (guint k = 0; k <= 3; k++)
    p.rankings[20]->errors[k] = 0;
  BlockShape shapes[12];
  const Budget budget = { .compute = 0.9 };
  ck_assert(allocate_units(&p.description, p.rankings, &budget, shapes, NULL));
  ck_assert_uint_le(shapes[11].neurons, 16);
  ck_assert_uint_eq(shapes[10].heads, 0);
  plan_clear(&p);
}
END_TEST

START_TEST(test_attention_can_be_left_whole)
{
  Plan p;
  plan_init(&p);
  BlockShape shapes[12];
  const Budget budget = { .compute = 0.7, .whole_attention = TRUE };
  ck_assert(allocate_units(&p.description, p.rankings, &budget, shapes, NULL));
  for (guint b = 0; b < 12; b++)
    ck_assert_uint_eq(shapes[b].heads, 3);
  plan_clear(&p);
}
END_TEST

START_TEST(test_no_budget_leaves_all)
{
  Plan p;
  plan_init(&p);
  BlockShape shapes[12];
  ck_assert(allocate_units(&p.description, p.rankings, &(Budget){ 0 }, shapes, NULL));
  ck_assert_mem_eq(shapes, p.blocks, sizeof shapes);
  plan_clear(&p);
}
END_TEST

START_TEST(test_target_out_of_reach_tells_the_least)
{
  Plan p;
  plan_init(&p);
  BlockShape shapes[12];
  GError *error = NULL;
  ck_assert(
      !allocate_units(&p.description, p.rankings, &(Budget){ .compute = 0.01 }, shapes, &error));
  ck_assert(g_error_matches(error, VITGATE_ERROR, VITGATE_ERROR_ARGUMENT));
  ck_assert_msg(strstr(error->message, "0.010") && strstr(error->message, "0.023"), "%s",
                error->message);
  g_clear_error(&error);
  ck_assert(
      !allocate_units(&p.description, p.rankings, &(Budget){ .parameters = 0.05 }, shapes, &error));
  ck_assert_msg(strstr(error->message, "parameters") != NULL, "%s", error->message);
  g_clear_error(&error);
  const Budget whole = { .compute = 0.3, .whole_attention = TRUE };
  ck_assert(!allocate_units(&p.description, p.rankings, &whole, shapes, &error));
  ck_assert_msg(strstr(error->message, "0.444") != NULL, "%s", error->message);
  g_clear_error(&error);
  plan_clear(&p);
}
END_TEST

static void add_closed_forms(Suite *suite)
{
  TCase *tcase = tcase_create("closed forms");
  tcase_add_loop_test(tcase, test_cholesky_solves, 0, G_N_ELEMENTS(sizes));
  tcase_add_loop_test(tcase, test_cholesky_inverts, 0, G_N_ELEMENTS(sizes));
  tcase_add_test(tcase, test_cholesky_refuses_what_is_not_definite);
  tcase_add_test(tcase, test_compensation_is_least_squares);
  tcase_add_test(tcase, test_removed_inputs_get_zeros);
  tcase_add_test(tcase, test_moments_that_are_not_finite_change_nothing);
  tcase_add_test(tcase, test_ranking_removes_what_the_others_replace);
  tcase_add_test(tcase, test_ranking_of_heads);
  tcase_add_test(tcase, test_ranking_in_a_metric);
  suite_add_tcase(suite, tcase);
}

static void add_networks(Suite *suite)
{
  TCase *tcase = tcase_create("networks");
  tcase_set_timeout(tcase, 60);
  tcase_add_test(tcase, test_order_keeps_the_function);
  tcase_add_loop_test(tcase, test_cut_is_masked, 0, G_N_ELEMENTS(cut_shapes));
  tcase_add_test(tcase, test_keeping_all_changes_nothing);
  tcase_add_test(tcase, test_compensation_comes_closer_than_cutting);
  tcase_add_test(tcase, test_members_share_the_work_to_the_same_end);
  tcase_add_test(tcase, test_errors_grow_as_units_go);
  tcase_add_test(tcase, test_gates_go_with_their_module);
  tcase_add_test(tcase, test_search_masks_fold_into_the_weights);
  tcase_add_test(tcase, test_no_image_is_an_error);
  tcase_add_test(tcase, test_one_image_is_enough);
  tcase_add_test(tcase, test_broken_activations_are_an_error);
  suite_add_tcase(suite, tcase);
}

static void add_allocation(Suite *suite)
{
  TCase *tcase = tcase_create("allocation");
  tcase_add_test(tcase, test_targets_are_met_within_one_unit);
  tcase_add_test(tcase, test_both_targets_at_once);
  tcase_add_test(tcase, test_modules_that_do_not_matter_go_first);
  tcase_add_test(tcase, test_attention_can_be_left_whole);
  tcase_add_test(tcase, test_no_budget_leaves_all);
  tcase_add_test(tcase, test_target_out_of_reach_tells_the_least);
  suite_add_tcase(suite, tcase);
}

int main(void)
{
  Suite *suite = suite_create("static");
  add_closed_forms(suite);
  add_networks(suite);
  add_allocation(suite);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
