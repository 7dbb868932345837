/* The mean of an image's patch tokens, weighted by the patches that each stands for: the input of
 * gates and heads. Threads that share the image share the work. Rows are added in fixed blocks, so
 * the result does not depend on the number of threads. */
#pragma once

#include <glib.h>

/* Rows that one thread adds up. */
#define TOKEN_BLOCK 16

/* Returns: the number of floats of the sums over @n_tokens rows */
static inline gsize vitgate__token_sums_size(guint n_tokens, guint dim)
{
  return (gsize)(n_tokens + TOKEN_BLOCK - 1) / TOKEN_BLOCK * dim;
}

/* Adds up the blocks that start in the rows from @first to @last.
 * @sums: (out caller-allocates): vitgate__token_sums_size() floats
 * @tokens: [n_tokens][dim]; @size: [n_tokens] patches that each stands for
 * @n_prefix: number of tokens before the patches, which do not count */
void vitgate__token_sums(float *sums, const float *tokens, const float *size, guint n_tokens,
                         guint n_prefix, guint dim, guint first, guint last);

/* Computes the mean over all blocks; zeros if there are no patch tokens.
 * @mean: (out caller-allocates): [dim] */
void vitgate__token_mean(float *mean, const float *sums, const float *size, guint n_tokens,
                         guint n_prefix, guint dim);
