/* The int8 kernels of every instruction set that this machine has, against plain C, at odd sizes,
 * on arrays that end where memory ends. With --bench, their speed instead. */
#include <float.h>
#include <math.h>

#include "bench-int8.h"
#include "fixture.h"
#include "guarded.h"
#include "int8.h"

/* Half the distance from 1 to the next float: what one rounding may lose, relatively. */
#define ROUNDING 0x1p-24

/* polynomials.h promises it. */
#define GELU_TOLERANCE 1.2e-4

/* No slope of GELU is steeper. */
#define GELU_SLOPE 1.13

#define LARGEST  200
#define MOST_GAP 5

static const guint sizes[] = { 1, 2, 3, 5, 6, 7, 12, 13, 15, 16, 17, 31, 33, 48, 63, 65 };

static Guarded *outs, *sources, *lefts, *rights, *others, *params;

static void set_up(void)
{
  outs = guarded_new(1 << 18);
  sources = guarded_new(1 << 18);
  lefts = guarded_new(1 << 18);
  rights = guarded_new(1 << 21);
  others = guarded_new(1 << 12);
  params = guarded_new(1 << 12);
}

static void tear_down(void)
{
  guarded_free(outs);
  guarded_free(sources);
  guarded_free(lefts);
  guarded_free(rights);
  guarded_free(others);
  guarded_free(params);
}

static void fill(float *values, gsize n, float low, float high, guint32 *random)
{
  for (gsize i = 0; i < n; i++)
    values[i] = fixture_uniform(random, low, high);
}

#define FOR_ALL_KERNELS(k)                                                                         \
  for (const Int8Kernels *const *table_ = vitgate__int8_kernels_all(), *k; (k = *table_); table_++)

/* Quantised values are bytes in some tables and words in others. */
static gint value_at(const Int8Kernels *kernels, gconstpointer q, gsize i)
{
  return kernels->value_size == 1 ? ((const guint8 *)q)[i] : ((const gint16 *)q)[i];
}

static void set_value(const Int8Kernels *kernels, gpointer q, gsize i, guint8 value)
{
  if (kernels->value_size == 1)
    ((guint8 *)q)[i] = value;
  else
    ((gint16 *)q)[i] = value;
}

/* ---- Quantisation ---- */

/* As int8.h tells it; every table must make the very same. */
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

/* x[m][k] with @gap floats between its rows, and NaN in them. */
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
      fill(x, (gsize)m * k, middle - 2, middle + 2, &random);
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

/* Half a step, and what the roundings of scale and quotient add; where both ends of the range are
 * rounded outwards, the upper one gives way. */
START_TEST(quantised_values_are_near)
{
  static float x[768];
  guint8 q[768 * sizeof(gint16)];
  guint32 random = 2;
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < 100; i++) {
    Int8Row row;
    fill(x, G_N_ELEMENTS(x), fixture_uniform(&random, -4, 0), fixture_uniform(&random, 0, 4),
         &random);
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

START_TEST(weights_are_quantised_by_rows)
{
  enum { N = 5, K = 19, STRIDE = 21 };
  float *w = guarded_place(sources, ((N - 1) * STRIDE + K) * sizeof *w, GUARDED_END);
  gint8 *q = guarded_place(lefts, N * K, GUARDED_END);
  float *scales = guarded_place(others, N * sizeof *scales, GUARDED_END);
  guint32 random = 3;
  fill(w, (N - 1) * STRIDE + K, -1, 1, &random);
  w[0] = -4;                            /* the largest magnitude of its row */
  memset(w + STRIDE, 0, K * sizeof *w); /* a row of zeros */
  w[2 * STRIDE + 3] = NAN;              /* no numbers */
  w[3 * STRIDE + K - 1] = INFINITY;
  vitgate__int8_quantize_weights(q, scales, w, STRIDE, N, K);
  ck_assert_int_eq(q[0], -127);
  ck_assert(scales[0] == 4.0f / 127 && scales[1] == 0);
  ck_assert(isnan(scales[2]) && isnan(scales[3]));
  for (guint j = 0; j < N; j++)
    for (guint i = 0; i < K; i++) {
      const gint8 value = q[j * K + i];
      if (j == 0 || j == 4)
        assert_each(fabsf((float)value * scales[j] - w[j * STRIDE + i]) <= 0.501f * scales[j],
                    "row %u, column %u: %.9g became %d by steps of %.9g", j, i, w[j * STRIDE + i],
                    value, scales[j]);
      else
        assert_each(value == 0, "row %u, column %u is %d", j, i, value);
    }
  ck_assert(guarded_intact(lefts) && guarded_intact(others));
}
END_TEST

/* ---- Products ---- */

typedef struct {
  guint m, n, k;
  Int8Mode mode;
  gboolean with_bias;
  guint gap; /* between rows of the product, and of the weights */
  GuardedPlace where;
} Product;

/* What is multiplied, as plain as can be. */
typedef struct {
  guint8 q[LARGEST * LARGEST];
  gint8 w[LARGEST * LARGEST];
  Int8Row rows[LARGEST];
  float scales[LARGEST], bias[LARGEST], before[LARGEST * (LARGEST + MOST_GAP)];
} Factors;

static guint8 random_byte(guint32 *random)
{
  return (guint8)(fixture_random(random) >> 8);
}

/* Sums where float32 rounds once, in outputs of all signs. */
static void make_factors(Factors *f, const Product *p, guint32 *random)
{
  for (gsize i = 0; i < (gsize)p->m * p->k; i++)
    f->q[i] = random_byte(random);
  for (gsize i = 0; i < (gsize)p->n * p->k; i++)
    f->w[i] = (gint8)(random_byte(random) % 255 - 127);
  for (guint i = 0; i < p->m; i++)
    f->rows[i] = (Int8Row){ fixture_uniform(random, 0.5f, 2) / (float)p->k, random_byte(random) };
  fill(f->scales, p->n, 0, 1.0f / 1024, random);
  fill(f->bias, p->n, -2, 2, random);
  fill(f->before, G_N_ELEMENTS(f->before), -2, 2, random);
}

/* Returns: q as gemm wants it, with bytes of ones in the padding, which must count for nothing */
static gpointer place_left(const Int8Kernels *kernels, const Product *p, const guint8 *values)
{
  const gsize padded = vitgate__int8_padded(kernels, p->k);
  gpointer q = guarded_place(lefts, p->m * vitgate__int8_row_size(kernels, p->k), p->where);
  for (gsize i = 0; i < p->m * padded; i++)
    set_value(kernels, q, i,
              i % padded < p->k ? values[i / padded * p->k + i % padded] : G_MAXUINT8);
  return q;
}

static gpointer pack_right(const Int8Kernels *kernels, const Product *p, const gint8 *w)
{
  const gsize stride = p->k + p->gap, n = (p->n - 1) * stride + p->k;
  gint8 *source = guarded_place(sources, n, p->where);
  for (gsize i = 0; i < n; i++)
    source[i] = i % stride < p->k ? w[i / stride * p->k + i % stride] : 99;
  gpointer packed = guarded_place(rights, vitgate__int8_packed_size(kernels, p->n, p->k), p->where);
  kernels->pack(packed, source, stride, p->n, p->k);
  assert_each(guarded_intact(rights), "%s packs %ux%u beside the array", kernels->name, p->n, p->k);
  return packed;
}

static float *place_copy(Guarded *guarded, const float *values, guint n, GuardedPlace where)
{
  float *copy = guarded_place(guarded, n * sizeof *copy, where);
  memcpy(copy, values, n * sizeof *copy);
  return copy;
}

/* Returns: the product, in place */
static const float *multiply(const Int8Kernels *kernels, const Product *p, const Factors *f)
{
  static float scales[LARGEST];
  const gsize stride = p->n + p->gap, n_out = (p->m - 1) * stride + p->n;
  gpointer packed = pack_right(kernels, p, f->w), q = place_left(kernels, p, f->q);
  float *out = place_copy(outs, f->before, (guint)n_out, p->where);
  Int8Row *rows = guarded_place(params, p->m * sizeof *rows, p->where);
  memcpy(rows, f->rows, p->m * sizeof *rows);
  /* One guarded array serves both, as it holds one at a time: the scales in every other call. */
  const gboolean guard_bias = p->with_bias && p->m % 2;
  memcpy(scales, f->scales, p->n * sizeof *scales);
  const float *guarded = place_copy(others, guard_bias ? f->bias : scales, p->n, p->where);
  kernels->gemm(out, stride, q, rows, packed, guard_bias ? scales : guarded,
                !p->with_bias ? NULL
                : guard_bias  ? guarded
                              : f->bias,
                p->mode, p->m, p->n, p->k);
  for (gsize i = 0; i < n_out; i++)
    assert_each(i % stride < p->n || out[i] == f->before[i], "%s writes between the rows",
                kernels->name);
  assert_each(guarded_intact(outs), "%s: %ux%ux%u: writes beside the product", kernels->name, p->m,
              p->n, p->k);
  return out;
}

static gint64 sum_plainly(const Product *p, const Factors *f, guint row, guint column)
{
  gint64 sum = 0;
  for (guint i = 0; i < p->k; i++)
    sum += (f->q[(gsize)row * p->k + i] - f->rows[row].zero) * f->w[(gsize)column * p->k + i];
  return sum;
}

static double gelu(double x)
{
  return x * 0.5 * erfc(-x * M_SQRT1_2);
}

/* The sum, the scales' product, that of both, the bias and the addition are rounded. */
static void check_value(const Int8Kernels *kernels, const Product *p, const Factors *f, guint row,
                        guint column, float found)
{
  const double bias = p->with_bias ? f->bias[column] : 0;
  const double before = p->mode == INT8_ADD ? f->before[row * (p->n + p->gap) + column] : 0;
  const double scaled =
      (double)f->rows[row].scale * f->scales[column] * (double)sum_plainly(p, f, row, column);
  double expected = scaled + bias + before;
  double tolerance = 5 * ROUNDING * (fabs(scaled) + fabs(bias) + fabs(before));
  if (p->mode == INT8_GELU) {
    tolerance = GELU_SLOPE * tolerance + GELU_TOLERANCE + 2 * ROUNDING * fabs(expected);
    expected = gelu(expected);
  }
  assert_each(fabs(found - expected) <= tolerance,
              "%s: %ux%ux%u, mode %d, row %u, column %u: %.9g, expected %.9g", kernels->name, p->m,
              p->n, p->k, p->mode, row, column, found, expected);
}

static void check_product(const Int8Kernels *kernels, const Product *p, guint32 *random)
{
  static Factors f;
  make_factors(&f, p, random);
  const float *out = multiply(kernels, p, &f);
  for (guint i = 0; i < p->m; i++)
    for (guint j = 0; j < p->n; j++)
      check_value(kernels, p, &f, i, j, out[i * (p->n + p->gap) + j]);
}

/* Twelve combinations of mode, bias and place; five shares no factor with them. */
static Product make_product(guint m, guint n, guint k, guint variant)
{
  return (
      Product){ m, n, k, variant % 3, variant / 3 % 2, variant % (MOST_GAP + 1), variant / 6 % 2 };
}

START_TEST(products_of_all_sizes_are_right)
{
  guint32 random = 4;
  guint variant = 0;
  FOR_ALL_KERNELS(kernels)
  for (guint m = 0; m < G_N_ELEMENTS(sizes); m++)
    for (guint n = 0; n < G_N_ELEMENTS(sizes); n++)
      for (guint k = 0; k < G_N_ELEMENTS(sizes); k++) {
        const Product p = make_product(sizes[m], sizes[n], sizes[k], variant += 5);
        check_product(kernels, &p, &random);
      }
}
END_TEST

START_TEST(all_variants_of_larger_products_are_right)
{
  guint32 random = 5;
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < 72; i++) {
    const guint m = 1 + fixture_random(&random) % LARGEST,
                n = 1 + fixture_random(&random) % LARGEST,
                k = 1 + fixture_random(&random) % LARGEST;
    const Product p = i < 12 ? make_product(48, 96, 192, i) : make_product(m, n, k, i);
    check_product(kernels, &p, &random);
  }
}
END_TEST

/* With scales of 1, the product is the sum, rounded to float32 once. */
static void check_sums(const Int8Kernels *kernels, const Product *p, Factors *f)
{
  for (guint i = 0; i < p->m; i++)
    f->rows[i].scale = 1;
  for (guint j = 0; j < p->n; j++)
    f->scales[j] = 1;
  const float *out = multiply(kernels, p, f);
  for (guint i = 0; i < p->m; i++)
    for (guint j = 0; j < p->n; j++) {
      const float expected = (float)sum_plainly(p, f, i, j);
      assert_each(out[i * p->n + j] == expected, "%s: %ux%ux%u, row %u, column %u: %.9g, not %.9g",
                  kernels->name, p->m, p->n, p->k, i, j, out[i * p->n + j], expected);
    }
}

/* By way of the bias, beside sums of nothing. */
static void check_gelu(const Int8Kernels *kernels, const float *x, guint n)
{
  static const gint8 weights[LARGEST];
  static const float scales[LARGEST];
  const Int8Row row = { 0, 0 };
  const guint32 q[4] = { 0 };
  const Product p = { 1, n, 1, INT8_GELU };
  float *out = guarded_place(outs, n * sizeof *out, GUARDED_END);
  kernels->gemm(out, n, q, &row, pack_right(kernels, &p, weights), scales, x, INT8_GELU, 1, n, 1);
  for (guint i = 0; i < n; i++) {
    const double expected = gelu(x[i]);
    assert_each(fabs(out[i] - expected) <= GELU_TOLERANCE + ROUNDING * fabs(expected),
                "%s: gelu(%.9g) = %.9g, expected %.9g", kernels->name, x[i], out[i], expected);
  }
}

START_TEST(gelu_is_right_everywhere)
{
  enum { N = 197, STEPS = 1000 };
  float x[N];
  FOR_ALL_KERNELS(kernels)
  for (guint step = 0; step < STEPS; step++) {
    for (guint i = 0; i < N; i++)
      x[i] = ((float)(step * N + i) / (STEPS * N) - 0.5f) * 16.0f;
    check_gelu(kernels, x, N);
  }
}
END_TEST

START_TEST(gelu_of_extreme_values_is_finite)
{
  static const float extremes[] = { 0.0f,  -0.0f, FLT_TRUE_MIN, -FLT_MIN, 1e-20f,  -1e-20f, 3.9f,
                                    -3.9f, 4.0f,  -4.0f,        1e6f,     -1e6f,   1e30f,   -1e30f,
                                    3.0f,  88.0f, -88.0f,       FLT_MAX,  -FLT_MAX };
  FOR_ALL_KERNELS(kernels)
  check_gelu(kernels, extremes, G_N_ELEMENTS(extremes));
}
END_TEST

START_TEST(sums_are_exact)
{
  static Factors f;
  guint32 random = 6;
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < 30; i++) {
    const Product p = { 1 + i, 1 + 7 * i % 100, 1 + 13 * i % LARGEST, INT8_STORE };
    make_factors(&f, &p, &random);
    check_sums(kernels, &p, &f);
  }
}
END_TEST

/* Neighbours along k that add up, where 16 bits would not hold them, and that cancel. */
START_TEST(sums_of_extreme_values_are_exact)
{
  static Factors f;
  static const gint8 extremes[] = { 127, -127, 127, 127, -127, -127 };
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < 24; i++) {
    const Product p = { 13, 33, 199, INT8_STORE };
    for (gsize j = 0; j < G_N_ELEMENTS(f.q); j++)
      f.q[j] = i % 3 == 0 || (i % 3 == 1 && j % 2) ? 255 : 0;
    for (gsize j = 0; j < G_N_ELEMENTS(f.w); j++)
      f.w[j] = i / 3 % 2 ? extremes[j % G_N_ELEMENTS(extremes)] : i / 6 % 2 ? 127 : -127;
    for (guint j = 0; j < p.m; j++)
      f.rows[j].zero = i / 12 % 2 ? 255 : 0;
    check_sums(kernels, &p, &f);
  }
}
END_TEST

START_TEST(the_longest_sums_are_exact)
{
  static const gint8 weights[] = { 127, -127 };
  const gint32 sums[] = { 255 * 127 * INT8_MOST_K, -255 * 127 * INT8_MOST_K };
  g_autofree gint8 *w = g_malloc(INT8_MOST_K);
  const Product p = { 1, 1, INT8_MOST_K, INT8_STORE };
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < 4; i++) {
    const gboolean ones = i / 2; /* else 0, with a zero of 255 */
    const Int8Row row = { 1, ones ? 0 : 255 };
    const float scale = 1;
    float out = 0;
    memset(w, weights[i % 2], INT8_MOST_K);
    gpointer packed = pack_right(kernels, &p, w);
    gpointer q = guarded_place(lefts, vitgate__int8_row_size(kernels, p.k), GUARDED_END);
    for (guint j = 0; j < p.k; j++)
      set_value(kernels, q, j, ones ? 255 : 0);
    kernels->gemm(&out, 1, q, &row, packed, &scale, NULL, INT8_STORE, 1, 1, p.k);
    ck_assert_msg(out == (float)sums[ones ? i % 2 : 1 - i % 2], "%s: %.9g", kernels->name, out);
  }
}
END_TEST

/* ---- Both together ---- */

START_TEST(what_is_not_finite_spoils_its_row_only)
{
  enum { M = 15, N = 35, K = 67, ROW = 7 };
  static const float odd[] = { NAN, -NAN, INFINITY, -INFINITY };
  static gint8 w[N * K];
  float x[M * K], out[M * N], scales[N];
  Int8Row rows[M];
  const Product p = { M, N, K, INT8_STORE };
  memset(w, 1, sizeof w);
  for (guint j = 0; j < N; j++)
    scales[j] = 1;
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < G_N_ELEMENTS(odd) * K; i++)
    for (guint mode = INT8_STORE; mode <= INT8_GELU; mode++) {
      for (guint j = 0; j < M * K; j++)
        x[j] = 1;
      x[ROW * K + i % K] = odd[i / K];
      memset(out, 0, sizeof out);
      gpointer packed = pack_right(kernels, &p, w);
      gpointer q = guarded_place(lefts, M * vitgate__int8_row_size(kernels, K), GUARDED_END);
      kernels->quantize(q, rows, x, K, M, K);
      kernels->gemm(out, N, q, rows, packed, scales, NULL, mode, M, N, K);
      for (guint j = 0; j < M * N; j++)
        assert_each(j / N == ROW ? isnan(out[j]) : fabsf(out[j] - K) < 1e-3f,
                    "%s: with %g in column %u, mode %u, row %u, column %u: %g", kernels->name,
                    odd[i / K], i % K, mode, j / N, j % N, out[j]);
    }
}
END_TEST

START_TEST(rows_of_zeros_give_the_bias)
{
  static Factors f;
  guint32 random = 7;
  const Product p = { 3, 37, 50, INT8_STORE, TRUE };
  static const float zeros[3 * 50];
  FOR_ALL_KERNELS(kernels)
  {
    make_factors(&f, &p, &random);
    guint8 q[3 * 64 * sizeof(gint16)];
    kernels->quantize(q, f.rows, zeros, p.k, p.m, p.k);
    for (guint i = 0; i < p.m; i++)
      for (guint j = 0; j < p.k; j++)
        f.q[i * p.k + j] = (guint8)value_at(kernels, q, i * vitgate__int8_padded(kernels, p.k) + j);
    const float *out = multiply(kernels, &p, &f);
    for (guint i = 0; i < p.m; i++)
      assert_each(!memcmp(out + i * p.n, f.bias, p.n * sizeof *out), "%s: row %u", kernels->name,
                  i);
  }
}
END_TEST

/* ---- Which table ---- */

static const Int8Kernels *find_table(const char *name)
{
  FOR_ALL_KERNELS(kernels)
  if (!strcmp(kernels->name, name))
    return kernels;
  return NULL;
}

START_TEST(the_best_table_is_used)
{
  ck_assert_ptr_eq(vitgate__int8_kernels(), vitgate__int8_kernels_all()[0]);
  ck_assert_ptr_eq(vitgate__int8_kernels(), vitgate__int8_kernels());
  ck_assert_ptr_nonnull(find_table("portable"));
}
END_TEST

static const struct {
  const char *mask, *hidden[4];
} masks[] = {
  { "avx512-vnni", { "avx512-vnni" } },
  { "avx512", { "avx512-vnni" } },
  { "avx-vnni", { "avx-vnni" } },
  { "avx2", { "avx-vnni", "avx2" } },
  { "avx512,avx2", { "avx512-vnni", "avx-vnni", "avx2" } },
};

START_TEST(a_mask_hides_instruction_sets)
{
  /* Before the first question in this process. */
  g_setenv("VITGATE_CPU_MASK", masks[_i].mask, TRUE);
  for (const char *const *name = masks[_i].hidden; *name; name++)
    ck_assert_msg(!find_table(*name), "\"%s\" does not hide %s", masks[_i].mask, *name);
  ck_assert_ptr_nonnull(find_table("portable"));
}
END_TEST

int main(int argc, char **argv)
{
  if (argc > 1 && !strcmp(argv[1], "--bench")) {
    bench_int8();
    return 0;
  }
  TCase *kernels = tcase_create("kernels"), *tables = tcase_create("tables");
  tcase_add_checked_fixture(kernels, set_up, tear_down);
  tcase_add_test(kernels, rows_of_all_lengths_are_quantised);
  tcase_add_test(kernels, ties_are_quantised_to_even);
  tcase_add_test(kernels, extreme_rows_are_quantised);
  tcase_add_test(kernels, quantised_values_are_near);
  tcase_add_test(kernels, weights_are_quantised_by_rows);
  tcase_add_test(kernels, products_of_all_sizes_are_right);
  tcase_add_test(kernels, all_variants_of_larger_products_are_right);
  tcase_add_test(kernels, gelu_is_right_everywhere);
  tcase_add_test(kernels, gelu_of_extreme_values_is_finite);
  tcase_add_test(kernels, sums_are_exact);
  tcase_add_test(kernels, sums_of_extreme_values_are_exact);
  tcase_add_test(kernels, the_longest_sums_are_exact);
  tcase_add_test(kernels, what_is_not_finite_spoils_its_row_only);
  tcase_add_test(kernels, rows_of_zeros_give_the_bias);
  tcase_add_test(tables, the_best_table_is_used);
  tcase_add_loop_test(tables, a_mask_hides_instruction_sets, 0, G_N_ELEMENTS(masks));
  return fixture_run("int8", kernels, tables, NULL);
}
