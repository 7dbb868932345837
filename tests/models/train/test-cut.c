/* Cutting a network, compared with masking it, with and without compensation. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "file/architecture.h"
#include "fixtures.h"
#include "network/families/families.h"
#include "passes.h"
#include "train/cut/compensation.h"
#include "train/cut/cut.h"
#include "train/cut/importance.h"

/* The same float32 sums in another order. */
#define SAME_FUNCTION 1e-5
#define CUT_IS_MASKED 1e-4

/* The weights of a layer and the variation of its inputs are each rounded by 2^-9. */
#define BF16_VARIANCE 0.05

enum { N_IMAGES = 40, DEPTH = 4, SIZE = 12 };

typedef struct {
  Description description;
  BlockShape blocks[DEPTH];
  Network *network;
  Team *team;
  Probe *probe;
  Ranking **rankings;
  float *tensors;
} Setup;

static void setup_init(Setup *s, gboolean gates, gboolean search, guint members)
{
  const BlockShape shapes[DEPTH] = { { 3, 48 }, { 2, 32 }, { 1, 64 }, { 2, 40 } };
  memset(s, 0, sizeof *s);
  memcpy(s->blocks, shapes, sizeof shapes);
  s->description = (Description){
    .family = &vitgate__family_vit,
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
  passes_fill(s->network, 7);
  s->team = vitgate__team_new(members);
  s->tensors = g_new(float, N_IMAGES * 3 * SIZE * SIZE);
  g_autoptr(GRand) random = g_rand_new_with_seed(3);
  for (guint i = 0; i < N_IMAGES * 3 * SIZE * SIZE; i++)
    s->tensors[i] = (float)g_rand_double_range(random, -1, 1);
}

static guint give_images(gpointer data, guint first, real *tensors, guint max, GError **error)
{
  const Setup *s = data;
  const guint n = MIN(MIN(max, 7), N_IMAGES - first);
  const gsize size = 3 * SIZE * SIZE;
  memcpy(tensors, s->tensors + first * size, n * size * sizeof *tensors);
  return n;
}

static void calibrate(Setup *s)
{
  const ProbeOptions options = { .max_images = 1000, .least_patches = 0.5 };
  GError *error = NULL;
  s->probe = probe_new(s->network, s->team, &options, give_images, s, &error);
  ck_assert_ptr_nonnull(s->probe);
  ck_assert_uint_eq(s->probe->n_images, N_IMAGES);
  s->rankings = rankings_new(s->probe, 1e-3, &error);
  ck_assert_ptr_nonnull(s->rankings);
}

static void setup_clear(Setup *s)
{
  rankings_free(&s->rankings, DEPTH);
  probe_free(&s->probe);
  vitgate__team_free(&s->team);
  network_free(&s->network);
  g_free(s->tensors);
}

/* Returns: [N_IMAGES][n_classes] */
static float *find_logits(const Setup *s, const Network *network)
{
  const guint n = network->description->n_classes;
  float *logits = g_new(float, N_IMAGES *n);
  TrainingPass *pass = training_pass_new(network, s->team, N_IMAGES, FALSE, TRUE, NULL);
  pass->n_images = N_IMAGES;
  pass->tensors = s->tensors;
  passes_forward(pass);
  for (guint m = 0; m < vitgate__team_size(s->team); m++)
    memcpy(logits + pass->shares[m].first * n, pass->shares[m].logits,
           pass->shares[m].n * n * sizeof *logits);
  training_pass_free(&pass);
  return logits;
}

static double largest_difference(const float *a, const float *b)
{
  double max = 0;
  for (guint i = 0; i < N_IMAGES * 7; i++)
    max = MAX(max, fabs((double)a[i] - (double)b[i]));
  return max;
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

START_TEST(test_a_cut_network_equals_the_masked_one)
{
  Setup s;
  GError *error = NULL;
  setup_init(&s, FALSE, FALSE, 1 + _i % 2);
  calibrate(&s);
  ck_assert(compensate_network(s.probe, s.rankings, cut_shapes[_i], 1e-3, &error));
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
  ck_assert(compensate_network(s.probe, s.rankings, cut_shapes[4], 1e-3, &error));
  g_autofree float *after = find_logits(&s, s.network);
  ck_assert_double_le(largest_difference(before, after), CUT_IS_MASKED);
  setup_clear(&s);
}
END_TEST

START_TEST(test_compensation_comes_closer_than_a_plain_cut)
{
  Setup s;
  GError *error = NULL;
  setup_init(&s, FALSE, FALSE, 2);
  calibrate(&s);
  Description *descriptions[2];
  g_autofree float *whole = find_logits(&s, s.network);
  Network *plain = cut_network(s.network, s.rankings, cut_shapes[0], "plain", &descriptions[0]);
  ck_assert(compensate_network(s.probe, s.rankings, cut_shapes[0], 1e-3, &error));
  Network *compensated = cut_network(s.network, s.rankings, cut_shapes[0], "cut", &descriptions[1]);
  g_autofree float *of_plain = find_logits(&s, plain);
  g_autofree float *of_compensated = find_logits(&s, compensated);
  ck_assert_double_lt(mean_square(of_compensated, whole), 0.5 * mean_square(of_plain, whole));
  network_free(&plain);
  network_free(&compensated);
  vitgate__description_free(&descriptions[0]);
  vitgate__description_free(&descriptions[1]);
  setup_clear(&s);
}
END_TEST

START_TEST(test_threads_do_not_change_the_result)
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

START_TEST(test_errors_grow_as_units_are_removed)
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

START_TEST(test_gates_are_removed_with_their_module)
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

static guint give_none(gpointer data, guint first, real *tensors, guint max, GError **error)
{
  return 0;
}

static guint give_error(gpointer data, guint first, real *tensors, guint max, GError **error)
{
  g_set_error(error, VITGATE_ERROR, VITGATE_ERROR_IO, "the disk is gone");
  return 0;
}

START_TEST(test_no_image_is_an_error)
{
  Setup s;
  GError *error = NULL;
  const ProbeOptions options = { .max_images = 10, .least_patches = 0.5 };
  setup_init(&s, FALSE, FALSE, 1);
  ck_assert_ptr_null(probe_new(s.network, s.team, &options, give_none, &s, &error));
  ck_assert(g_error_matches(error, VITGATE_ERROR, VITGATE_ERROR_ARGUMENT));
  g_clear_error(&error);
  ck_assert_ptr_null(probe_new(s.network, s.team, &options, give_error, &s, &error));
  ck_assert(g_error_matches(error, VITGATE_ERROR, VITGATE_ERROR_IO));
  g_clear_error(&error);
  setup_clear(&s);
}
END_TEST

START_TEST(test_one_image_is_enough)
{
  Setup s;
  GError *error = NULL;
  const ProbeOptions options = { .max_images = 1, .least_patches = 0.5 };
  setup_init(&s, FALSE, FALSE, 2);
  s.probe = probe_new(s.network, s.team, &options, give_images, &s, &error);
  ck_assert_ptr_nonnull(s.probe);
  s.rankings = rankings_new(s.probe, 1e-3, &error);
  ck_assert_ptr_nonnull(s.rankings);
  ck_assert(compensate_network(s.probe, s.rankings, cut_shapes[0], 1e-3, &error));
  g_autofree float *logits = find_logits(&s, s.network);
  for (guint i = 0; i < N_IMAGES * 7; i++)
    ck_assert(isfinite(logits[i]));
  setup_clear(&s);
}
END_TEST

/* Neurons of about 3 that vary by a hundredth of that, as in a network with little training. */
START_TEST(test_bf16_variances_survive_large_means)
{
  Setup s;
  setup_init(&s, FALSE, FALSE, 2);
  real *weight = network_at(s.network, s.network->blocks[0].fc1_weight);
  real *bias = network_at(s.network, s.network->blocks[0].fc1_bias);
  for (guint j = 0; j < 48; j++) {
    bias[j] = 3;
    for (guint i = 0; i < 10; i++)
      weight[j * 10 + i] *= 0.01f;
  }
  Moments *moments[2];
  for (guint bf16 = 0; bf16 < 2; bf16++) {
    const ProbeOptions options = { .max_images = 1000, .least_patches = 0.5, .bf16 = bf16 };
    probe_free(&s.probe);
    s.probe = probe_new(s.network, s.team, &options, give_images, &s, NULL);
    moments[bf16] = probe_measure(s.probe, MLP_OF(0));
  }
  for (guint j = 0; j < 48; j++) {
    const double expected = moments[0]->square[j * 49];
    ck_assert_double_lt(expected, 1e-3 * moments[0]->weight * 9);
    ck_assert_double_eq_tol(moments[1]->square[j * 49], expected, BF16_VARIANCE * expected);
  }
  moments_free(&moments[0]);
  moments_free(&moments[1]);
  setup_clear(&s);
}
END_TEST

START_TEST(test_activations_that_are_not_finite_are_an_error)
{
  Setup s;
  GError *error = NULL;
  const ProbeOptions options = { .max_images = 8, .least_patches = 0.5 };
  setup_init(&s, FALSE, FALSE, 1);
  network_at(s.network, s.network->blocks[1].fc1_bias)[3] = NAN;
  s.probe = probe_new(s.network, s.team, &options, give_images, &s, &error);
  ck_assert_ptr_null(s.probe);
  ck_assert(g_error_matches(error, VITGATE_ERROR, VITGATE_ERROR_ARGUMENT));
  ck_assert_ptr_nonnull(strstr(error->message, "not finite"));
  g_clear_error(&error);
  setup_clear(&s);
}
END_TEST

int main(void)
{
  TCase *tcase = tcase_create("networks");
  tcase_set_timeout(tcase, 60);
  tcase_add_test(tcase, test_order_keeps_the_function);
  tcase_add_loop_test(tcase, test_a_cut_network_equals_the_masked_one, 0, G_N_ELEMENTS(cut_shapes));
  tcase_add_test(tcase, test_keeping_all_changes_nothing);
  tcase_add_test(tcase, test_compensation_comes_closer_than_a_plain_cut);
  tcase_add_test(tcase, test_threads_do_not_change_the_result);
  tcase_add_test(tcase, test_errors_grow_as_units_are_removed);
  tcase_add_test(tcase, test_gates_are_removed_with_their_module);
  tcase_add_test(tcase, test_search_masks_fold_into_the_weights);
  tcase_add_test(tcase, test_no_image_is_an_error);
  tcase_add_test(tcase, test_one_image_is_enough);
  tcase_add_test(tcase, test_bf16_variances_survive_large_means);
  tcase_add_test(tcase, test_activations_that_are_not_finite_are_an_error);
  return fixtures_run(tcase, "cut");
}
