/* Quantisation of activations and weights to 8 bits: compares the kernels of every instruction set
 * of this machine with plain C, at odd sizes, on guarded arrays. */
#include <float.h>
#include <math.h>

#include "guarded.h"
#include "int8-values.h"

#define LARGEST  200
#define MOST_GAP 5

static Guarded *sources, *lefts, *others, *params;

static void set_up(void)
{
  sources = guarded_new(1 << 18);
  lefts = guarded_new(1 << 18);
  others = guarded_new(1 << 12);
  params = guarded_new(1 << 12);
}

static void tear_down(void)
{
  guarded_free(sources);
  guarded_free(lefts);
  guarded_free(others);
  guarded_free(params);
}

/* Quantises a row as int8.h defines it. Every table must give exactly the same. */
static Int8Row quantize_plainly(guint8 *q, const float *x, guint k)
{
  float lowest = 0, highest = 0;
  for (guint i = 0; i < k; i++) {
    lowest = MIN(lowest, x[i]);
    highest = MAX(highest, x[i]);
  }
  const float scale = highest / 255 - lowest / 255, inverse = scale < FLT_MIN ? 0 : 1 / scale;
  const volatile float smallest = lowest * inverse; /* volatile: rounded before it is used */
  const gint32 zero = -(gint32)rintf(smallest);
  for (guint i = 0; i < k; i++) {
    const volatile float scaled = x[i] * inverse;
    q[i] = (guint8)CLAMP((gint32)rintf(scaled) + zero, 0, 255);
  }
  return (Int8Row){ scale < FLT_MIN ? 0 : scale, zero };
}

/* Checks quantize() on x[m][k], placed with @gap floats of NaN between its rows. */
static void check_quantize(const Int8Kernels *kernels, const float *x, guint m, guint k, guint gap,
                           GuardedPlace where)
{
  const gsize stride = k + gap, n = (m - 1) * stride + k, padded = vitgate__int8_padded(kernels, k),
              size = m * vitgate__int8_row_size(kernels, k);
  float *source = guarded_place(sources, n * sizeof *source, where);
  for (gsize i = 0; i < n; i++)
    source[i] = i % stride < k ? x[i / stride * k + i % stride] : NAN;
  gpointer q = guarded_place(lefts, size, where);
  Int8Row *rows = guarded_place(params, m * sizeof *rows, where);
  guint8 *expected = g_newa(guint8, k);
  memset(q, 0xaa, size);
  kernels->quantize(q, rows, source, stride, m, k);
  for (guint i = 0; i < m; i++) {
    const Int8Row row = quantize_plainly(expected, x + (gsize)i * k, k);
    assert_each(rows[i].scale == row.scale && rows[i].zero == row.zero,
                "%s: %ux%u, row %u: scale %.9g, zero %d; expected %.9g, %d", kernels->name, m, k, i,
                rows[i].scale, rows[i].zero, row.scale, row.zero);
    for (gsize j = 0; j < padded; j++) {
      const gint found = value_at(kernels, q, i * padded + j),
                 wanted = j < k ? expected[j] : row.zero;
      assert_each(found == wanted, "%s: %ux%u, row %u, column %u: %d, expected %d", kernels->name,
                  m, k, i, (guint)j, found, wanted);
    }
  }
  assert_each(guarded_intact(lefts) && guarded_intact(params),
              "%s: %ux%u: quantises beside the rows", kernels->name, m, k);
}

START_TEST(rows_of_all_lengths_are_quantised)
{
  static float x[8 * LARGEST];
  guint32 random = 1;
  FOR_ALL_KERNELS(kernels)
  for (guint k = 1; k <= LARGEST; k++)
    for (guint m = 1; m < 8; m += 3) {
      const float middle = fixture_uniform(&random, -3, 3);
      fixture_fill(x, (gsize)m * k, middle - 2, middle + 2, &random);
      check_quantize(kernels, x, m, k, k % (MOST_GAP + 1), k / 2 % 2);
    }
}
END_TEST

START_TEST(ties_are_quantised_to_even)
{
  float x[512];
  FOR_ALL_KERNELS(kernels)
  for (guint offset = 0; offset < 256; offset++) {
    /* From -offset to 255 - offset by halves: the scale is 1. */
    for (guint i = 0; i < G_N_ELEMENTS(x); i++)
      x[i] = MIN((float)i / 2, 255.0f) - (float)offset;
    check_quantize(kernels, x, 1, G_N_ELEMENTS(x), 0, GUARDED_END);
  }
}
END_TEST

START_TEST(extreme_rows_are_quantised)
{
  static const float rows[][4] = {
    { 0, 0, 0, 0 },
    { -0.0f, 0, -0.0f, 0 },
    { FLT_MAX, -FLT_MAX, 1, 0 },
    { FLT_MAX, FLT_MAX, FLT_MAX, FLT_MAX },
    { -FLT_MAX, -FLT_MAX, -1, -FLT_MAX },
    { FLT_TRUE_MIN, -FLT_TRUE_MIN, 0, FLT_MIN },
    { 255 * FLT_MIN, 0, FLT_MIN, 100 * FLT_MIN },
    { 254 * FLT_MIN, 0, FLT_MIN, 100 * FLT_MIN },
    { -255 * FLT_MIN, -FLT_MIN, FLT_TRUE_MIN, 3 * FLT_MIN },
    { 1, 1, 1, 1 },
    { -1, -1, -1, -1 },
    { 1e-30f, -1e30f, 0, 1 },
  };
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
    for (guint k = 1; k <= 4; k++)
      check_quantize(kernels, rows[i], 1, k, 0, GUARDED_END);
}
END_TEST

/* The error is half a step, plus the rounding of scale and quotient. If both ends of the range
 * round outwards, the upper one is clamped. */
START_TEST(quantised_values_are_close)
{
  static float x[768];
  guint8 q[768 * sizeof(gint16)];
  guint32 random = 2;
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < 100; i++) {
    Int8Row row;
    fixture_fill(x, G_N_ELEMENTS(x), fixture_uniform(&random, -4, 0),
                 fixture_uniform(&random, 0, 4), &random);
    kernels->quantize(q, &row, x, G_N_ELEMENTS(x), 1, G_N_ELEMENTS(x));
    for (guint j = 0; j < G_N_ELEMENTS(x); j++) {
      const gint value = value_at(kernels, q, j);
      const float found = row.scale * (float)(value - row.zero);
      assert_each(fabsf(found - x[j]) <= row.scale * (value == 255 ? 1.001f : 0.501f),
                  "%s: %.9g became %.9g by steps of %.9g", kernels->name, x[j], found, row.scale);
    }
  }
}
END_TEST

/* ---- Softmax ---- */

/* Maximum relative error of each term before rounding, as in int8.h. A step is 1/255 of the largest
 * term. */
#define TERM_TOLERANCE 1.2e-4

/* Lanes of the widest vector. Each lane may lose half a step. */
#define MOST_LANES 16

static void check_softened_row(const Int8Kernels *kernels, gconstpointer q, Int8Row row,
                               const float *x, float factor, guint k)
{
  double largest = -INFINITY, sum = 0, all = 0;
  guint steps = 0;
  for (guint j = 0; j < k; j++)
    largest = MAX(largest, (double)factor * x[j]);
  for (guint j = 0; j < k; j++) {
    const double term = 255 * exp((double)factor * x[j] - largest);
    const gint found = value_at(kernels, q, j);
    assert_each(found <= 255 && fabs(found - term) <= 1 + TERM_TOLERANCE * 255,
                "%s: %u scores, %u: %d, term %.4g", kernels->name, k, j, found, term);
    all += term;
    steps += (guint)found;
    sum += term / 255;
  }
  assert_each(fabs(steps - all) <= MOST_LANES / 2 + TERM_TOLERANCE * all,
              "%s: %u scores: %u steps in all, terms %.5g", kernels->name, k, steps, all);
  assert_each(row.zero == 0 && fabs(row.scale * 255 * sum - 1) <= TERM_TOLERANCE,
              "%s: %u scores: scale %.9g, zero %d", kernels->name, k, row.scale, row.zero);
  for (gsize j = k; j < vitgate__int8_padded(kernels, k); j++)
    assert_each(value_at(kernels, q, j) == 0, "%s: %u scores: padding", kernels->name, k);
}

/* Checks soften() on x[m][k], placed with @gap floats of NaN between its rows. */
static void check_soften(const Int8Kernels *kernels, const float *x, float factor, guint m, guint k,
                         guint gap, GuardedPlace where)
{
  const gsize stride = k + gap, n = (m - 1) * stride + k;
  const gsize row_size = vitgate__int8_row_size(kernels, k);
  float *source = guarded_place(sources, n * sizeof *source, where);
  for (gsize i = 0; i < n; i++)
    source[i] = i % stride < k ? x[i / stride * k + i % stride] : NAN;
  guint8 *q = guarded_place(lefts, m * row_size, where);
  Int8Row *rows = guarded_place(params, m * sizeof *rows, where);
  memset(q, 0xaa, m * row_size);
  kernels->soften(q, rows, source, stride, factor, m, k);
  for (guint i = 0; i < m; i++)
    check_softened_row(kernels, q + i * row_size, rows[i], x + (gsize)i * k, factor, k);
  assert_each(guarded_intact(lefts) && guarded_intact(params), "%s: %ux%u: softens beside the rows",
              kernels->name, m, k);
}

START_TEST(rows_of_all_lengths_are_softened)
{
  static float x[8 * LARGEST];
  guint32 random = 5;
  FOR_ALL_KERNELS(kernels)
  for (guint k = 1; k <= LARGEST; k++)
    for (guint m = 1; m < 8; m += 3) {
      const float spread = fixture_uniform(&random, 0, 60);
      fixture_fill(x, (gsize)m * k, -spread, spread, &random);
      check_soften(kernels, x, 0.125f, m, k, k % (MOST_GAP + 1), k / 2 % 2);
    }
}
END_TEST

/* Scores that are all equal, one score far above the others, and steps in between. */
START_TEST(scores_of_all_sizes_are_softened)
{
  float x[197];
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < 60; i++) {
    for (guint j = 0; j < G_N_ELEMENTS(x); j++)
      x[j] = j == 3 * i ? 4 * (float)i : 0;
    check_soften(kernels, x, i % 2 ? 1 : 0.125f, 1, G_N_ELEMENTS(x), 0, GUARDED_END);
  }
}
END_TEST

/* In rows of equal scores, errors of all terms add up to steps of the largest term's size. */
START_TEST(the_largest_step_does_not_overflow)
{
  static float x[2000];
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < 100; i++) {
    for (guint j = 0; j < G_N_ELEMENTS(x); j++)
      x[j] = 0.1f * (float)i - 5;
    check_soften(kernels, x, 1, 1, G_N_ELEMENTS(x), 0, GUARDED_END);
  }
}
END_TEST

/* ---- Weights ---- */

/* Quantises w[k] as int8.h defines it. Every table must give exactly the same.
 * @step: distance between values */
static float quantize_weights_plainly(gint8 *q, const float *w, gsize step, guint k)
{
  float largest = 0;
  gboolean finite = TRUE;
  for (guint i = 0; i < k; i++) {
    largest = MAX(largest, fabsf(w[i * step]));
    finite = finite && isfinite(w[i * step]);
  }
  const float scale = largest / 127;
  const float inverse = !finite || scale < FLT_MIN ? 0 : 1 / scale;
  for (guint i = 0; i < k; i++) {
    const volatile float scaled = inverse > 0 ? w[i * step] * inverse : 0;
    q[i] = (gint8)rintf(scaled);
  }
  return !finite ? NAN : inverse > 0 ? scale : 0;
}

static gboolean same_scale(float a, float b)
{
  return a == b || (isnan(a) && isnan(b));
}

/* Checks w[n][k] or, if @columns, w[k][n], placed with @gap floats between its rows. */
static void check_weights(const Int8Kernels *kernels, const float *w, guint n, guint k,
                          gboolean columns, guint gap, GuardedPlace where)
{
  const guint height = columns ? k : n, width = columns ? n : k;
  const gsize stride = width + gap, size = (height - 1) * stride + width;
  float *source = guarded_place(sources, size * sizeof *source, where);
  for (gsize i = 0; i < size; i++)
    source[i] = i % stride < width ? w[i / stride * width + i % stride] : NAN;
  gint8 *q = guarded_place(lefts, (gsize)n * k, where), *expected = g_newa(gint8, k);
  float *scales = guarded_place(others, n * sizeof *scales, where);
  (columns ? kernels->quantize_columns : kernels->quantize_rows)(q, scales, source, stride, n, k);
  for (guint j = 0; j < n; j++) {
    const float *first = w + (columns ? j : (gsize)j * k);
    const float scale = quantize_weights_plainly(expected, first, columns ? n : 1, k);
    assert_each(same_scale(scales[j], scale), "%s: %ux%u, %s %u: scale %.9g, expected %.9g",
                kernels->name, n, k, columns ? "column" : "row", j, scales[j], scale);
    for (guint i = 0; i < k; i++) {
      const gint found = q[columns ? (gsize)i * n + j : (gsize)j * k + i];
      assert_each(found == expected[i], "%s: %ux%u, %s %u, value %u: %d, expected %d",
                  kernels->name, n, k, columns ? "column" : "row", j, i, found, expected[i]);
    }
  }
  assert_each(guarded_intact(lefts) && guarded_intact(others),
              "%s: %ux%u: quantises beside the weights", kernels->name, n, k);
}

START_TEST(weights_of_all_sizes_are_quantised)
{
  static float w[80 * 80];
  guint32 random = 3;
  const gboolean columns = _i;
  FOR_ALL_KERNELS(kernels)
  for (guint n = 1; n <= 80; n += 1 + n / 5)
    for (guint k = 1; k <= 80; k++) {
      fixture_fill(w, (gsize)n * k, -3, 3, &random);
      check_weights(kernels, w, n, k, columns, k % (MOST_GAP + 1), k / 2 % 2);
    }
}
END_TEST

START_TEST(extreme_weights_are_quantised)
{
  enum { N = 20 };
  static const float extremes[] = { 0,       -0.0f, FLT_TRUE_MIN, 126 * FLT_MIN, 128 * FLT_MIN,
                                    FLT_MAX, -4,    INFINITY,     -INFINITY,     NAN };
  static float w[N * N];
  guint32 random = 4;
  const gboolean columns = _i;
  FOR_ALL_KERNELS(kernels)
  for (guint e = 0; e < G_N_ELEMENTS(extremes); e++) {
    const float others_are = fabsf(extremes[e]) < 1 ? 0 : 1;
    fixture_fill(w, N * N, -others_are, others_are, &random);
    for (guint i = 0; i < N; i += 3)
      w[i * N + (i * 7 + e) % N] = extremes[e];
    check_weights(kernels, w, N, N, columns, 0, GUARDED_END);
  }
}
END_TEST

int main(void)
{
  TCase *quantize = tcase_create("quantize");
  tcase_add_checked_fixture(quantize, set_up, tear_down);
  tcase_add_test(quantize, rows_of_all_lengths_are_quantised);
  tcase_add_test(quantize, ties_are_quantised_to_even);
  tcase_add_test(quantize, extreme_rows_are_quantised);
  tcase_add_test(quantize, quantised_values_are_close);
  tcase_add_test(quantize, rows_of_all_lengths_are_softened);
  tcase_add_test(quantize, scores_of_all_sizes_are_softened);
  tcase_add_test(quantize, the_largest_step_does_not_overflow);
  tcase_add_loop_test(quantize, weights_of_all_sizes_are_quantised, FALSE, TRUE + 1);
  tcase_add_loop_test(quantize, extreme_weights_are_quantised, FALSE, TRUE + 1);
  return fixture_run("int8-quantize", quantize, NULL);
}
