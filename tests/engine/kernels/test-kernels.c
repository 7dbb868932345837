/* Compares the float32 kernels that work on rows, for every instruction set of this machine, with
 * plain C in double precision, at odd lengths, on guarded arrays. Also tests which set is used. */
#include <float.h>
#include <math.h>

#include "float-values.h"

/* Maximum errors of exp and Phi before roundings. kernels.h documents 2e-7 and 2.5e-7. */
#define EXP_TOLERANCE 2e-7
#define PHI_TOLERANCE 2e-7

/* A few roundings of values below 10, which are summed, squared and divided by their deviation. */
#define LAYER_NORM_TOLERANCE 1e-5

/* The smallest result of exp in the kernels, instead of 0: polynomials.h clamps at exp(-87). */
#define EXP_SMALLEST 1.7e-38

/* Lengths that reach each path of loops over 4, 8 and 16 lanes, and those of real networks. */
static const guint lengths[] = { 1,  2,  3,  4,  5,  7,  8,  9,  15, 16,  17,  19,  23,
                                 24, 31, 32, 33, 37, 47, 48, 63, 65, 100, 192, 197, 768 };

#define LONGEST 1000

static Guarded *outs, *as, *bs, *biases;

static Guarded **const arrays[] = { &outs, &as, &bs, &biases };

static void set_up(void)
{
  for (guint i = 0; i < G_N_ELEMENTS(arrays); i++)
    *arrays[i] = guarded_new(1 << 16);
}

static void tear_down(void)
{
  for (guint i = 0; i < G_N_ELEMENTS(arrays); i++)
    guarded_free(*arrays[i]);
}

/* ---- LayerNorm ---- */

static void check_layer_norm(const Kernels *kernels, guint m, guint n, float eps, float center,
                             GuardedPlace where, guint32 *random)
{
  static float scale[LONGEST], alone[LONGEST];
  const gsize size = (gsize)m * n;
  float *x = place(as, size, where), *out = place(outs, size, where),
        *shift = place(biases, n, where), *scales = place(bs, n, where);
  fixture_fill(x, size, center - 3, center + 3, random);
  fixture_fill(scale, n, -2, 2, random);
  fixture_fill(shift, n, -1, 1, random);
  memcpy(scales, scale, n * sizeof *scale);
  kernels->layer_norm(out, x, scales, shift, eps, m, n);
  for (guint row = 0; row < m; row++, x += n, out += n) {
    double mean = 0, variance = 0;
    for (guint i = 0; i < n; i++)
      mean += x[i] / (double)n;
    for (guint i = 0; i < n; i++)
      variance += (x[i] - mean) * (x[i] - mean) / n;
    for (guint i = 0; i < n; i++) {
      double expected = (x[i] - mean) / sqrt(variance + eps) * scale[i] + shift[i];
      assert_each(fabs(out[i] - expected) <= LAYER_NORM_TOLERANCE,
                  "%s: LayerNorm of %ux%u, row %u, element %u: %.9g, expected %.9g", kernels->name,
                  m, n, row, i, out[i], expected);
    }
    /* Gates and merging change which rows are computed together. */
    kernels->layer_norm(alone, x, scales, shift, eps, 1, n);
    assert_each(!memcmp(alone, out, n * sizeof *out), "%s: LayerNorm of row %u of %ux%u alone",
                kernels->name, row, m, n);
  }
  assert_each(guarded_intact(outs), "%s: LayerNorm writes outside the rows", kernels->name);
}

START_TEST(layer_norm_centers_and_scales_each_row)
{
  static const guint rows[] = { 1, 3, 8, 14 };
  guint32 random = 3;
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < G_N_ELEMENTS(lengths); i++)
    for (guint m = 0; m < G_N_ELEMENTS(rows); m++)
      for (guint where = GUARDED_END; where <= GUARDED_START; where++) {
        /* An eps of 1 is not negligible, so it shows whether the kernel uses the given eps. A small
         * one is tested only on longer rows: short rows may have almost no variance, and it would
         * magnify the roundings. */
        check_layer_norm(kernels, rows[m], lengths[i], 1.0f, 0, where, &random);
        if (lengths[i] > 8)
          check_layer_norm(kernels, rows[m], lengths[i], 1e-6f, 4, where, &random);
      }
}
END_TEST

START_TEST(layer_norm_of_equal_values_is_the_shift)
{
  float x[LONGEST], scale[LONGEST], shift[LONGEST], out[LONGEST];
  guint32 random = 4;
  fixture_fill(scale, LONGEST, -2, 2, &random);
  fixture_fill(shift, LONGEST, -1, 1, &random);
  for (guint i = 0; i < LONGEST; i++)
    x[i] = 0.5f; /* sums of it are exact */
  FOR_ALL_KERNELS(kernels)
  for (guint n = 1; n <= LONGEST; n++) {
    kernels->layer_norm(out, x, scale, shift, 1e-12f, 1, n);
    assert_each(!memcmp(out, shift, n * sizeof *out), "%s: %u equal values", kernels->name, n);
  }
}
END_TEST

/* ---- GELU ---- */

static double phi(double x)
{
  return 0.5 * erfc(-x * M_SQRT1_2);
}

static void check_gelu(const Kernels *kernels, float x, float found)
{
  const double expected = x * phi(x);
  /* The error of Phi, its rounding and that of the product. */
  assert_each(fabs(found - expected) <=
                  fabs((double)x) * PHI_TOLERANCE + 2 * ROUNDING * fabs(expected) + FLT_TRUE_MIN,
              "%s: gelu(%.9g) = %.9g, expected %.9g", kernels->name, x, found, expected);
}

START_TEST(gelu_is_accurate_everywhere)
{
  enum { N = 1 << 12, STEPS = 64 };
  float *x = place(as, N, GUARDED_END), values[N];
  FOR_ALL_KERNELS(kernels)
  for (guint step = 0; step < STEPS; step++) {
    for (guint i = 0; i < N; i++)
      values[i] = ((float)(step * N + i) / (STEPS * N) - 0.5f) * 16.0f;
    memcpy(x, values, sizeof values);
    kernels->gelu(x, N);
    for (guint i = 0; i < N; i++)
      check_gelu(kernels, values[i], x[i]);
  }
}
END_TEST

START_TEST(gelu_of_extreme_values_is_finite)
{
  static const float extremes[] = { 0.0f,  -0.0f,  FLT_TRUE_MIN, -FLT_MIN, 1e-20f, -1e-20f, 5.4999f,
                                    -5.5f, 5.5f,   -5.5001f,     88.0f,    -88.0f, 1e6f,    -1e6f,
                                    1e30f, -1e30f, FLT_MAX,      -FLT_MAX, 3.0f };
  float x[G_N_ELEMENTS(extremes)];
  FOR_ALL_KERNELS(kernels)
  {
    memcpy(x, extremes, sizeof x);
    kernels->gelu(x, G_N_ELEMENTS(x));
    for (guint i = 0; i < G_N_ELEMENTS(x); i++)
      check_gelu(kernels, extremes[i], x[i]);
  }
}
END_TEST

START_TEST(gelu_takes_rows_of_any_length)
{
  guint32 random = 5;
  float before[LONGEST];
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < G_N_ELEMENTS(lengths); i++)
    for (guint where = GUARDED_END; where <= GUARDED_START; where++) {
      const guint n = lengths[i];
      float *x = place(outs, n, where);
      fixture_fill(x, n, -6, 6, &random);
      memcpy(before, x, n * sizeof *x);
      kernels->gelu(x, n);
      for (guint j = 0; j < n; j++)
        check_gelu(kernels, before[j], x[j]);
      assert_each(guarded_intact(outs), "%s: gelu writes outside the row", kernels->name);
    }
}
END_TEST

/* ---- Softmax ---- */

/* The kernel applies the factor to the distance from the largest value and rounds both. So does
 * this function, so that only exp and the sum are compared.
 * @before: the row that became @found */
static void check_softmax(const Kernels *kernels, const float *found, const float *before,
                          float factor, guint n)
{
  float largest = before[0];
  double sum = 0;
  for (guint i = 1; i < n; i++)
    largest = MAX(largest, before[i]);
  for (guint i = 0; i < n; i++)
    sum += exp((before[i] - largest) * factor);
  /* Errors of exp in the numerator and the denominator, and roundings of the additions, the inverse
   * and the product with it. */
  const double tolerance = 2 * EXP_TOLERANCE + (n + 3) * ROUNDING;
  for (guint i = 0; i < n; i++) {
    double expected = exp((before[i] - largest) * factor) / sum;
    assert_each(fabs(found[i] - expected) <= tolerance * expected + EXP_SMALLEST,
                "%s: softmax of %u, element %u: %.9g, expected %.9g", kernels->name, n, i, found[i],
                expected);
  }
}

START_TEST(softmax_takes_rows_of_any_length)
{
  static const float factors[] = { 1.0f, 0.125f, 0.25f, 0.288675135f };
  guint32 random = 6;
  float before[LONGEST];
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < G_N_ELEMENTS(lengths); i++)
    for (guint f = 0; f < G_N_ELEMENTS(factors); f++) {
      const guint n = lengths[i];
      float *x = place(outs, n, (i + f) % 2 ? GUARDED_START : GUARDED_END);
      fixture_fill(x, n, -20, 20, &random);
      memcpy(before, x, n * sizeof *x);
      kernels->softmax(x, factors[f], n);
      check_softmax(kernels, x, before, factors[f], n);
      assert_each(guarded_intact(outs), "%s: softmax writes outside the row", kernels->name);
    }
}
END_TEST

START_TEST(exp_is_within_its_documented_error)
{
  enum { N = 87 << 11 };
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i <= N; i++) {
    const float t = (float)i / (1 << 11);
    float x[2] = { 0, -t };
    kernels->softmax(x, 1.0f, 2);
    /* Both values were multiplied by the same inverse and rounded. */
    double ratio = (double)x[1] / x[0], expected = exp(-(double)t);
    assert_each(fabs(ratio - expected) <= (EXP_TOLERANCE + 2 * ROUNDING) * expected,
                "%s: exp(-%.9g) = %.9g, expected %.9g", kernels->name, t, ratio, expected);
  }
}
END_TEST

START_TEST(softmax_of_one_value_is_one)
{
  static const float values[] = { 0, 1, -1, 1e30f, -1e30f, FLT_MAX, -FLT_MAX };
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
    float x = values[i];
    kernels->softmax(&x, 0.125f, 1);
    assert_each(x == 1.0f, "%s: softmax of %g alone is %.9g", kernels->name, values[i], x);
  }
}
END_TEST

START_TEST(softmax_of_equal_values_is_even)
{
  static const float values[] = { 0, -5, 1e30f, -FLT_MAX };
  float x[LONGEST], before[LONGEST];
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < G_N_ELEMENTS(values); i++)
    for (guint n = 1; n <= 70; n++) {
      for (guint j = 0; j < n; j++)
        x[j] = before[j] = values[i];
      kernels->softmax(x, 1.0f, n);
      check_softmax(kernels, x, before, 1.0f, n);
      for (guint j = 1; j < n; j++)
        assert_each(x[j] == x[0], "%s: equal values differ at %u of %u", kernels->name, j, n);
    }
}
END_TEST

START_TEST(softmax_of_distant_values_picks_the_largest)
{
  FOR_ALL_KERNELS(kernels)
  for (guint n = 2; n <= 70; n++)
    for (guint largest = 0; largest < n; largest++) {
      float x[70];
      for (guint i = 0; i < n; i++)
        x[i] = i == largest ? FLT_MAX : i % 2 ? -FLT_MAX : -1e30f;
      kernels->softmax(x, 0.125f, n);
      for (guint i = 0; i < n; i++)
        assert_each(i == largest ? x[i] == 1.0f : x[i] >= 0 && x[i] <= EXP_SMALLEST,
                    "%s: element %u of %u is %g, the largest is %u", kernels->name, i, n, x[i],
                    largest);
    }
}
END_TEST

/* ---- Random features ---- */

/* Returns: the relative tolerance: roundings of the sum of squares and of the argument, which exp
 * magnifies */
static double feature_tolerance(double x, double square, guint n)
{
  return EXP_TOLERANCE + (fabs(x) + (n + 2) * square) * ROUNDING + 3 * ROUNDING;
}

/* @dim: values in a row of v; @gap: floats between its rows */
static void check_features(const Kernels *kernels, guint m, guint n, guint dim, guint gap,
                           GuardedPlace where, guint32 *random)
{
  const gsize stride = dim + gap, size = (gsize)m * n, v_size = (m - 1) * stride + dim;
  g_autofree float *before = g_new(float, size);
  float *x = place(outs, size, where), *v = place(as, v_size, where);
  fixture_fill(x, size, -10, 10, random);
  fixture_fill(v, v_size, -1, 1, random);
  memcpy(before, x, size * sizeof *x);
  kernels->positive_features(x, v, stride, 0.25f, m, n, dim);
  for (guint row = 0; row < m; row++, v += stride) {
    double square = 0;
    for (guint j = 0; j < dim; j++)
      square += 0.5 * v[j] * v[j];
    for (guint j = row * n; j < (row + 1) * n; j++) {
      const double expected = 0.25 * exp(before[j] - square);
      assert_each(fabs(x[j] - expected) <= feature_tolerance(before[j], square, dim) * expected,
                  "%s: row %u, feature %u of %u: %.9g, expected %.9g", kernels->name, row,
                  j - row * n, n, x[j], expected);
    }
  }
  assert_each(guarded_intact(outs), "%s: features are written outside the rows", kernels->name);
}

START_TEST(features_are_exponentials)
{
  static const guint rows[] = { 1, 8, 11 };
  guint32 random = 12;
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < G_N_ELEMENTS(lengths); i++)
    for (guint m = 0; m < G_N_ELEMENTS(rows); m++)
      for (guint dim = 1; dim <= 70; dim += 23)
        check_features(kernels, rows[m], lengths[i], dim, i % 3,
                       (i + dim) % 2 ? GUARDED_START : GUARDED_END, &random);
}
END_TEST

START_TEST(features_stay_finite)
{
  float v[2] = { 0, 0 };
  FOR_ALL_KERNELS(kernels)
  for (guint n = 1; n <= 40; n++) {
    float x[40];
    for (guint j = 0; j < n; j++)
      x[j] = j % 2 ? 1e30f : -1e30f;
    kernels->positive_features(x, v, 2, 0.5f, 1, n, 2);
    for (guint j = 0; j < n; j++)
      assert_each(isfinite(x[j]) && x[j] >= 0, "%s: feature %u of %u is %g", kernels->name, j, n,
                  x[j]);
  }
}
END_TEST

/* ---- Largest values ---- */

START_TEST(the_first_of_the_largest_is_found)
{
  guint32 random = 9;
  FOR_ALL_KERNELS(kernels)
  for (guint n = 1; n <= 100; n++)
    for (guint place = 0; place < n; place++) {
      float *x = guarded_place(as, n * sizeof *x, n % 2 ? GUARDED_END : GUARDED_START);
      fixture_fill(x, n, -3, -1, &random);
      x[place] = -1;
      x[n - 1] = -1; /* equally large */
      const guint found = kernels->find_largest(x, n);
      assert_each(found == place, "%s: the largest of %u is at %u, found at %u", kernels->name, n,
                  place, found);
      for (guint i = 0; i < n; i += 1 + place % 3)
        x[i] = NAN;
      ck_assert_uint_lt(kernels->find_largest(x, n), n);
    }
}
END_TEST

/* ---- Sums of unit length ---- */

/* A few roundings of additions and a square root, relative to a length of 1. */
#define UNIT_TOLERANCE 1e-6

static void check_unit_sum(const Kernels *kernels, const float *x, guint parts, guint n,
                           GuardedPlace where)
{
  float *source = place(as, (gsize)parts * n, where), *out = place(outs, n, where);
  double sums[LONGEST], square = 0;
  memcpy(source, x, (gsize)parts * n * sizeof *x);
  kernels->unit_sum(out, source, parts, n);
  for (guint i = 0; i < n; i++) {
    sums[i] = 0;
    for (guint p = 0; p < parts; p++)
      sums[i] += (double)x[(gsize)p * n + i];
    square += sums[i] * sums[i];
  }
  for (guint i = 0; i < n; i++) {
    const double expected = square < 1e-12 ? 0 : sums[i] / sqrt(square);
    assert_each(fabs(out[i] - expected) <= UNIT_TOLERANCE, "%s: %u of %u: %.9g, expected %.9g",
                kernels->name, i, n, out[i], expected);
  }
  assert_each(guarded_intact(outs), "%s: writes outside the sum", kernels->name);
}

START_TEST(sums_have_unit_length)
{
  static float x[4 * 200];
  guint32 random = 10;
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < G_N_ELEMENTS(lengths) && lengths[i] <= 200; i++)
    for (guint parts = 1; parts <= 4; parts++) {
      fixture_fill(x, parts * lengths[i], -2, 2, &random);
      check_unit_sum(kernels, x, parts, lengths[i], parts % 2 ? GUARDED_END : GUARDED_START);
      memset(x, 0, sizeof x);
      check_unit_sum(kernels, x, parts, lengths[i], GUARDED_END);
    }
}
END_TEST

/* ---- Sums of rows, and products with a vector ---- */

/* Some roundings, relative to the sum of the magnitudes of the terms. */
#define SUM_TOLERANCE 1e-6

static void check_add_rows(const Kernels *kernels, guint m, guint n, guint gap, gboolean weighted,
                           GuardedPlace where, guint32 *random)
{
  const gsize stride = n + gap, size = m ? (m - 1) * stride + n : 0;
  float *x = place(as, size, where), *weights = place(bs, m, where), *out = place(outs, n, where);
  fixture_fill(x, size, -2, 2, random);
  fixture_fill(weights, m, -3, 3, random);
  kernels->add_rows(out, x, stride, weighted ? weights : NULL, m, n);
  for (guint i = 0; i < n; i++) {
    double expected = 0, scale = 0;
    for (guint row = 0; row < m; row++) {
      const double term = (weighted ? weights[row] : 1.0) * x[row * stride + i];
      expected += term;
      scale += fabs(term);
    }
    assert_each(fabs(out[i] - expected) <= SUM_TOLERANCE * scale,
                "%s: sum %u of %u rows of %u: %.9g, expected %.9g", kernels->name, i, m, n, out[i],
                expected);
  }
  assert_each(guarded_intact(outs), "%s: writes outside the sum", kernels->name);
}

START_TEST(rows_are_added_with_their_weights)
{
  static const guint rows[] = { 0, 1, 2, 16, 17 };
  guint32 random = 13;
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < G_N_ELEMENTS(lengths); i++)
    for (guint m = 0; m < G_N_ELEMENTS(rows); m++)
      for (guint where = GUARDED_END; where <= GUARDED_START; where++)
        check_add_rows(kernels, rows[m], lengths[i], 5 * (i % 2), (i + m) % 3 > 0, where, &random);
}
END_TEST

static void check_multiply_vector(const Kernels *kernels, guint m, guint n, GuardedPlace where,
                                  guint32 *random)
{
  float *a = place(as, (gsize)m * n, where), *x = place(bs, n, where),
        *bias = place(biases, m, where), *out = place(outs, m, where);
  fixture_fill(a, (gsize)m * n, -2, 2, random);
  fixture_fill(x, n, -2, 2, random);
  fixture_fill(bias, m, -2, 2, random);
  kernels->multiply_vector(out, a, x, bias, m, n);
  for (guint row = 0; row < m; row++) {
    double expected = bias[row], scale = fabs((double)bias[row]);
    for (guint i = 0; i < n; i++) {
      expected += (double)a[(gsize)row * n + i] * x[i];
      scale += fabs((double)a[(gsize)row * n + i] * x[i]);
    }
    assert_each(fabs(out[row] - expected) <= SUM_TOLERANCE * scale,
                "%s: row %u of %ux%u: %.9g, expected %.9g", kernels->name, row, m, n, out[row],
                expected);
  }
  assert_each(guarded_intact(outs), "%s: writes outside the product", kernels->name);
}

START_TEST(a_matrix_is_multiplied_with_a_vector)
{
  static const guint rows[] = { 1, 3, 16 };
  guint32 random = 14;
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < G_N_ELEMENTS(lengths); i++)
    for (guint m = 0; m < G_N_ELEMENTS(rows); m++)
      for (guint where = GUARDED_END; where <= GUARDED_START; where++)
        check_multiply_vector(kernels, rows[m], lengths[i], where, &random);
}
END_TEST

/* ---- Choice of the table ---- */

static guint count_tables(void)
{
  guint n = 0;
  FOR_ALL_KERNELS(kernels)
  n++;
  return n;
}

START_TEST(the_best_table_is_used)
{
  ck_assert_ptr_eq(vitgate__kernels(), vitgate__kernels_all()[0]);
  ck_assert_ptr_eq(vitgate__kernels(), vitgate__kernels());
  ck_assert_str_eq(vitgate__kernels_all()[count_tables() - 1]->name, "portable");
}
END_TEST

START_TEST(a_mask_hides_instruction_sets)
{
  /* Nothing in this process has asked for the instruction sets yet. */
  g_setenv("VITGATE_CPU_MASK", "avx512,avx2,sse4.1", TRUE);
  ck_assert_uint_eq(count_tables(), 1);
  ck_assert_str_eq(vitgate__kernels()->name, "portable");
}
END_TEST

int main(void)
{
  TCase *kernels = tcase_create("kernels"), *tables = tcase_create("tables");
  tcase_add_checked_fixture(kernels, set_up, tear_down);
  tcase_add_test(kernels, layer_norm_centers_and_scales_each_row);
  tcase_add_test(kernels, layer_norm_of_equal_values_is_the_shift);
  tcase_add_test(kernels, gelu_is_accurate_everywhere);
  tcase_add_test(kernels, gelu_of_extreme_values_is_finite);
  tcase_add_test(kernels, gelu_takes_rows_of_any_length);
  tcase_add_test(kernels, softmax_takes_rows_of_any_length);
  tcase_add_test(kernels, exp_is_within_its_documented_error);
  tcase_add_test(kernels, softmax_of_one_value_is_one);
  tcase_add_test(kernels, softmax_of_equal_values_is_even);
  tcase_add_test(kernels, softmax_of_distant_values_picks_the_largest);
  tcase_add_test(kernels, features_are_exponentials);
  tcase_add_test(kernels, features_stay_finite);
  tcase_add_test(kernels, the_first_of_the_largest_is_found);
  tcase_add_test(kernels, sums_have_unit_length);
  tcase_add_test(kernels, rows_are_added_with_their_weights);
  tcase_add_test(kernels, a_matrix_is_multiplied_with_a_vector);
  tcase_add_test(tables, the_best_table_is_used);
  tcase_add_test(tables, a_mask_hides_instruction_sets);
  return fixture_run("kernels", kernels, tables, NULL);
}
