#include "network/token-mean.h"

#include "kernels/kernels.h"

void vitgate__token_sums(float *sums, const float *tokens, const float *size, guint n_tokens,
                         guint n_prefix, guint dim, guint first, guint last)
{
  for (guint b = (first + TOKEN_BLOCK - 1) / TOKEN_BLOCK; b * TOKEN_BLOCK < last; b++) {
    const guint row = MAX(b * TOKEN_BLOCK, n_prefix), end = MIN((b + 1) * TOKEN_BLOCK, n_tokens);
    vitgate__kernels()->add_rows(sums + (gsize)b * dim, tokens + (gsize)row * dim, dim, size + row,
                                 end > row ? end - row : 0, dim);
  }
}

void vitgate__token_mean(float *mean, const float *sums, const float *size, guint n_tokens,
                         guint n_prefix, guint dim)
{
  float patches = 0.0f;
  for (guint t = n_prefix; t < n_tokens; t++)
    patches += size[t];
  vitgate__kernels()->add_rows(mean, sums, dim, NULL, (n_tokens + TOKEN_BLOCK - 1) / TOKEN_BLOCK,
                               dim);
  for (guint i = 0; patches > 0.0f && i < dim; i++)
    mean[i] /= patches;
}
