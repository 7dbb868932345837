/* Token gates: the ridge regressions behind them against plain least squares, costs against the
 * divergence that skipping a token really causes, controls, and bad input. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "file/architecture.h"
#include "fixtures.h"
#include "network/families/families.h"
#include "passes.h"
#include "train/cut/sensitivity.h"
#include "train/gates/ridge.h"
#include "train/gates/token-fit.h"

enum { DEPTH = 4, SIZE = 16, N_IMAGES = 12, MEMBERS = 2, N_CLASSES = 5, DIM = 24, TOKENS = 17 };

/* ---- Regressions ---- */

/* Adds rows of x[n], y to a fold. */
static void add_row(FoldSums *sums, guint fold, const double *x, double y)
{
  const guint n = sums->n, m = n + 1;
  for (guint i = 0; i < m; i++) {
    const double a = i < n ? x[i] : 1;
    for (guint j = 0; j < m; j++)
      sums->square[((gsize)fold * m + i) * m + j] += a * (j < n ? x[j] : 1);
    sums->cross[(gsize)fold * m + i] += a * y;
  }
  sums->power[fold] += y * y;
}

START_TEST(a_linear_cost_is_found_exactly)
{
  g_autoptr(GRand) random = g_rand_new_with_seed(1);
  FoldSums *sums = fold_sums_new(3, 4);
  double mean = 0, square = 0;
  for (guint row = 0; row < 400; row++) {
    const double x[] = { g_rand_double(random) + 5, g_rand_double(random), g_rand_double(random) };
    const double y = 2 * x[0] - x[1] + 0.5 * x[2] - 7;
    add_row(sums, row % 4, x, y);
    mean += y / 400;
    square += y * y / 400;
  }
  real weight[3], bias;
  double variance;
  const double explained = ridge_fit_folds(sums, weight, &bias, &variance);
  ck_assert_double_gt(explained, 0.9999);
  ck_assert_double_eq_tol(weight[0], 2, 1e-3);
  ck_assert_double_eq_tol(weight[1], -1, 1e-3);
  ck_assert_double_eq_tol(weight[2], 0.5, 1e-3);
  ck_assert_double_eq_tol(bias, -7, 5e-3);
  ck_assert_double_eq_tol(variance, square - mean * mean, 1e-3);
  fold_sums_free(&sums);
}
END_TEST

/* With few rows of many inputs, a small ridge would fit the noise, and predict left-out rows worse
 * than their mean. */
START_TEST(noise_is_not_explained)
{
  g_autoptr(GRand) random = g_rand_new_with_seed(2);
  FoldSums *sums = fold_sums_new(20, 5);
  for (guint row = 0; row < 60; row++) {
    double x[20];
    for (guint i = 0; i < 20; i++)
      x[i] = g_rand_double(random);
    add_row(sums, row % 5, x, g_rand_double(random));
  }
  real weight[20], bias;
  double variance;
  const double explained = ridge_fit_folds(sums, weight, &bias, &variance);
  ck_assert_double_lt(explained, 0.1);
  ck_assert_double_gt(explained, -0.3);
  fold_sums_free(&sums);
}
END_TEST

START_TEST(inputs_that_do_not_vary_are_refused)
{
  FoldSums *sums = fold_sums_new(2, 2);
  for (guint row = 0; row < 10; row++)
    add_row(sums, row % 2, (double[]){ 3, 4 }, row);
  real weight[2], bias;
  double variance;
  ck_assert(isnan(ridge_fit_folds(sums, weight, &bias, &variance)));
  fold_sums_free(&sums);
}
END_TEST

/* Moments of y = A x + c with A of rank 2, and x of unit variance with a mean. */
static Moments *rank_two_moments(double *a, guint n, guint n_out)
{
  g_autoptr(GRand) random = g_rand_new_with_seed(3);
  double factors[4][8];
  for (guint f = 0; f < 4; f++)
    for (guint i = 0; i < 8; i++)
      factors[f][i] = g_rand_double_range(random, -1, 1);
  Moments *m = moments_new(n, n_out, TRUE);
  m->weight = 1;
  for (guint i = 0; i < n; i++) {
    m->mean_in[i] = i;
    m->square[i * (n + 1)] = 1;
  }
  for (guint k = 0; k < n_out; k++)
    for (guint i = 0; i < n; i++) {
      a[k * n + i] = factors[0][k] * factors[1][i] + 3 * factors[2][k] * factors[3][i];
      m->cross[k * n + i] = a[k * n + i];
      m->mean_out[k] += a[k * n + i] * m->mean_in[i];
    }
  for (guint k = 0; k < n_out; k++)
    m->mean_out[k] += 10;
  return m;
}

START_TEST(a_map_of_enough_rank_is_exact)
{
  enum { N = 6, OUT = 5 };
  double a[OUT * N];
  Moments *m = rank_two_moments(a, N, OUT);
  for (guint rank = 2; rank <= 4; rank++) {
    real down[4 * N], up[OUT * 4], bias[OUT];
    ck_assert(ridge_fit_map(m, 0, rank, FALSE, down, up, bias));
    for (guint k = 0; k < OUT; k++) {
      for (guint i = 0; i < N; i++) {
        double sum = 0;
        for (guint r = 0; r < rank; r++)
          sum += (double)up[k * rank + r] * down[r * N + i];
        ck_assert_double_eq_tol(sum, a[k * N + i], 1e-4);
      }
      ck_assert_double_eq_tol(bias[k], 10, 1e-3);
    }
  }
  moments_free(&m);
}
END_TEST

START_TEST(a_map_of_rank_one_keeps_the_strongest_direction)
{
  enum { N = 6, OUT = 5 };
  double a[OUT * N], all = 0, kept = 0;
  Moments *m = rank_two_moments(a, N, OUT);
  real down[N], up[OUT], bias[OUT];
  ck_assert(ridge_fit_map(m, 0, 1, FALSE, down, up, bias));
  for (guint k = 0; k < OUT; k++)
    for (guint i = 0; i < N; i++) {
      all += a[k * N + i] * a[k * N + i];
      kept += (double)up[k] * up[k] * down[i] * down[i];
    }
  ck_assert_double_gt(kept, 0.8 * all);
  ck_assert_double_lt(kept, 0.999 * all);
  moments_free(&m);
}
END_TEST

START_TEST(a_map_of_rank_zero_is_the_mean)
{
  enum { N = 6, OUT = 5 };
  double a[OUT * N];
  Moments *m = rank_two_moments(a, N, OUT);
  real bias[OUT], whole[OUT * N];
  ck_assert(ridge_fit_map(m, 0, 0, FALSE, NULL, NULL, bias));
  for (guint k = 0; k < OUT; k++)
    ck_assert_double_eq_tol(bias[k], m->mean_out[k], 1e-4);
  ck_assert(ridge_fit_map(m, 0, N, TRUE, NULL, whole, bias));
  for (guint i = 0; i < OUT * N; i++)
    ck_assert_double_eq_tol(whole[i], a[i], 1e-4);
  moments_free(&m);
}
END_TEST

/* ---- Networks ---- */

typedef struct {
  BlockShape shapes[DEPTH];
  Description description;
  Network *network;
  Team *team;
  float *tensors;
} Setup;

static Setup *setup_new(guint n_images)
{
  Setup *s = g_new0(Setup, 1);
  for (guint b = 0; b < DEPTH; b++)
    s->shapes[b] = (BlockShape){ .heads = 2, .neurons = 64 };
  s->description = (Description){ .family = &vitgate__family_vit,
                                  .name = "small",
                                  .image_size = SIZE,
                                  .patch_size = 4,
                                  .dim = DIM,
                                  .head_dim = 8,
                                  .depth = DEPTH,
                                  .blocks = s->shapes,
                                  .n_classes = N_CLASSES,
                                  .layer_norm_eps = 1e-6,
                                  .dense_gmacs = 5e-4 };
  token_fit_shape(&s->description);
  s->network = network_new(&s->description, FALSE);
  passes_fill(s->network, 5);
  s->team = vitgate__team_new(MEMBERS);
  g_autoptr(GRand) random = g_rand_new_with_seed(6);
  s->tensors = g_new(float, (gsize)n_images * 3 * SIZE * SIZE);
  for (guint i = 0; i < n_images * 3 * SIZE * SIZE; i++)
    s->tensors[i] = (float)g_rand_double_range(random, -2, 2);
  return s;
}

static void setup_free(Setup *s)
{
  network_free(&s->network);
  vitgate__team_free(&s->team);
  g_free(s->tensors);
  g_free(s);
}

static TrainingPass *pass_new(const Setup *s, guint n_images)
{
  TrainingPass *pass = training_pass_new(s->network, s->team, n_images, FALSE, TRUE, NULL);
  pass->tensors = s->tensors;
  pass->n_images = n_images;
  return pass;
}

START_TEST(modules_with_patch_tokens_get_gates)
{
  Setup *s = setup_new(1);
  for (guint b = 0; b < DEPTH; b++) {
    const gboolean inside = b > 0 && b < DEPTH - 1;
    ck_assert_int_eq(s->shapes[b].attention_tokens.present, inside);
    ck_assert_int_eq(s->shapes[b].mlp_tokens.present, inside);
  }
  /* A token's MLP takes 2 x 24 x 64 = 3072 multiply-adds, an eighth of it 384: rank 8. */
  ck_assert_uint_eq(s->shapes[1].mlp_tokens.rank, 8);
  s->shapes[1].neurons = 16;
  s->shapes[2].mlp_gate = TRUE;
  token_fit_shape(&s->description);
  ck_assert_uint_eq(s->shapes[1].mlp_tokens.rank, 0);
  ck_assert(!s->shapes[2].mlp_tokens.present);
  s->description.dense_gmacs = 1;
  ck_assert_uint_eq(token_fit_shape(&s->description), 0);
  s->description.dense_gmacs = 5e-4;
  setup_free(s);
}
END_TEST

/* Sets a gate that closes exactly for the token whose norm is h: all norms have the same length. */
static void close_token(Network *network, const real *h)
{
  const TokenGateOffsets *gate = &network->blocks[1].mlp_tokens;
  double square = 0;
  for (guint i = 0; i < DIM; i++) {
    network_at(network, gate->weight)[i] = -h[i];
    square += (double)h[i] * h[i];
  }
  *network_at(network, gate->bias) = (real)(0.999 * square);
}

/* Half of the mean square of the gradient is the divergence that a small error causes. */
START_TEST(costs_predict_the_divergence_of_skipping_a_token)
{
  enum { DRAWS = 600 };
  Setup *s = setup_new(1);
  Network *network = s->network;
  const TokenGateOffsets *gate = &network->blocks[1].mlp_tokens;
  for (guint i = 0; i < DIM; i++) {
    network_at(network, network->blocks[1].norm2_scale)[i] = 1;
    network_at(network, network->blocks[1].norm2_shift)[i] = 0;
  }
  /* Small outputs, so that errors are small. Only the gate of block 1's MLP decides. */
  for (guint i = 0; i < DIM * 64; i++)
    network_at(network, network->blocks[1].fc2_weight)[i] *= 0.02f;
  for (guint i = 0; i < DIM; i++)
    network_at(network, network->blocks[1].fc2_bias)[i] *= 0.02f;
  memset(network_at(network, gate->up), 0, (gsize)DIM * gate->rank * sizeof(real));
  memset(network_at(network, gate->bias_out), 0, DIM * sizeof(real));
  for (guint b = 1; b < DEPTH - 1; b++) {
    *network_at(network, network->blocks[b].attention_tokens.bias) = 1000;
    *network_at(network, network->blocks[b].mlp_tokens.bias) = 1000;
  }
  TrainingPass *pass = pass_new(s, 1);
  passes_forward(pass);
  Share *share = &pass->shares[1]; /* one image goes to the last share */
  ck_assert_uint_eq(share->n, 1);
  float base[N_CLASSES];
  memcpy(base, share->logits, sizeof base);
  g_autofree float *h = g_memdup2(share->blocks[1].h2, TOKENS * DIM * sizeof *h);
  double costs[TOKENS] = { 0 };
  for (guint draw = 0; draw < DRAWS; draw++) {
    passes_loss(pass, &(LossWeights){ .dense_gmacs = 1 }, &(LossTargets){ 0 }, &(LossSums){ 0 });
    sensitivity_draw(share->dlogits, share->logits, N_CLASSES, draw);
    g_free(passes_gradient(pass));
    for (guint t = 1; t < TOKENS; t++)
      costs[t] += pow((double)share->blocks[1].tokens[1].dopen[t], 2) / 2 / DRAWS;
  }
  for (guint t = 1; t < TOKENS; t++) {
    close_token(network, h + t * DIM);
    passes_forward(pass);
    for (guint other = 1; other < TOKENS; other++)
      ck_assert_double_eq((double)share->blocks[1].tokens[1].open[other], other != t);
    const double divergence = loss_divergence(base, share->logits, N_CLASSES);
    /* Standard error of 600 draws: 6 %; the rest is of second order. */
    ck_assert_double_eq_tol(costs[t] / divergence, 1, 0.3);
  }
  training_pass_free(&pass);
  setup_free(s);
}
END_TEST

static gboolean fit(Setup *s, const float *tensors, guint n_images, TokenFitResult *results,
                    GError **error)
{
  TokenFit *fit = token_fit_new(s->network, s->team, N_IMAGES, FALSE, error);
  gboolean fine = fit != NULL;
  const gsize pixels = (gsize)3 * SIZE * SIZE;
  for (guint pass = 0; fine && pass < 2; pass++) {
    for (guint first = 0; fine && first < n_images; first += N_IMAGES)
      fine = token_fit_add(fit, tensors + first * pixels, MIN(N_IMAGES, n_images - first), first,
                           error);
    if (fine)
      fine =
          pass ? token_fit_end_gates(fit, results, error) : token_fit_end_substitutes(fit, error);
  }
  token_fit_free(&fit);
  return fine;
}

START_TEST(fitted_gates_have_settled_logits)
{
  enum { MANY = 60 };
  Setup *s = setup_new(MANY);
  TokenFitResult results[2 * DEPTH];
  GError *error = NULL;
  ck_assert_msg(fit(s, s->tensors, MANY, results, &error), "%s", error ? error->message : "");
  TrainingPass *pass = pass_new(s, N_IMAGES);
  passes_forward(pass);
  double sum = 0, square = 0;
  guint n = 0;
  for (guint module = 2; module < 2 * (DEPTH - 1); module++) {
    ck_assert_uint_eq(results[module].n, MANY * (TOKENS - 1));
    for (guint m = 0; m < MEMBERS; m++) {
      const Share *share = &pass->shares[m];
      for (guint row = 0; row < share->n * TOKENS; row++)
        if (row % TOKENS) {
          const double logit = share->blocks[module / 2].tokens[module % 2].logit[row];
          sum += logit;
          square += logit * logit;
          n++;
        }
    }
  }
  ck_assert_double_eq_tol(sum / n, 0, 0.3);
  ck_assert_double_eq_tol(sqrt(square / n), 1, 0.3);
  training_pass_free(&pass);
  setup_free(s);
}
END_TEST

START_TEST(substitutes_are_closer_than_the_mean)
{
  enum { MANY = 60 };
  Setup *s = setup_new(MANY);
  TokenFitResult results[2 * DEPTH];
  ck_assert(fit(s, s->tensors, MANY, results, NULL));
  TrainingPass *pass = pass_new(s, N_IMAGES);
  passes_forward(pass);
  const Share *share = &pass->shares[0];
  const real *out = share->blocks[1].m, *substitute = share->blocks[1].tokens[1].out;
  double error = 0, variance = 0, mean[DIM] = { 0 };
  const guint rows = share->n * TOKENS;
  for (guint row = 0; row < rows; row++)
    for (guint i = 0; row % TOKENS && i < DIM; i++)
      mean[i] += out[row * DIM + i] / (share->n * (TOKENS - 1));
  for (guint row = 0; row < rows; row++)
    for (guint i = 0; row % TOKENS && i < DIM; i++) {
      error += pow((double)out[row * DIM + i] - substitute[row * DIM + i], 2);
      variance += pow(out[row * DIM + i] - mean[i], 2);
    }
  ck_assert_double_lt(error, 0.8 * variance);
  training_pass_free(&pass);
  setup_free(s);
}
END_TEST

/* ---- Controls ---- */

START_TEST(controls_are_what_they_say)
{
  Setup *s = setup_new(N_IMAGES);
  TrainingPass *pass = pass_new(s, N_IMAGES);
  passes_forward(pass);
  const Share *share = &pass->shares[0];
  const guint n = share->n;
  /* Only the first gate's input is the same with every control. */
  const TokenActivations *first = &share->blocks[1].tokens[0];
  g_autofree real *input = g_memdup2(first->logit, n * TOKENS * sizeof *input);
  pass->decisions.control = TOKENS_RANDOM;
  passes_forward(pass);
  guint moved = 0;
  for (guint i = 0; i < n; i++) {
    double before = 0, after = 0;
    for (guint t = 1; t < TOKENS; t++) {
      before += input[i * TOKENS + t];
      after += first->logit[i * TOKENS + t];
      moved += input[i * TOKENS + t] != first->logit[i * TOKENS + t];
    }
    ck_assert_double_eq_tol(before, after, 1e-3);
  }
  ck_assert_uint_gt(moved, n * TOKENS / 2);

  pass->decisions.control = TOKENS_SHUFFLED;
  passes_forward(pass);
  for (guint i = 0; i < n; i++)
    for (guint t = 1; t < TOKENS; t++)
      ck_assert_float_eq(first->logit[i * TOKENS + t], input[(i + 1) % n * TOKENS + t]);

  pass->decisions.control = TOKENS_POSITION;
  passes_forward(pass);
  for (guint t = 1; t < TOKENS; t++) {
    double mean = 0;
    for (guint i = 0; i < n; i++)
      mean += input[i * TOKENS + t] / n;
    for (guint i = 0; i < n; i++)
      ck_assert_double_eq_tol(first->logit[i * TOKENS + t], mean, 1e-4);
  }
  training_pass_free(&pass);
  setup_free(s);
}
END_TEST

/* ---- Bad input ---- */

static void check_refused(Setup *s, guint n_images, const char *part)
{
  TokenFitResult results[2 * DEPTH];
  g_autoptr(GError) error = NULL;
  ck_assert(!fit(s, s->tensors, n_images, results, &error));
  assert_error(error, part);
  setup_free(s);
}

START_TEST(too_few_photographs_are_refused)
{
  check_refused(setup_new(N_IMAGES), 1, "1 photographs");
}
END_TEST

START_TEST(the_same_photograph_throughout_is_refused)
{
  Setup *s = setup_new(N_IMAGES);
  for (guint i = 1; i < N_IMAGES; i++)
    memcpy(s->tensors + i * 3 * SIZE * SIZE, s->tensors, 3 * SIZE * SIZE * sizeof(float));
  check_refused(s, N_IMAGES, "are the same");
}
END_TEST

START_TEST(activations_that_are_not_finite_name_the_module)
{
  Setup *s = setup_new(N_IMAGES);
  *network_at(s->network, s->network->blocks[2].fc2_bias) = NAN;
  check_refused(s, N_IMAGES, "block 2's MLP");
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("token fit");
  tcase_add_test(tests, a_linear_cost_is_found_exactly);
  tcase_add_test(tests, noise_is_not_explained);
  tcase_add_test(tests, inputs_that_do_not_vary_are_refused);
  tcase_add_test(tests, a_map_of_enough_rank_is_exact);
  tcase_add_test(tests, a_map_of_rank_one_keeps_the_strongest_direction);
  tcase_add_test(tests, a_map_of_rank_zero_is_the_mean);
  tcase_add_test(tests, modules_with_patch_tokens_get_gates);
  tcase_add_test(tests, costs_predict_the_divergence_of_skipping_a_token);
  tcase_add_test(tests, fitted_gates_have_settled_logits);
  tcase_add_test(tests, substitutes_are_closer_than_the_mean);
  tcase_add_test(tests, controls_are_what_they_say);
  tcase_add_test(tests, too_few_photographs_are_refused);
  tcase_add_test(tests, the_same_photograph_throughout_is_refused);
  tcase_add_test(tests, activations_that_are_not_finite_name_the_module);
  return fixtures_run(tests, "token-fit");
}
