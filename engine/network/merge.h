/* Token merging: patch tokens whose keys agree are averaged (bipartite matching as in ToMe, Bolya
 * et al. 2023, with a threshold on the cosine instead of a count). */
#pragma once

#include <glib.h>

typedef struct _MergeScratch MergeScratch;

/* Returns: (transfer full): memory for matching up to @max_tokens keys of @width values */
MergeScratch *vitgate__merge_scratch_new(guint max_tokens, guint width);
void vitgate__merge_scratch_free(MergeScratch **scratch);

/* Patch tokens are split into those at even and at odd places. Every even one goes into the odd
 * one whose key has the highest cosine with its own, the first of equals, if that exceeds
 * @threshold. What remains keeps its order; the first @n_prefix tokens take no part.
 * @into: (out caller-allocates): [n_tokens] the new place of each token
 * @keys: [n_tokens][width] at @key_stride, for each token the sum of its heads' keys: heads of
 *        @width values lie one behind the other
 * Returns: how many tokens remain */
guint vitgate__merge_match(MergeScratch *scratch, guint *into, const float *keys, gsize key_stride,
                           guint n_heads, guint width, guint n_tokens, guint n_prefix,
                           float threshold);

/* In place: tokens[into[i]] = mean of all tokens[i], weighted by size, which becomes their sum.
 * @tokens: [n_tokens][dim]; @size: [n_tokens] patches that a token stands for */
void vitgate__merge_apply(MergeScratch *scratch, float *tokens, float *size, const guint *into,
                          guint n_tokens, guint n_prefix, guint dim);

/* Multiply-adds of matching, in 1e9. */
double vitgate__merge_gmacs(guint n_patch_tokens, guint width);
