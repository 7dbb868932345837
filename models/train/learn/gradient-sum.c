#include "train/learn/gradient-sum.h"

#include <stdlib.h>
#include <string.h>

#include "base/ranks.h"

#define sum_reals(values, n)                                                                       \
  _Generic((values), float * : ranks_sum_floats, double * : ranks_sum_doubles)(values, n)

/* Returns: the number of the parameter's block; -1: none */
static int block_of(const Parameter *p)
{
  return g_str_has_prefix(p->name, "blocks.") ? atoi(p->name + strlen("blocks.")) : -1;
}

static int compare_buckets(gconstpointer a, gconstpointer b)
{
  const GradientBucket *x = a, *y = b;
  return x->first < y->first ? 1 : -1;
}

GArray *gradient_buckets_new(const Network *network)
{
  GArray *buckets = g_array_new(FALSE, FALSE, sizeof(GradientBucket));
  int block = G_MININT;
  for (guint i = 0; i < network->parameters->len; i++) {
    const Parameter *p = &g_array_index(network->parameters, Parameter, i);
    if (p->fixed)
      continue;
    if (block_of(p) != block) {
      const GradientBucket bucket = { p->offset, 0 };
      g_array_append_val(buckets, bucket);
      block = block_of(p);
    }
    GradientBucket *last = &g_array_index(buckets, GradientBucket, buckets->len - 1);
    last->n = p->offset + p->n - last->first;
  }
  g_array_sort(buckets, compare_buckets);
  return buckets;
}

void gradient_sum(real *gradient, const GArray *buckets)
{
  for (guint i = 0; i < buckets->len; i++) {
    const GradientBucket *bucket = &g_array_index(buckets, GradientBucket, i);
    sum_reals(gradient + bucket->first, bucket->n);
  }
}
