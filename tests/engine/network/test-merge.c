/* Token merging, compared with its definition pair by pair. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "network/merge.h"

/* The engine computes cosines with a product, which sums in another order. No cosine of these
 * random keys is this close to the threshold or to another cosine. */
#define COSINE_TOLERANCE 1e-6

/* Sums of at most a few hundred floats. */
#define TOKEN_TOLERANCE 1e-5

enum { WIDTH = 5, HEADS = 3, DIM = 7, STRIDE = HEADS * WIDTH + 4 };

static double cosine(const float *keys, guint a, guint b)
{
  double dot = 0, square_a = 1e-12, square_b = 1e-12;
  for (guint j = 0; j < WIDTH; j++) {
    double x = 0, y = 0;
    for (guint h = 0; h < HEADS; h++) {
      x += keys[a * STRIDE + h * WIDTH + j];
      y += keys[b * STRIDE + h * WIDTH + j];
    }
    dot += x * y;
    square_a += x * x;
    square_b += y * y;
  }
  return dot / sqrt(square_a * square_b);
}

/* target[i] = the token that token i merges into, or i if it does not merge */
static void match_plainly(guint *target, const float *keys, guint n, guint prefix, double threshold)
{
  for (guint i = 0; i < n; i++) {
    target[i] = i;
    if (i < prefix || (i - prefix) % 2)
      continue;
    double best = threshold;
    for (guint j = prefix + 1; j < n; j += 2)
      if (cosine(keys, i, j) > best + COSINE_TOLERANCE) {
        best = cosine(keys, i, j);
        target[i] = j;
      }
  }
}

static void check(guint n, guint prefix, double threshold, guint seed)
{
  g_autoptr(GRand) random = g_rand_new_with_seed(seed);
  g_autofree float *keys = g_new(float, n *STRIDE), *tokens = g_new(float, n *DIM),
                   *size = g_new(float, n);
  g_autofree double *sums = g_new0(double, n *DIM), *sizes = g_new0(double, n);
  g_autofree guint *into = g_new(guint, n), *target = g_new(guint, n), *place = g_new(guint, n);
  for (guint i = 0; i < n * STRIDE; i++)
    keys[i] = (float)g_rand_double_range(random, -1, 1);
  for (guint i = 0; i < n * DIM; i++)
    tokens[i] = (float)g_rand_double_range(random, -1, 1);
  for (guint i = 0; i < n; i++)
    size[i] = (float)g_rand_int_range(random, 1, 5);

  match_plainly(target, keys, n, prefix, threshold);
  guint expected = 0;
  for (guint i = 0; i < n; i++)
    place[i] = target[i] == i ? expected++ : 0;
  for (guint i = 0; i < n; i++) {
    sizes[place[target[i]]] += size[i];
    for (guint j = 0; j < DIM; j++)
      sums[place[target[i]] * DIM + j] += size[i] * tokens[i * DIM + j];
  }

  MergeScratch *scratch = vitgate__merge_scratch_new(n, WIDTH);
  const guint found =
      vitgate__merge_match(scratch, into, keys, STRIDE, HEADS, WIDTH, n, prefix, (float)threshold);
  ck_assert_uint_eq(found, expected);
  for (guint i = 0; i < n; i++)
    ck_assert_msg(into[i] == place[target[i]], "%u tokens: %u goes to %u, expected %u", n, i,
                  into[i], place[target[i]]);
  vitgate__merge_apply(scratch, tokens, size, into, n, prefix, DIM);
  for (guint i = 0; i < expected; i++) {
    ck_assert_float_eq_tol(size[i], (float)sizes[i], TOKEN_TOLERANCE);
    for (guint j = 0; j < DIM; j++)
      ck_assert_float_eq_tol(tokens[i * DIM + j], (float)(sums[i * DIM + j] / sizes[i]),
                             TOKEN_TOLERANCE);
  }
  vitgate__merge_scratch_free(&scratch);
}

START_TEST(tokens_merge_as_defined)
{
  static const guint counts[] = { 1, 2, 3, 4, 5, 6, 9, 17, 18, 50, 197, 198 };
  static const double thresholds[] = { -1, 0, 0.3, 0.6, 0.8, 0.95, 1 };
  for (guint c = 0; c < G_N_ELEMENTS(counts); c++)
    for (guint t = 0; t < G_N_ELEMENTS(thresholds); t++)
      for (guint prefix = 1; prefix <= MIN(2, counts[c]); prefix++)
        check(counts[c], prefix, thresholds[t], 100 * c + t);
}
END_TEST

int main(void)
{
  TCase *merging = tcase_create("merging");
  tcase_add_test(merging, tokens_merge_as_defined);
  return fixture_run("merge", merging, NULL);
}
