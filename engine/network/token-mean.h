/* The mean of an image's patch tokens, each as often as it stands for patches: what gates and heads
 * read. Threads that share the image share the sums. Rows are added in fixed blocks, so that the
 * result does not depend on the number of threads. */
#pragma once

#include <glib.h>

/* Rows that one thread adds up. */
#define TOKEN_BLOCK 16

/* Returns: how many floats the sums of @n_tokens rows take */
static inline gsize vitgate__token_sums_size(guint n_tokens, guint dim)
{
  return (gsize)(n_tokens + TOKEN_BLOCK - 1) / TOKEN_BLOCK * dim;
}

/* Adds up the blocks that begin among the rows from @first to @last.
 * @sums: (out caller-allocates): vitgate__token_sums_size() floats
 * @tokens: [n_tokens][dim]; @size: [n_tokens] patches that each stands for
 * @n_prefix: how many tokens before the patches take no part */
void vitgate__token_sums(float *sums, const float *tokens, const float *size, guint n_tokens,
                         guint n_prefix, guint dim, guint first, guint last);

/* Makes the mean of all blocks; zeros if there are no patch tokens.
 * @mean: (out caller-allocates): [dim] */
void vitgate__token_mean(float *mean, const float *sums, const float *size, guint n_tokens,
                         guint n_prefix, guint dim);
