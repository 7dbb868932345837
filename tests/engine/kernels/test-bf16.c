/* Compares the bfloat16 kernels with plain C, at odd sizes, on guarded arrays. Skipped if the CPU
 * has no instructions for them. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "fixture.h"
#include "guarded.h"
#include "kernels/bf16.h"

#define EXIT_SKIPPED 77 /* meson's exit status for a skipped test */

/* Maximum relative error of one rounding: half the distance from 1 to the next float. */
#define ROUNDING 0x1p-24

/* gemm reads whole tiles of A, so there must be rows after A; they may hold anything. */
#define A_ROWS 32

#define LARGEST  200
#define MOST_GAP 5

static const Bf16Kernels *kernels;
static Guarded *outs, *sources, *lefts, *rights, *biases;

static void set_up(void)
{
  outs = guarded_new(1 << 18);
  sources = guarded_new(1 << 18);
  lefts = guarded_new(1 << 18);
  rights = guarded_new(1 << 18);
  biases = guarded_new(1 << 12);
}

static void tear_down(void)
{
  guarded_free(outs);
  guarded_free(sources);
  guarded_free(lefts);
  guarded_free(rights);
  guarded_free(biases);
}

/* ---- One value ---- */

static guint32 bits_of(float x)
{
  guint32 bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static float from_bits(guint32 bits)
{
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static float widen(guint16 x)
{
  return from_bits((guint32)x << 16);
}

/* Rounds to nearest, ties to even. @x must not be a NaN. */
static guint16 round_plainly(float x)
{
  const guint32 bits = bits_of(x), below = bits & 0xffff, kept = bits >> 16;
  return (guint16)(kept + (below > 0x8000 || (below == 0x8000 && kept % 2)));
}

/* The instruction treats numbers below the smallest normal one as zero. */
static gboolean is_rounded(guint16 found, float x)
{
  if (isnan(x))
    return isnan(widen(found));
  return found == round_plainly(x) ||
         (fabsf(x) < FLT_MIN && found == (guint16)(signbit(x) ? 0x8000 : 0));
}

/* ---- Conversion ---- */

typedef struct {
  guint m, k, gap; /* a[m][k], floats between its rows */
  GuardedPlace where;
} Matrix;

/* Places a[m][k], with NaN between its rows. */
static float *place_source(const Matrix *a, const float *values)
{
  const gsize stride = a->k + a->gap, n = (a->m - 1) * stride + a->k;
  float *source = guarded_place(sources, n * sizeof(float), a->where);
  for (gsize i = 0; i < n; i++)
    source[i] = i % stride < a->k ? values[i / stride * a->k + i % stride] : NAN;
  return source;
}

static void check_conversion(const Matrix *a, const float *values, gboolean transposed)
{
  const guint rows = transposed ? a->k : a->m, columns = transposed ? a->m : a->k;
  const gsize row = vitgate__bf16_row_size(columns);
  const float *source = place_source(a, values);
  guint16 *out = guarded_place(lefts, rows * row * sizeof *out, a->where);
  memset(out, 0xff, rows * row * sizeof *out);
  (transposed ? kernels->convert_transposed : kernels->convert)(out, source, a->k + a->gap, a->m,
                                                                a->k);
  for (guint i = 0; i < rows; i++)
    for (guint j = 0; j < row; j++) {
      const float x = j >= columns ? 0 : values[transposed ? j * a->k + i : i * a->k + j];
      assert_each(is_rounded(out[i * row + j], x),
                  "%s: %ux%u%s, row %u, column %u: %.9g became %.9g (%04x)", kernels->name, a->m,
                  a->k, transposed ? " transposed" : "", i, j, x, widen(out[i * row + j]),
                  out[i * row + j]);
    }
  assert_each(guarded_intact(lefts), "%s writes beside the converted matrix", kernels->name);
}

static const guint sizes[] = { 1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 47, 48, 63, 65, 100, 197 };

START_TEST(matrices_of_all_sizes_are_converted)
{
  static float values[LARGEST * LARGEST];
  guint32 random = 1;
  fixture_fill(values, G_N_ELEMENTS(values), -1, 1, &random);
  for (guint m = 0; m < G_N_ELEMENTS(sizes); m++)
    for (guint k = 0; k < G_N_ELEMENTS(sizes); k++)
      for (guint i = 0; i < 4; i++) {
        const Matrix a = { sizes[m], sizes[k], (m + k + i) % (MOST_GAP + 1),
                           i / 2 ? GUARDED_START : GUARDED_END };
        check_conversion(&a, values, i % 2);
      }
}
END_TEST

/* Tests each upper half, of every sign and exponent, with lower halves around the tie. */
START_TEST(values_are_rounded_to_nearest_ties_to_even)
{
  static const guint16 lower[] = { 0, 1, 0x7fff, 0x8000, 0x8001, 0xffff };
  enum { N = G_N_ELEMENTS(lower) };
  float values[2 * N];
  for (guint upper = 0; upper < 0x10000; upper += 2) {
    for (guint i = 0; i < 2 * N; i++)
      values[i] = from_bits((upper + i / N) << 16 | lower[i % N]);
    const Matrix a = { 1, 2 * N, 0, GUARDED_END };
    check_conversion(&a, values, upper / 2 % 2);
  }
}
END_TEST

START_TEST(extreme_values_are_converted)
{
  static const float values[] = { 0.0f,          -0.0f,    FLT_MIN,   -FLT_MIN,    FLT_TRUE_MIN,
                                  -FLT_TRUE_MIN, FLT_MAX,  -FLT_MAX,  0x1.fep127f, 0x1.fefffep127f,
                                  0x1.ffp127f,   INFINITY, -INFINITY, NAN,         -NAN,
                                  1e-40f,        1.0f };
  const Matrix row = { 1, G_N_ELEMENTS(values), 0, GUARDED_END };
  const Matrix column = { G_N_ELEMENTS(values), 1, 3, GUARDED_START };
  for (guint transposed = 0; transposed < 2; transposed++) {
    check_conversion(&row, values, transposed);
    check_conversion(&column, values, transposed);
  }
}
END_TEST

/* ---- Products ---- */

typedef struct {
  guint m, n, k;
  gboolean accumulate, with_bias;
  gboolean left_transposed, right_transposed;
  guint gap;
  GuardedPlace where;
} Product;

static void transpose(float *out, const float *in, guint rows, guint columns)
{
  for (guint i = 0; i < rows; i++)
    for (guint j = 0; j < columns; j++)
      out[j * rows + i] = in[i * columns + j];
}

/* Returns: b[k][n], packed for gemm */
static guint16 *pack_right(const Product *p, const float *b)
{
  static float flipped[LARGEST * LARGEST];
  const Matrix as_is = { p->k, p->n, p->gap, p->where }, turned = { p->n, p->k, p->gap, p->where };
  const gsize n_bytes = vitgate__bf16_packed_size(p->n, p->k) * sizeof(guint16);
  guint16 *packed = guarded_place(rights, n_bytes, p->where);
  if (p->right_transposed) {
    transpose(flipped, b, p->k, p->n);
    kernels->pack_transposed(packed, place_source(&turned, flipped), p->k + p->gap, p->n, p->k);
  } else {
    kernels->pack(packed, place_source(&as_is, b), p->n + p->gap, p->n, p->k);
  }
  assert_each(guarded_intact(rights), "%s packs %ux%u beside the array", kernels->name, p->k, p->n);
  return packed;
}

/* Returns: a[m][k], converted for gemm, with NaN in the rows after it that gemm may read */
static guint16 *convert_left(const Product *p, const float *a)
{
  static float flipped[LARGEST * LARGEST];
  const Matrix as_is = { p->m, p->k, p->gap, p->where }, turned = { p->k, p->m, p->gap, p->where };
  const gsize row = vitgate__bf16_row_size(p->k), rows = (p->m + A_ROWS - 1) / A_ROWS * A_ROWS;
  guint16 *out = guarded_place(lefts, rows * row * sizeof *out, p->where);
  if (p->left_transposed) {
    transpose(flipped, a, p->m, p->k);
    kernels->convert_transposed(out, place_source(&turned, flipped), p->m + p->gap, p->k, p->m);
  } else {
    kernels->convert(out, place_source(&as_is, a), p->k + p->gap, p->m, p->k);
  }
  for (gsize i = p->m * row; i < rows * row; i++)
    out[i] = 0x7fff;
  return out;
}

/* Products of bfloat16 numbers are exact in float32. Each addition rounds once, relative to the sum
 * so far. */
static void check_row(const Product *p, const float *out, const float *before, const float *a,
                      const float *b, const float *bias, guint row)
{
  for (guint j = 0; j < p->n; j++) {
    double sum = (p->accumulate ? before[j] : 0.0) + (bias ? bias[j] : 0.0);
    double magnitude = (p->accumulate ? fabs(before[j]) : 0.0) + (bias ? fabs(bias[j]) : 0.0);
    for (guint i = 0; i < p->k; i++) {
      const double x = (double)widen(round_plainly(a[i])) * widen(round_plainly(b[i * p->n + j]));
      sum += x;
      magnitude += fabs(x);
    }
    assert_each(fabs(out[j] - sum) <= (p->k + 2) * ROUNDING * magnitude,
                "%s: %ux%ux%u, row %u, column %u: %.9g, expected %.9g", kernels->name, p->m, p->n,
                p->k, row, j, out[j], sum);
  }
}

static void check_product(const Product *p, guint32 *random)
{
  static float a[LARGEST * LARGEST], b[LARGEST * LARGEST], bias[LARGEST],
      before[LARGEST * (LARGEST + MOST_GAP)];
  const gsize stride = p->n + p->gap, n_out = (p->m - 1) * stride + p->n;
  fixture_fill(a, (gsize)p->m * p->k, -1, 1, random);
  fixture_fill(b, (gsize)p->k * p->n, -1, 1, random);
  fixture_fill(bias, p->n, -1, 1, random);
  fixture_fill(before, n_out, -1, 1, random);
  const guint16 *right = pack_right(p, b), *left = convert_left(p, a);
  float *out = guarded_place(outs, n_out * sizeof *out, p->where);
  float *guarded_bias = guarded_place(biases, p->n * sizeof *bias, p->where);
  memcpy(out, before, n_out * sizeof *out);
  memcpy(guarded_bias, bias, p->n * sizeof *bias);
  kernels->gemm(out, stride, left, right, p->with_bias ? guarded_bias : NULL, p->accumulate, p->m,
                p->n, p->k);
  for (guint i = 0; i < p->m; i++)
    check_row(p, out + i * stride, before + i * stride, a + (gsize)i * p->k, b,
              p->with_bias ? bias : NULL, i);
  for (gsize i = 0; i < n_out; i++)
    assert_each(i % stride < p->n || out[i] == before[i], "%s writes between the rows",
                kernels->name);
  assert_each(guarded_intact(outs), "%s writes beside the product", kernels->name);
}

/* There are sixteen variants. The loops that call this reach all of them. */
static Product make_product(guint m, guint n, guint k, guint variant)
{
  return (Product){ m,
                    n,
                    k,
                    variant & 1,
                    variant >> 1 & 1,
                    variant >> 2 & 1,
                    variant >> 3 & 1,
                    variant % (MOST_GAP + 1),
                    variant / 3 % 2 ? GUARDED_START : GUARDED_END };
}

START_TEST(small_products_of_all_sizes_are_right)
{
  static const guint few[] = { 1, 2, 5, 15, 16, 17, 31, 32, 33, 48, 65 };
  guint32 random = 3;
  guint variant = 0;
  for (guint m = 0; m < G_N_ELEMENTS(few); m++)
    for (guint n = 0; n < G_N_ELEMENTS(few); n++)
      for (guint k = 0; k < G_N_ELEMENTS(few); k++, variant += 5) {
        const Product p = make_product(few[m], few[n], few[k], variant);
        check_product(&p, &random);
      }
}
END_TEST

START_TEST(larger_products_are_right)
{
  guint32 random = 4;
  for (guint i = 0; i < 64; i++) {
    const guint m = 1 + fixture_random(&random) % LARGEST,
                n = 1 + fixture_random(&random) % LARGEST;
    const Product p = make_product(m, n, 1 + fixture_random(&random) % LARGEST, i);
    check_product(&p, &random);
  }
}
END_TEST

START_TEST(all_variants_of_whole_blocks_are_right)
{
  guint32 random = 5;
  for (guint variant = 0; variant < 16; variant++) {
    const Product p = make_product(64, 96, 64, variant);
    check_product(&p, &random);
  }
}
END_TEST

/* Rows that are gathered must be those of the whole product, bit by bit. */
START_TEST(a_row_does_not_depend_on_the_number_of_rows)
{
  enum { ALL = 70, N = 53, K = 37 };
  static float a[ALL * K], b[K * N], bias[N], whole[ALL * N], out[ALL * N];
  guint32 random = 6;
  fixture_fill(a, ALL * K, -1, 1, &random);
  fixture_fill(b, K * N, -1, 1, &random);
  fixture_fill(bias, N, -1, 1, &random);
  for (guint variant = 0; variant < 4; variant++) {
    const Product p = make_product(ALL, N, K, variant);
    const guint16 *right = pack_right(&p, b), *left = convert_left(&p, a);
    for (guint m = ALL; m; m--) {
      float *to = m == ALL ? whole : out;
      memset(to, 0, sizeof whole);
      kernels->gemm(to, N, left, right, p.with_bias ? bias : NULL, p.accumulate, m, N, K);
      assert_each(!memcmp(to, whole, m * N * sizeof *to),
                  "%s, variant %u: the first of %u rows differ from those of %u", kernels->name,
                  variant, m, ALL);
    }
  }
}
END_TEST

START_TEST(non_finite_values_stay_in_their_row_and_column)
{
  enum { M = 37, N = 35, K = 33, ROW = 18, COLUMN = 34 };
  static float a[M * K], b[K * N], out[M * N];
  static const float odd[] = { INFINITY, -INFINITY, NAN };
  const Product p = make_product(M, N, K, 0);
  for (guint i = 0; i < G_N_ELEMENTS(odd); i++) {
    for (guint j = 0; j < M * K; j++)
      a[j] = 1;
    for (guint j = 0; j < K * N; j++)
      b[j] = 1;
    a[ROW * K + 32] = odd[i];
    b[7 * N + COLUMN] = odd[i];
    const guint16 *right = pack_right(&p, b), *left = convert_left(&p, a);
    kernels->gemm(out, N, left, right, NULL, FALSE, M, N, K);
    for (guint j = 0; j < M * N; j++) {
      const float expected = j / N == ROW || j % N == COLUMN ? odd[i] : K;
      assert_each(isnan(expected) ? isnan(out[j]) : out[j] == expected,
                  "with %g, row %u, column %u: %g", odd[i], j / N, j % N, out[j]);
    }
  }
}
END_TEST

int main(void)
{
  kernels = vitgate__bf16_kernels();
  if (!kernels) {
    g_print("SKIP: this CPU has no instructions for bfloat16 matrices\n");
    return EXIT_SKIPPED;
  }
  TCase *bf16 = tcase_create("bf16");
  tcase_add_checked_fixture(bf16, set_up, tear_down);
  tcase_add_test(bf16, matrices_of_all_sizes_are_converted);
  tcase_add_test(bf16, values_are_rounded_to_nearest_ties_to_even);
  tcase_add_test(bf16, extreme_values_are_converted);
  tcase_add_test(bf16, small_products_of_all_sizes_are_right);
  tcase_add_test(bf16, larger_products_are_right);
  tcase_add_test(bf16, all_variants_of_whole_blocks_are_right);
  tcase_add_test(bf16, a_row_does_not_depend_on_the_number_of_rows);
  tcase_add_test(bf16, non_finite_values_stay_in_their_row_and_column);
  return fixture_run("bf16", bf16, NULL);
}
