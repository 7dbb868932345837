/* Token merging: patch tokens whose keys agree are averaged (bipartite matching as in ToMe, Bolya
 * et al. 2023, with a threshold on the cosine instead of a count). */
#pragma once

#include <glib.h>

typedef struct _MergeScratch MergeScratch;

/* Returns: (transfer full): memory for matching up to @max_tokens keys of @width values */
MergeScratch *vitgate__merge_scratch_new(guint max_tokens, guint width);
void vitgate__merge_scratch_free(MergeScratch **scratch);

/* Finds the tokens to merge. Each patch token at an even position merges into the token at an odd
 * position whose key has the highest cosine with its own (the first of equals), if that cosine
 * exceeds @threshold. The remaining tokens keep their order. The first @n_prefix tokens never
 * merge.
 * @into: (out caller-allocates): [n_tokens] the new position of each token
 * @keys: [n_tokens][n_heads][width] at @key_stride; a token's key is the sum over its heads
 * Returns: the number of remaining tokens */
guint vitgate__merge_match(MergeScratch *scratch, guint *into, const float *keys, gsize key_stride,
                           guint n_heads, guint width, guint n_tokens, guint n_prefix,
                           float threshold);

/* Merges tokens in place: tokens[into[i]] = mean of all such tokens[i], weighted by size. Their
 * sizes are added up.
 * @tokens: [n_tokens][dim]; @size: [n_tokens] number of patches that each stands for */
void vitgate__merge_apply(MergeScratch *scratch, float *tokens, float *size, const guint *into,
                          guint n_tokens, guint n_prefix, guint dim);

/* Returns: the multiply-adds of vitgate__merge_match(), in 1e9 */
double vitgate__merge_gmacs(guint n_patch_tokens, guint width);
