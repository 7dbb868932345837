/* Sums a gradient over the ranks of a run, in buckets of one block. */
#pragma once

#include "train/network/network.h"

typedef struct {
  gsize first, n; /* values */
} GradientBucket;

/* Divides the values that learn into buckets, from the last block to the first: the order in which
 * the backward pass completes them.
 * Returns: (transfer full) (element-type GradientBucket): the buckets */
GArray *gradient_buckets_new(const Network *network);

/* Replaces the values of each bucket by their sums over all ranks. */
void gradient_sum(real *gradient, const GArray *buckets);
