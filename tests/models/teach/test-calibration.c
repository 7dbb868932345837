/* Tests calibration, thresholds, and the distance from the classes. */
#include "teach/calibration.h"

#include <math.h>

#include "fixture.h"
#include "teach/own-distance.h"

#define ROWS     61
#define FEATURES 7
#define CLASSES  3

/* Returns: (transfer full): rows of 0 and 1 */
static guint8 **read_shown(const Safetensors *golden, const char *kind)
{
  g_autofree char *name = g_strconcat(kind, ".shown", NULL);
  const float *values = vitgate__safetensors_find(golden, name)->data;
  guint8 **rows = g_new(guint8 *, ROWS);
  for (guint i = 0; i < ROWS; i++) {
    rows[i] = g_new(guint8, CLASSES);
    for (guint c = 0; c < CLASSES; c++)
      rows[i][c] = values[i * CLASSES + c] > 0;
  }
  return rows;
}

static void free_rows(guint8 **rows, guint n)
{
  for (guint i = 0; i < n; i++)
    g_free(rows[i]);
  g_free(rows);
}

START_TEST(factors_agree_with_scipy)
{
  static const char *const kinds[] = { "softmax", "sigmoid" };
  g_autoptr(Safetensors) golden = fixture_open_golden("golden", "teach");
  for (guint k = 0; k < 2; k++) {
    g_autofree char *logits = g_strconcat(kinds[k], ".logits", NULL);
    g_autofree char *factor = g_strconcat(kinds[k], ".factor", NULL);
    guint8 **shown = read_shown(golden, kinds[k]);
    const Predictions predictions = { ROWS, CLASSES,
                                      vitgate__safetensors_find(golden, logits)->data, shown,
                                      k == 1 };
    double loss;
    ck_assert_double_eq_tol(calibration_fit(&predictions, &loss),
                            *(const float *)vitgate__safetensors_find(golden, factor)->data, 1e-3);
    free_rows(shown, ROWS);
  }
}
END_TEST

/* Ten pictures: the model is always sure at 0.75, and right in some. */
static Predictions sure_at_three_quarters(float *logits, guint8 (*rows)[2], guint8 **shown,
                                          guint n_right)
{
  for (guint i = 0; i < 10; i++) {
    logits[2 * i] = logf(3);
    logits[2 * i + 1] = 0;
    rows[i][0] = i < n_right;
    rows[i][1] = i >= n_right;
    shown[i] = rows[i];
  }
  return (Predictions){ 10, 2, logits, shown, FALSE };
}

START_TEST(the_calibration_error_is_the_difference_between_claim_and_frequency)
{
  float logits[20];
  guint8 rows[10][2], *shown[10];
  Predictions predictions = sure_at_three_quarters(logits, rows, shown, 5);
  ck_assert_double_eq_tol(calibration_error(&predictions, 1), 0.25, 1e-6);
  predictions = sure_at_three_quarters(logits, rows, shown, 9);
  ck_assert_double_eq_tol(calibration_error(&predictions, 1), 0.15, 1e-6);
}
END_TEST

START_TEST(pictures_that_are_all_right_do_not_make_the_model_sure)
{
  float logits[20];
  guint8 rows[10][2], *shown[10];
  double loss, probabilities[2];
  const Predictions predictions = sure_at_three_quarters(logits, rows, shown, 10);
  const double factor = calibration_fit(&predictions, &loss);
  calibration_probabilities(&predictions, 0, factor, probabilities);
  ck_assert_double_eq_tol(probabilities[0], 1 - 0.5 / 11, 1e-3);
}
END_TEST

START_TEST(a_threshold_is_between_the_pictures_that_it_parts)
{
  float logits[] = { 2, 1, -1, -2 };
  guint8 rows[] = { 1, 1, 0, 0 }, *shown[] = { &rows[0], &rows[1], &rows[2], &rows[3] };
  const Predictions predictions = { 4, 1, logits, shown, TRUE };
  double f1;
  ck_assert_double_eq_tol(calibration_threshold(&predictions, 1, 0, &f1), 0.5, 1e-6);
  ck_assert_double_eq_tol(f1, 1, 1e-9);
  rows[1] = 0;
  ck_assert_double_gt(calibration_threshold(&predictions, 1, 0, &f1), 1 / (1 + exp(-1)));
  ck_assert_double_eq_tol(f1, 1, 1e-9);
}
END_TEST

/* Each row of the golden features as an example. */
static Examples *golden_examples(const Safetensors *golden, guint n)
{
  const float *x = vitgate__safetensors_find(golden, "x")->data;
  const float *shown = vitgate__safetensors_find(golden, "softmax.shown")->data;
  g_autoptr(GPtrArray) labels = g_ptr_array_new();
  for (guint c = 0; c < CLASSES; c++)
    g_ptr_array_add(labels, "class");
  Examples *examples = examples_new(labels, FEATURES, 1);
  for (guint i = 0; i < n; i++) {
    Example *example = examples_add(examples, i + 1, i, NULL);
    memcpy(example->features, x + i * FEATURES, FEATURES * sizeof(float));
    for (guint c = 0; c < CLASSES; c++)
      example->shown[c] = shown[i * CLASSES + c] > 0;
  }
  examples_sort(examples);
  return examples;
}

START_TEST(the_whitening_is_a_root_of_the_inverse_of_the_shrunk_covariance)
{
  g_autoptr(Safetensors) golden = fixture_open_golden("golden", "teach");
  g_autoptr(Examples) examples = golden_examples(golden, ROWS);
  g_autoptr(Cross) cross = cross_run(examples, FALSE, 1);
  double distances[ROWS];
  OwnDistance *distance = own_distance_new(examples, cross, -1, distances);
  const float *expected = vitgate__safetensors_find(golden, "oas.precision")->data;
  const double *w = distance->whitening;
  for (guint i = 0; i < FEATURES; i++)
    for (guint j = 0; j < FEATURES; j++) {
      double sum = 0;
      for (guint k = 0; k < FEATURES; k++)
        sum += w[k * FEATURES + i] * w[k * FEATURES + j];
      ck_assert_double_eq_tol(sum, expected[i * FEATURES + j], 1e-5);
    }
  own_distance_free(&distance);
}
END_TEST

START_TEST(the_limit_allows_for_pictures_to_come)
{
  g_autoptr(Safetensors) golden = fixture_open_golden("golden", "teach");
  g_autoptr(Examples) examples = golden_examples(golden, ROWS);
  g_autoptr(Cross) cross = cross_run(examples, FALSE, 1);
  double distances[ROWS];
  guint n_median = 0, n_limit = 0;
  double mean = 0, squares = 0;
  OwnDistance *distance = own_distance_new(examples, cross, -1, distances);
  for (guint i = 0; i < ROWS; i++) {
    n_median += distances[i] <= distance->median;
    n_limit += distances[i] <= distance->limit;
    mean += log(distances[i]) / ROWS;
  }
  for (guint i = 0; i < ROWS; i++)
    squares += pow(log(distances[i]) - mean, 2);
  ck_assert_uint_eq(n_median, 31);
  ck_assert_uint_ge(n_limit, 58);
  /* The exact factor for 61 values, by the noncentral t distribution; the formula is approximate.
   */
  ck_assert_double_eq_tol((log(distance->limit) - mean) / sqrt(squares / (ROWS - 1)), 1.9306, 0.02);
  own_distance_free(&distance);
}
END_TEST

START_TEST(identical_pictures_have_a_scale)
{
  g_autoptr(Safetensors) golden = fixture_open_golden("golden", "teach");
  g_autoptr(Examples) examples = golden_examples(golden, 8);
  double distances[8];
  for (guint i = 0; i < 8; i++)
    for (guint k = 0; k < FEATURES; k++)
      examples_get(examples, i)->features[k] = 1;
  g_autoptr(Cross) cross = cross_run(examples, FALSE, 1);
  OwnDistance *distance = own_distance_new(examples, cross, -1, distances);
  ck_assert(isfinite(distance->median) && distance->median > 0);
  ck_assert_double_gt(distance->limit, distance->median);
  own_distance_free(&distance);
}
END_TEST

START_TEST(the_auroc_counts_pairs_in_the_right_order)
{
  const double own[] = { 1, 2, 3 }, others[] = { 2, 4 };
  /* 2 is above 1 and equal to 2; 4 is above all: 1.5 + 3 of 6 pairs. */
  ck_assert_double_eq_tol(own_distance_auroc(own, 3, others, 2), 0.75, 1e-9);
}
END_TEST

START_TEST(a_cross_validation_does_not_depend_on_the_number_of_threads)
{
  g_autoptr(Safetensors) golden = fixture_open_golden("golden", "teach");
  g_autoptr(Examples) examples = golden_examples(golden, ROWS);
  g_autoptr(Cross) one = cross_run(examples, FALSE, 1), three = cross_run(examples, FALSE, 3);
  ck_assert_mem_eq(one->logits, three->logits, ROWS * CLASSES * sizeof(float));
  ck_assert_double_eq(one->factor, three->factor);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("calibration");
  tcase_add_test(tests, factors_agree_with_scipy);
  tcase_add_test(tests, the_calibration_error_is_the_difference_between_claim_and_frequency);
  tcase_add_test(tests, pictures_that_are_all_right_do_not_make_the_model_sure);
  tcase_add_test(tests, a_threshold_is_between_the_pictures_that_it_parts);
  tcase_add_test(tests, the_whitening_is_a_root_of_the_inverse_of_the_shrunk_covariance);
  tcase_add_test(tests, the_limit_allows_for_pictures_to_come);
  tcase_add_test(tests, identical_pictures_have_a_scale);
  tcase_add_test(tests, the_auroc_counts_pairs_in_the_right_order);
  tcase_add_test(tests, a_cross_validation_does_not_depend_on_the_number_of_threads);
  return fixture_run("calibration", tests, NULL);
}
