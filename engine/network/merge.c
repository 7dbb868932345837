#include "network/merge.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "kernels/kernels.h"

struct _MergeScratch {
  float *keys;   /* [tokens][width] unit vectors: those at even positions, then those at odd ones */
  float *packed; /* the keys at odd positions, packed */
  float *cosines; /* [even][odd] */
  guint *keepers; /* [tokens] by new position: the old position of the token that keeps the mean */
  float *sizes;   /* [tokens] total size of a token that others merge into; otherwise 0 */
};

MergeScratch *vitgate__merge_scratch_new(guint max_tokens, guint width)
{
  MergeScratch *scratch = g_new0(MergeScratch, 1);
  const gsize half = (max_tokens + 1) / 2;
  const gsize keys = vitgate__round_up((gsize)max_tokens * width),
              packed = vitgate__packed_size((guint)half, width);
  if (posix_memalign((void **)&scratch->keys, 64,
                     (keys + packed + vitgate__round_up(half * half)) * sizeof(float)))
    scratch->keys = NULL;
  scratch->keepers = g_try_new(guint, max_tokens);
  scratch->sizes = g_try_new(float, max_tokens);
  if (!scratch->keys || !scratch->keepers || !scratch->sizes) {
    vitgate__merge_scratch_free(&scratch);
    return NULL;
  }
  scratch->packed = scratch->keys + keys;
  scratch->cosines = scratch->packed + packed;
  return scratch;
}

void vitgate__merge_scratch_free(MergeScratch **scratch)
{
  MergeScratch *s = g_steal_pointer(scratch);
  if (!s)
    return;
  free(s->keys);
  g_free(s->keepers);
  g_free(s->sizes);
  g_free(s);
}

guint vitgate__merge_match(MergeScratch *s, guint *into, const float *keys, gsize key_stride,
                           guint n_heads, guint width, guint n_tokens, guint n_prefix,
                           float threshold)
{
  const guint n = n_tokens - n_prefix, n_odd = n / 2, n_even = n - n_odd;
  const Kernels *kernels = vitgate__kernels();
  for (guint i = 0; i < n; i++)
    kernels->unit_sum(s->keys + (gsize)(i % 2 ? n_even + i / 2 : i / 2) * width,
                      keys + (n_prefix + i) * key_stride, n_heads, width);
  if (n_odd) {
    kernels->pack_transposed(s->packed, s->keys + (gsize)n_even * width, width, n_odd, width);
    kernels->gemm(s->cosines, n_odd, s->keys, width, s->packed, NULL, FALSE, n_even, n_odd, width);
  }

  /* First find each token's target, by old position; then number the tokens that remain. */
  for (guint i = 0; i < n_tokens; i++)
    into[i] = i;
  for (guint e = 0; e < n_even && n_odd; e++) {
    const float *row = s->cosines + (gsize)e * n_odd;
    const guint best = kernels->find_largest(row, n_odd);
    if (row[best] > threshold)
      into[n_prefix + 2 * e] = n_prefix + 2 * best + 1;
  }
  guint remaining = 0;
  for (guint i = 0; i < n_tokens; i++)
    if (into[i] == i)
      into[i] = G_MAXUINT - remaining++;
  for (guint i = 0; i < n_tokens; i++)
    if (into[i] <= n_tokens)
      into[i] = into[into[i]];
  for (guint i = 0; i < n_tokens; i++)
    into[i] = G_MAXUINT - into[i];
  return remaining;
}

double vitgate__merge_gmacs(guint n_patch_tokens, guint width)
{
  return 1e-9 * (n_patch_tokens - n_patch_tokens / 2) * (n_patch_tokens / 2) * (double)width;
}

void vitgate__merge_apply(MergeScratch *s, float *tokens, float *size, const guint *into,
                          guint n_tokens, guint n_prefix, guint dim)
{
  /* Of the tokens with the same new position, the odd one is the keeper. An even token is
   * one only if no other token has its new position. */
  guint remaining = 0;
  for (guint i = 0; i < n_tokens; i++)
    s->keepers[i] = G_MAXUINT;
  for (guint i = 0; i < n_tokens; i++)
    if (i < n_prefix || (i - n_prefix) % 2)
      s->keepers[into[i]] = i;
  for (guint i = 0; i < n_tokens; i++) {
    if (s->keepers[into[i]] == G_MAXUINT)
      s->keepers[into[i]] = i;
    remaining = MAX(remaining, into[i] + 1);
  }
  /* Only keepers that other tokens merge into are averaged. They hold sums until the end. */
  memset(s->sizes, 0, n_tokens * sizeof *s->sizes);
  for (guint i = 0; i < n_tokens; i++) {
    const guint keeper = s->keepers[into[i]];
    float *sum = tokens + (gsize)keeper * dim;
    const float *token = tokens + (gsize)i * dim;
    if (keeper == i)
      continue;
    if (s->sizes[keeper] == 0) {
      s->sizes[keeper] = size[keeper];
      for (guint j = 0; j < dim; j++)
        sum[j] *= size[keeper];
    }
    s->sizes[keeper] += size[i];
    for (guint j = 0; j < dim; j++)
      sum[j] += token[j] * size[i];
  }
  /* Keepers are in order and only move to lower positions, so none overwrites a later one. */
  for (guint i = 0; i < remaining; i++) {
    const guint keeper = s->keepers[i];
    const float *token = tokens + (gsize)keeper * dim, all = s->sizes[keeper];
    if (all > 0) {
      for (guint j = 0; j < dim; j++)
        tokens[(gsize)i * dim + j] = token[j] / all;
      size[i] = all;
    } else if (i < keeper) {
      memcpy(tokens + (gsize)i * dim, token, dim * sizeof *token);
      size[i] = size[keeper];
    }
  }
}
