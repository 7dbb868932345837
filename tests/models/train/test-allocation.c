/* How many units each module keeps within a budget. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "file/architecture.h"
#include "fixtures.h"
#include "network/families/families.h"
#include "train/cut/allocation.h"

/* DeiT-Tiny's shape, with errors that grow differently in each module. */
typedef struct {
  Description description;
  BlockShape blocks[12];
  Ranking *rankings[24];
} Plan;

static void plan_init(Plan *p)
{
  memset(p, 0, sizeof *p);
  p->description = (Description){ .family = &vitgate__family_vit,
                                  .image_size = 224,
                                  .patch_size = 16,
                                  .dim = 192,
                                  .head_dim = 64,
                                  .depth = 12,
                                  .blocks = p->blocks,
                                  .n_classes = 1000 };
  for (guint b = 0; b < 12; b++)
    p->blocks[b] = (BlockShape){ .heads = 3, .neurons = 768 };
  p->description.dense_gmacs = vitgate__description_published_gmacs(&p->description);
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
  static const double targets[] = { 0.93, 0.9, 0.75, 0.5, 0.3, 0.1 };
  /* Sixteen neurons, relative to DeiT-Tiny. */
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

START_TEST(test_modules_that_do_not_matter_are_removed_first)
{
  Plan p;
  plan_init(&p);
  for (guint k = 0; k <= 768; k++)
    p.rankings[21]->errors[k] = 0;
  for (guint k = 0; k <= 3; k++)
    p.rankings[20]->errors[k] = 0;
  BlockShape shapes[12];
  const Budget budget = { .compute = 0.8 };
  ck_assert(allocate_units(&p.description, p.rankings, &budget, shapes, NULL));
  ck_assert_uint_le(shapes[10].neurons, 16);
  ck_assert_uint_eq(shapes[10].heads, 0);
  plan_clear(&p);
}
END_TEST

START_TEST(test_attention_can_be_kept_whole)
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

START_TEST(test_without_a_budget_all_units_stay)
{
  Plan p;
  plan_init(&p);
  BlockShape shapes[12];
  ck_assert(allocate_units(&p.description, p.rankings, &(Budget){ 0 }, shapes, NULL));
  ck_assert_mem_eq(shapes, p.blocks, sizeof shapes);
  plan_clear(&p);
}
END_TEST

START_TEST(test_error_of_an_unreachable_target_names_the_minimum)
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
  ck_assert_msg(strstr(error->message, "0.421") != NULL, "%s", error->message);
  g_clear_error(&error);
  plan_clear(&p);
}
END_TEST

int main(void)
{
  TCase *tcase = tcase_create("allocation");
  tcase_add_test(tcase, test_targets_are_met_within_one_unit);
  tcase_add_test(tcase, test_both_targets_at_once);
  tcase_add_test(tcase, test_modules_that_do_not_matter_are_removed_first);
  tcase_add_test(tcase, test_attention_can_be_kept_whole);
  tcase_add_test(tcase, test_without_a_budget_all_units_stay);
  tcase_add_test(tcase, test_error_of_an_unreachable_target_names_the_minimum);
  return fixtures_run(tcase, "allocation");
}
