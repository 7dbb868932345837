/* Compares fits with those of scipy (tests/reference/make_teach_goldens.py). */
#include "teach/logistic.h"

#include <math.h>

#include "fixture.h"

/* The golden file has float32, and its method stops at a gradient of 1e-9. */
#define TOLERANCE 2e-5

#define ROWS     61
#define FEATURES 7
#define CLASSES  3

typedef struct {
  LogisticData data;
  double *features;
  guint8 *shown;
} Case;

static Case read_case(const Safetensors *golden, const char *kind)
{
  g_autofree char *name = g_strconcat(kind, ".shown", NULL);
  const float *x = vitgate__safetensors_find(golden, "x")->data;
  const float *shown = vitgate__safetensors_find(golden, name)->data;
  Case c = { .features = g_new(double, ROWS *FEATURES), .shown = g_new(guint8, ROWS * CLASSES) };
  for (guint i = 0; i < ROWS * FEATURES; i++)
    c.features[i] = x[i];
  for (guint i = 0; i < ROWS * CLASSES; i++)
    c.shown[i] = shown[i] > 0;
  c.data = (LogisticData){ ROWS, FEATURES, CLASSES, c.features, c.shown, !strcmp(kind, "sigmoid") };
  return c;
}

static void clear_case(Case *c)
{
  g_free(c->features);
  g_free(c->shown);
}

static const char *const kinds[] = { "softmax", "sigmoid" };
static const char *const penalties[] = { "0.3", "0.003" };

START_TEST(fits_agree_with_scipy)
{
  g_autoptr(Safetensors) golden = fixture_open_golden("golden", "teach");
  for (guint k = 0; k < 2; k++) {
    Case c = read_case(golden, kinds[k]);
    for (guint p = 0; p < 2; p++) {
      g_autoptr(Logistic) model = logistic_new(FEATURES, CLASSES);
      g_autofree char *name = g_strdup_printf("%s.%s", kinds[k], penalties[p]);
      const float *expected = vitgate__safetensors_find(golden, name)->data;
      ck_assert(logistic_fit(model, &c.data, g_ascii_strtod(penalties[p], NULL), 1e-9));
      for (guint i = 0; i < FEATURES * CLASSES; i++)
        ck_assert_double_eq_tol(model->weights[i / CLASSES * model->stride + i % CLASSES],
                                expected[i], TOLERANCE);
      /* Only differences between the biases of a softmax matter. */
      const double shift = k ? 0 : model->bias[0] - expected[FEATURES * CLASSES];
      for (guint i = 0; i < CLASSES; i++)
        ck_assert_double_eq_tol(model->bias[i] - shift, expected[FEATURES * CLASSES + i],
                                TOLERANCE);
    }
    clear_case(&c);
  }
}
END_TEST

START_TEST(the_gradient_is_zero_at_the_minimum_and_the_value_is_lower_than_around)
{
  g_autoptr(Safetensors) golden = fixture_open_golden("golden", "teach");
  for (guint k = 0; k < 2; k++) {
    Case c = read_case(golden, kinds[k]);
    g_autoptr(Logistic) model = logistic_new(FEATURES, CLASSES);
    g_autofree double *weights = g_new(double, FEATURES * model->stride);
    g_autofree double *bias = g_new(double, model->stride);
    ck_assert(logistic_fit(model, &c.data, 0.01, 1e-8));
    const double value = logistic_gradient(model, &c.data, 0.01, weights, bias);
    for (guint i = 0; i < FEATURES * model->stride; i++)
      ck_assert_double_eq_tol(weights[i], 0, 1e-8);
    for (guint i = 0; i < model->stride; i++)
      ck_assert_double_eq_tol(bias[i], 0, 1e-8);
    for (guint i = 0; i < FEATURES; i++) {
      model->weights[i * model->stride] += 0.1;
      ck_assert_double_gt(logistic_gradient(model, &c.data, 0.01, weights, bias), value);
      model->weights[i * model->stride] -= 0.1;
    }
    clear_case(&c);
  }
}
END_TEST

START_TEST(rows_that_are_all_the_same_are_no_obstacle)
{
  double features[4 * 2] = { 0 };
  guint8 shown[4 * 2] = { 1, 0, 0, 1, 1, 0, 1, 0 };
  const LogisticData data = { 4, 2, 2, features, shown, FALSE };
  g_autoptr(Logistic) model = logistic_new(2, 2);
  double logits[4];
  ck_assert(logistic_fit(model, &data, 0.1, 1e-8));
  logistic_predict(model, features, 1, logits);
  ck_assert_double_eq_tol(logits[0] - logits[1], log(3), 1e-6);
}
END_TEST

START_TEST(classes_that_are_far_apart_have_finite_weights)
{
  double features[4] = { -1000, -999, 999, 1000 };
  guint8 shown[4 * 2] = { 1, 0, 1, 0, 0, 1, 0, 1 };
  const LogisticData data = { 4, 1, 2, features, shown, FALSE };
  g_autoptr(Logistic) model = logistic_new(1, 2);
  logistic_fit(model, &data, 1e-6, 1e-8);
  ck_assert(isfinite(model->weights[0]) && isfinite(model->bias[0]));
  ck_assert_double_lt(model->weights[0], model->weights[1]);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("logistic");
  tcase_add_test(tests, fits_agree_with_scipy);
  tcase_add_test(tests, the_gradient_is_zero_at_the_minimum_and_the_value_is_lower_than_around);
  tcase_add_test(tests, rows_that_are_all_the_same_are_no_obstacle);
  tcase_add_test(tests, classes_that_are_far_apart_have_finite_weights);
  return fixture_run("logistic", tests, NULL);
}
