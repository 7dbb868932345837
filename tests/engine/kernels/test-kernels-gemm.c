/* Compares float32 products of every instruction set of this machine with plain C in double
 * precision, at odd sizes, on guarded arrays. */
#include <math.h>

#include "float-values.h"

static const guint sizes[] = { 1, 2, 3, 5, 6, 7, 11, 12, 13, 15, 16, 17, 31, 33, 48 };

static Guarded *outs, *as, *bs, *biases;

static void set_up(void)
{
  outs = guarded_new(1 << 18);
  as = guarded_new(1 << 20);
  bs = guarded_new(1 << 20);
  biases = guarded_new(1 << 16);
}

static void tear_down(void)
{
  guarded_free(outs);
  guarded_free(as);
  guarded_free(bs);
  guarded_free(biases);
}

/* ---- Products ---- */

typedef struct {
  guint m, n, k;
  gboolean accumulate, with_bias, transposed;
  guint gap; /* floats between the rows of a matrix */
  GuardedPlace where;
} Product;

/* b[k][n], and the same packed. */
typedef struct {
  float values[50 * 1100];
  float *packed;
} Matrix;

static void pack_matrix(const Kernels *kernels, Matrix *b, const Product *p, guint32 *random)
{
  const guint rows = p->transposed ? p->n : p->k, columns = p->transposed ? p->k : p->n;
  const gsize stride = columns + p->gap;
  fixture_fill(b->values, (gsize)p->n * p->k, -1, 1, random);
  float *source = place(as, (rows - 1) * stride + columns, p->where);
  for (guint row = 0; row < rows; row++)
    for (guint column = 0; column < columns; column++)
      source[row * stride + column] =
          b->values[p->transposed ? column * p->n + row : row * p->n + column];
  b->packed = place(bs, vitgate__packed_size(p->n, p->k), p->where);
  if (p->transposed)
    kernels->pack_transposed(b->packed, source, stride, p->n, p->k);
  else
    kernels->pack(b->packed, source, stride, p->n, p->k);
  assert_each(guarded_intact(bs), "%s packs %ux%u beside the array", kernels->name, p->k, p->n);
}

/* Checks one row of out. Its length bounds the error: each product and each addition is rounded
 * once, relative to the sum so far. */
static void check_row(const Kernels *kernels, const Product *p, const float *out,
                      const float *before, const float *a, const Matrix *b, const float *bias)
{
  for (guint j = 0; j < p->n; j++) {
    double sum = (p->accumulate ? before[j] : 0.0) + (bias ? bias[j] : 0.0);
    double magnitude = (p->accumulate ? fabs(before[j]) : 0.0) + (bias ? fabs(bias[j]) : 0.0);
    for (guint i = 0; i < p->k; i++) {
      sum += (double)a[i] * b->values[i * p->n + j];
      magnitude += fabs((double)a[i] * b->values[i * p->n + j]);
    }
    assert_each(fabs(out[j] - sum) <= (p->k + 2) * ROUNDING * magnitude,
                "%s: %ux%ux%u, column %u: %.9g, expected %.9g", kernels->name, p->m, p->n, p->k, j,
                out[j], sum);
  }
  for (guint j = p->n; j < p->n + p->gap; j++)
    assert_each(out[j] == before[j], "%s writes between the rows", kernels->name);
}

static void check_product(const Kernels *kernels, const Product *p, guint32 *random)
{
  static Matrix b;
  static float before[400 * 53];
  pack_matrix(kernels, &b, p, random);
  const gsize out_stride = p->n + p->gap, a_stride = p->k + p->gap;
  const gsize n_out = (p->m - 1) * out_stride + p->n, n_a = (p->m - 1) * a_stride + p->k;
  float *a = place(as, n_a, p->where), *out = place(outs, n_out, p->where);
  float *bias = p->with_bias ? place(biases, p->n, p->where) : NULL;
  fixture_fill(a, n_a, -1, 1, random);
  fixture_fill(before, n_out, -1, 1, random);
  memcpy(out, before, n_out * sizeof *out);
  if (bias)
    fixture_fill(bias, p->n, -1, 1, random);
  kernels->gemm(out, out_stride, a, a_stride, b.packed, bias, p->accumulate, p->m, p->n, p->k);
  Product row = *p;
  for (guint i = 0; i < p->m; i++) {
    row.gap = i + 1 < p->m ? p->gap : 0;
    check_row(kernels, &row, out + i * out_stride, before + i * out_stride, a + i * a_stride, &b,
              bias);
  }
  assert_each(guarded_intact(outs), "%s writes beside the product", kernels->name);
}

START_TEST(products_of_all_sizes_are_right)
{
  guint32 random = 1;
  guint variant = 0;
  FOR_ALL_KERNELS(kernels)
  for (guint m = 0; m < G_N_ELEMENTS(sizes); m++)
    for (guint n = 0; n < G_N_ELEMENTS(sizes); n++)
      for (guint k = 0; k < G_N_ELEMENTS(sizes); k++)
        for (guint i = 0; i < 4; i++) {
          variant++;
          /* Four, five and three have no common factor, so all combinations occur. */
          Product p = { sizes[m],    sizes[n],
                        sizes[k],    i & 1,
                        i >> 1 & 1,  variant % 2,
                        variant % 5, variant / 2 % 3 ? GUARDED_END : GUARDED_START };
          check_product(kernels, &p, &random);
        }
}
END_TEST

START_TEST(products_beyond_the_caches_are_right)
{
  /* Blocks end inside the matrices, along m and along k, and there is a last panel of each kind. */
  static const guint large[][3] = {
    { 200, 50, 1100 }, { 193, 16, 513 }, { 400, 3, 512 }, { 1, 33, 1024 }
  };
  guint32 random = 3;
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < G_N_ELEMENTS(large); i++)
    for (guint variant = 0; variant < 4; variant++) {
      const Product p = { large[i][0], large[i][1],      large[i][2], variant & 1,
                          variant < 2, variant % 3 == 0, variant,     GUARDED_END };
      check_product(kernels, &p, &random);
    }
}
END_TEST

/* Packs a matrix in the layout that kernels.h documents.
 * Returns: the number of floats */
static gsize expected_panels(float *packed, const float *b, guint n, guint k, guint lanes)
{
  gsize size = 0;
  for (guint first = 0; first < n; first += 2 * lanes) {
    const guint width = n - first > lanes ? 2 * lanes : lanes;
    for (guint i = 0; i < k; i++)
      for (guint j = first; j < first + width; j++)
        packed[size++] = j < n ? b[i * n + j] : 0.0f;
  }
  return size;
}

START_TEST(packed_matrices_have_the_documented_layout)
{
  static Matrix b;
  static float expected[64 * 48];
  guint32 random = 2;
  FOR_ALL_KERNELS(kernels)
  for (guint n = 0; n < G_N_ELEMENTS(sizes); n++)
    for (guint k = 0; k < G_N_ELEMENTS(sizes); k++)
      for (guint transposed = 0; transposed < 2; transposed++) {
        Product p = { 1, sizes[n], sizes[k], FALSE, FALSE, transposed, k % 4, GUARDED_END };
        pack_matrix(kernels, &b, &p, &random);
        gsize size = expected_panels(expected, b.values, p.n, p.k, kernels->lanes);
        ck_assert_uint_le(size, vitgate__packed_size(p.n, p.k));
        assert_each(!memcmp(b.packed, expected, size * sizeof(float)),
                    "%s: [%u][%u]%s is packed in another layout", kernels->name, p.k, p.n,
                    transposed ? " transposed" : "");
      }
}
END_TEST

int main(void)
{
  TCase *products = tcase_create("products");
  tcase_add_checked_fixture(products, set_up, tear_down);
  tcase_add_test(products, products_of_all_sizes_are_right);
  tcase_add_test(products, products_beyond_the_caches_are_right);
  tcase_add_test(products, packed_matrices_have_the_documented_layout);
  return fixture_run("kernels-gemm", products, NULL);
}
