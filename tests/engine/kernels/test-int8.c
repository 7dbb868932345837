/* Compares int8 products of every instruction set of this machine with plain C, at odd sizes, on
 * guarded arrays. With --bench, it measures their speed instead. */
#include <float.h>
#include <math.h>

#include "bench-int8.h"
#include "guarded.h"
#include "int8-values.h"

/* Maximum relative error of one rounding: half the distance from 1 to the next float. */
#define ROUNDING 0x1p-24

/* The error of the polynomial, as in polynomials.h. */
#define GELU_TOLERANCE 1.2e-4

/* Maximum slope of GELU. */
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

/* ---- Products ---- */

typedef struct {
  guint m, n, k;
  Int8Mode mode;
  gboolean with_bias, transposed;
  guint gap; /* between the rows of the product and of the weights */
  GuardedPlace where;
} Product;

/* The factors of a product, not packed. */
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

/* Makes random factors. Outputs have both signs. */
static void make_factors(Factors *f, const Product *p, guint32 *random)
{
  for (gsize i = 0; i < (gsize)p->m * p->k; i++)
    f->q[i] = random_byte(random);
  for (gsize i = 0; i < (gsize)p->n * p->k; i++)
    f->w[i] = (gint8)(random_byte(random) % 255 - 127);
  for (guint i = 0; i < p->m; i++)
    f->rows[i] = (Int8Row){ fixture_uniform(random, 0.5f, 2) / (float)p->k, random_byte(random) };
  fixture_fill(f->scales, p->n, 0, 1.0f / 1024, random);
  fixture_fill(f->bias, p->n, -2, 2, random);
  fixture_fill(f->before, G_N_ELEMENTS(f->before), -2, 2, random);
}

/* Returns: q for gemm, with 255 in the padding, which must not count */
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
  const guint height = p->transposed ? p->k : p->n, width = p->transposed ? p->n : p->k;
  const gsize stride = width + p->gap, n = (height - 1) * stride + width;
  gint8 *source = guarded_place(sources, n, p->where);
  memset(source, 99, n);
  for (guint j = 0; j < p->n; j++)
    for (guint i = 0; i < p->k; i++)
      source[p->transposed ? i * stride + j : j * stride + i] = w[(gsize)j * p->k + i];
  gpointer packed = guarded_place(rights, vitgate__int8_packed_size(kernels, p->n, p->k), p->where);
  (p->transposed ? kernels->pack_transposed : kernels->pack)(packed, source, stride, p->n, p->k);
  assert_each(guarded_intact(rights), "%s packs %ux%u beside the array", kernels->name, p->n, p->k);
  return packed;
}

static float *place_copy(Guarded *guarded, const float *values, guint n, GuardedPlace where)
{
  float *copy = guarded_place(guarded, n * sizeof *copy, where);
  memcpy(copy, values, n * sizeof *copy);
  return copy;
}

/* Returns: the product, in guarded memory */
static const float *multiply(const Int8Kernels *kernels, const Product *p, const Factors *f)
{
  static float scales[LARGEST];
  const gsize stride = p->n + p->gap, n_out = (p->m - 1) * stride + p->n;
  gpointer packed = pack_right(kernels, p, f->w), q = place_left(kernels, p, f->q);
  float *out = place_copy(outs, f->before, (guint)n_out, p->where);
  Int8Row *rows = guarded_place(params, p->m * sizeof *rows, p->where);
  memcpy(rows, f->rows, p->m * sizeof *rows);
  /* There is one guarded array for both, so it guards the bias in one call and the scales in the
   * next. */
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

/* Five results are rounded: the sum, the product of the scales, the product of both, and the sums
 * with the bias and the previous value. */
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

/* There are 24 combinations of mode, bias, place and layout. Steps of five reach all of them. */
static Product make_product(guint m, guint n, guint k, guint variant)
{
  return (Product){ .m = m,
                    .n = n,
                    .k = k,
                    .mode = variant % 3,
                    .with_bias = variant / 3 % 2,
                    .transposed = variant / 12 % 2,
                    .gap = variant % (MOST_GAP + 1),
                    .where = variant / 6 % 2 };
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
    const Product p = i < 24 ? make_product(48, 96, 192, i) : make_product(m, n, k, i);
    check_product(kernels, &p, &random);
  }
}
END_TEST

/* Rows that are gathered must be those of the whole product, bit by bit. */
START_TEST(a_row_does_not_depend_on_the_number_of_rows)
{
  enum { ALL = 14, N = 53, K = 37 };
  static Factors f;
  static float whole[ALL * N];
  guint32 random = 12;
  FOR_ALL_KERNELS(kernels)
  for (guint variant = 0; variant < 6; variant++) {
    Product p = make_product(ALL, N, K, variant);
    p.gap = 0;
    make_factors(&f, &p, &random);
    memcpy(whole, multiply(kernels, &p, &f), sizeof whole);
    for (p.m = 1; p.m < ALL; p.m++)
      assert_each(!memcmp(multiply(kernels, &p, &f), whole, p.m * N * sizeof *whole),
                  "%s, variant %u: the first of %u rows differ from those of %u", kernels->name,
                  variant, p.m, ALL);
  }
}
END_TEST

/* Checks sums. With scales of 1 the product is the sum, rounded once to float32. */
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

/* Checks the GELU of @x, passed as the bias of sums that are zero. */
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

/* Neighbours along k whose sum exceeds 16 bits, or that cancel each other. */
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
    const gboolean ones = i / 2; /* FALSE: q = 0 with a zero of 255 */
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

/* ---- Quantisation and product ---- */

START_TEST(non_finite_values_affect_only_their_row)
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

/* ---- Choice of the table ---- */

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
  const char *mask, *hidden[5];
} masks[] = {
  { "avx512-vnni", { "avx512-vnni" } },
  { "avx512", { "avx512-vnni" } },
  { "avx-vnni", { "avx-vnni" } },
  { "avx2", { "avx-vnni", "avx2" } },
  { "sse4.1", { "sse4.1" } },
  { "i8mm", { "i8mm" } },
  { "dotprod", { "i8mm", "dotprod" } },
  { "avx512,avx2,sse4.1", { "avx512-vnni", "avx-vnni", "avx2", "sse4.1" } },
};

START_TEST(a_mask_hides_instruction_sets)
{
  /* The features are read once per process, so the mask must be set first. */
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
  tcase_add_test(kernels, products_of_all_sizes_are_right);
  tcase_add_test(kernels, all_variants_of_larger_products_are_right);
  tcase_add_test(kernels, a_row_does_not_depend_on_the_number_of_rows);
  tcase_add_test(kernels, gelu_is_right_everywhere);
  tcase_add_test(kernels, gelu_of_extreme_values_is_finite);
  tcase_add_test(kernels, sums_are_exact);
  tcase_add_test(kernels, sums_of_extreme_values_are_exact);
  tcase_add_test(kernels, the_longest_sums_are_exact);
  tcase_add_test(kernels, non_finite_values_affect_only_their_row);
  tcase_add_test(kernels, rows_of_zeros_give_the_bias);
  tcase_add_test(tables, the_best_table_is_used);
  tcase_add_loop_test(tables, a_mask_hides_instruction_sets, 0, G_N_ELEMENTS(masks));
  return fixture_run("int8", kernels, tables, NULL);
}
