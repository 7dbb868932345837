#include "network/address-space.h"

#include "file/architecture.h"
#include "network/linear.h"

/* Every array has fewer bytes than this factor times the largest product of two counts. */
#define MARGIN 64

/* Returns: the width of the widest layer that a token passes through */
static guint64 widest(const Description *d)
{
  guint64 width = MAX(d->dim, vitgate__description_patch_values(d));
  for (guint b = 0; b < d->depth; b++) {
    width = MAX(width, (guint64)3 * d->blocks[b].heads * d->head_dim);
    width = MAX(width, d->blocks[b].neurons);
  }
  /* The sums of a performer's keys for one block of rows. */
  return MAX(width, (guint64)d->n_features * (d->token_dim + 1) / LINEAR_ROWS);
}

gboolean vitgate__addressable(const Description *d, gsize max_bytes)
{
  /* A stem has 16 tokens for each patch. Counts are below 2^25, widths below 2^17. */
  const guint64 tokens = (guint64)vitgate__description_n_tokens(d) * (d->token_dim ? 16 : 1);
  const guint64 limit = max_bytes / MARGIN;
  return tokens * MAX(widest(d), tokens) <= limit &&
         (guint64)3 * d->image_size * d->image_size <= limit &&
         vitgate__description_parameters(d) <= limit;
}
