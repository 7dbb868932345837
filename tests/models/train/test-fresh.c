/* Fresh networks: the published shapes and their random weights. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "base/command-error.h"
#include "fixtures.h"
#include "train/network/fresh.h"
#include "train/network/published.h"

/* The spread of n values deviates by a share of 1 / sqrt(2 n), and their mean by 1 / sqrt(n). Five
 * times that never happens. */
#define DEVIATIONS 5

/* Sums of 64 products of floats of about 1. */
#define ORTHOGONAL_TOLERANCE 1e-4

/* As published, for 1000 classes. */
static const struct {
  const char *name;
  guint64 parameters;
  double gmacs;
} known[] = {
  { "deit_tiny_patch16_224", 5717416, 1.254 },
  { "deit_small_patch16_224", 22050664, 4.599 },
  { "deit_base_patch16_224", 86567656, 17.564 },
  { "deit_tiny_distilled_patch16_224", 5910800, 1.261 },
  { "deit_small_distilled_patch16_224", 22436432, 4.624 },
  { "deit_base_distilled_patch16_224", 87338192, 17.657 },
  { "t2t_vit_7", 4310222, 1.147 },
  { "t2t_vit_10", 5889230, 1.516 },
  { "t2t_vit_12", 6941902, 1.763 },
  { "t2t_vit_14", 21545550, 4.783 },
  { "t2t_vit_19", 39177422, 8.480 },
  { "t2t_vit_24", 64105934, 13.662 },
  { "t2t_vit_t_14", 21541070, 6.089 },
};

START_TEST(test_variants_match_the_published_ones)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Description) d = published_describe(known[_i].name, 0, 1000, NULL, NULL, &error);
  ck_assert_msg(d != NULL, "%s", error ? error->message : "");
  ck_assert_str_eq(d->name, known[_i].name);
  ck_assert_uint_eq(d->dense_parameters, known[_i].parameters);
  ck_assert_double_eq_tol(d->dense_gmacs, known[_i].gmacs, 0.00051);
}
END_TEST

START_TEST(test_other_variants_and_sizes_are_refused)
{
  g_autoptr(GError) error = NULL;
  ck_assert_ptr_null(published_describe("resnet50", 0, 10, NULL, NULL, &error));
  ck_assert(g_error_matches(error, COMMAND_ERROR, COMMAND_ERROR_USAGE));
  for (guint i = 0; i < G_N_ELEMENTS(known); i++)
    ck_assert_msg(strstr(error->message, known[i].name) != NULL, "%s", error->message);
  const guint sizes[] = { 8, 225, 8192 };
  for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
    g_clear_error(&error);
    ck_assert_ptr_null(published_describe("t2t_vit_7", sizes[i], 10, NULL, NULL, &error));
    ck_assert(g_error_matches(error, COMMAND_ERROR, COMMAND_ERROR_USAGE));
  }
}
END_TEST

/* ---- Weights ---- */

static Description *description;
static Network *network;

static void begin(const char *variant)
{
  description = published_describe(variant, 64, 20, NULL, NULL, NULL);
  network = network_new(description, FALSE);
  network_start_fresh(network, "", 7);
}

static void end(void)
{
  network_free(&network);
  vitgate__description_free(&description);
}

static const real *find(const char *name, const Parameter **p)
{
  *p = network_find(network, name);
  ck_assert_msg(*p != NULL, "%s", name);
  return network->values + (*p)->offset;
}

static void check_spread(const char *name, double spread)
{
  const Parameter *p;
  const real *values = find(name, &p);
  double sum = 0, square = 0;
  for (gsize i = 0; i < p->n; i++) {
    sum += values[i];
    square += (double)values[i] * values[i];
  }
  const double n = (double)p->n;
  ck_assert_double_lt(fabs(sum / n), DEVIATIONS * spread / sqrt(n));
  ck_assert_double_eq_tol(sqrt(square / n), spread, DEVIATIONS * spread / sqrt(2 * n));
}

static void check_all(const char *name, double expected)
{
  const Parameter *p;
  const real *values = find(name, &p);
  gsize others = 0;
  for (gsize i = 0; i < p->n; i++)
    others += (double)values[i] != expected;
  ck_assert_msg(!others, "%s: %zu values are not %g", name, others, expected);
}

START_TEST(test_matrices_and_tokens_have_a_spread_of_one_fiftieth)
{
  begin("t2t_vit_7");
  check_spread("tokens_to_token.attention1.kqv.weight", 0.02);
  check_spread("tokens_to_token.project.weight", 0.02);
  check_spread("cls_token", 0.02);
  check_spread("blocks.0.attn.qkv.weight", 0.02);
  check_spread("blocks.6.mlp.fc2.weight", 0.02);
  check_spread("head.weight", 0.02);
  end();
}
END_TEST

START_TEST(test_biases_are_zero_and_norms_the_identity)
{
  begin(_i ? "t2t_vit_7" : "deit_tiny_patch16_224");
  for (guint i = 0; i < network->parameters->len; i++) {
    const Parameter *p = &g_array_index(network->parameters, Parameter, i);
    if (g_str_has_suffix(p->name, ".bias") && !g_str_has_prefix(p->name, "patch_embed."))
      check_all(p->name, 0);
    else if (strstr(p->name, "norm"))
      check_all(p->name, 1);
  }
  end();
}
END_TEST

START_TEST(test_directions_of_a_performer_are_orthogonal)
{
  begin("t2t_vit_7");
  const Parameter *p;
  const real *w = find("tokens_to_token.attention2.w", &p);
  const guint64 rows = p->shape[0], columns = p->shape[1];
  ck_assert_uint_eq(rows, 32);
  ck_assert_uint_eq(columns, 64);
  double worst = 0;
  for (guint a = 0; a < rows; a++)
    for (guint b = 0; b <= a; b++) {
      double product = 0;
      for (guint j = 0; j < columns; j++)
        product += (double)w[a * columns + j] * w[b * columns + j];
      worst = MAX(worst, fabs(product - (a == b ? (double)rows : 0)));
    }
  ck_assert_double_le(worst, ORTHOGONAL_TOLERANCE);
  end();
}
END_TEST

START_TEST(test_positions_of_a_t2t_are_sines_and_cosines)
{
  begin("t2t_vit_7");
  const Parameter *p;
  const real *positions = find("pos_embed", &p);
  const guint dim = description->dim;
  ck_assert_uint_eq(p->shape[1], 17);
  guint others = 0;
  for (guint j = 0; j < dim; j++)
    others += (double)positions[j] != j % 2;
  ck_assert_uint_eq(others, 0);
  ck_assert_double_eq_tol(positions[3 * dim], sin(3), 1e-6);
  ck_assert_double_eq_tol(positions[3 * dim + 1], cos(3), 1e-6);
  ck_assert_double_eq_tol(positions[3 * dim + 128], sin(3 / 100.0), 1e-6);
  ck_assert_double_eq_tol(positions[3 * dim + 129], cos(3 / 100.0), 1e-6);
  end();
}
END_TEST

START_TEST(test_a_deit_has_random_positions_and_patches)
{
  begin("deit_tiny_distilled_patch16_224");
  check_spread("pos_embed", 0.02);
  check_spread("dist_token", 0.02);
  check_spread("head_dist.weight", 0.02);
  check_spread("patch_embed.proj.weight", 1 / sqrt(3.0 * 3 * 16 * 16));
  end();
}
END_TEST

START_TEST(test_weights_depend_on_the_seed)
{
  begin("t2t_vit_7");
  Network *other = network_new(description, FALSE);
  network_start_fresh(other, "", 7);
  ck_assert_mem_eq(other->values, network->values, network->n_values * sizeof(real));
  network_start_fresh(other, "", 8);
  ck_assert_mem_ne(other->values, network->values, network->n_values * sizeof(real));
  network_free(&other);
  end();
}
END_TEST

int main(void)
{
  TCase *tcase = tcase_create("fresh");
  tcase_set_timeout(tcase, 60);
  tcase_add_loop_test(tcase, test_variants_match_the_published_ones, 0, G_N_ELEMENTS(known));
  tcase_add_test(tcase, test_other_variants_and_sizes_are_refused);
  tcase_add_test(tcase, test_matrices_and_tokens_have_a_spread_of_one_fiftieth);
  tcase_add_loop_test(tcase, test_biases_are_zero_and_norms_the_identity, 0, 2);
  tcase_add_test(tcase, test_directions_of_a_performer_are_orthogonal);
  tcase_add_test(tcase, test_positions_of_a_t2t_are_sines_and_cosines);
  tcase_add_test(tcase, test_a_deit_has_random_positions_and_patches);
  tcase_add_test(tcase, test_weights_depend_on_the_seed);
  return fixtures_run(tcase, "fresh");
}
