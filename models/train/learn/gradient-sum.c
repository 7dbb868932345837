#include "train/learn/gradient-sum.h"

#include <stdlib.h>
#include <string.h>

#include "base/ranks-sum.h"
#include "train/network/training-kernels.h"

typedef struct {
  gsize first, n; /* values */
  int stage;      /* of the backward pass that completes it */
} Bucket;

struct _GradientSum {
  GArray *buckets; /* (element-type Bucket): in the order of their stages */
  real *const *gradients;
  guint n_threads, n_stages;
  GMutex mutex;
  GCond changed;
  guint *passed; /* [n_stages] threads that have passed each */
  guint *merged; /* [n_stages] threads that have added up their part */
};

/* Returns: the stage of the backward pass that completes the parameter's gradient */
static int stage_of(const Parameter *p, guint depth)
{
  if (g_str_has_prefix(p->name, "blocks."))
    return atoi(p->name + strlen("blocks."));
  const gboolean last = g_str_has_prefix(p->name, "norm.") || g_str_has_prefix(p->name, "head") ||
                        g_str_has_prefix(p->name, "fc_norm.");
  return last ? (int)depth : -1;
}

static int compare_buckets(gconstpointer a, gconstpointer b)
{
  const Bucket *x = a, *y = b;
  return x->stage != y->stage ? (x->stage < y->stage ? 1 : -1) : x->first < y->first ? -1 : 1;
}

/* Returns: (transfer full): the values that learn, divided by stages */
static GArray *divide(const Network *network)
{
  GArray *buckets = g_array_new(FALSE, FALSE, sizeof(Bucket));
  int stage = G_MININT;
  for (guint i = 0; i < network->parameters->len; i++) {
    const Parameter *p = &g_array_index(network->parameters, Parameter, i);
    const int own = stage_of(p, network->description->depth);
    if (p->fixed) {
      stage = own == stage ? stage : G_MININT;
      continue;
    }
    if (own != stage) {
      const Bucket bucket = { p->offset, 0, own };
      g_array_append_val(buckets, bucket);
      stage = own;
    }
    Bucket *last = &g_array_index(buckets, Bucket, buckets->len - 1);
    last->n = p->offset + p->n - last->first;
  }
  g_array_sort(buckets, compare_buckets);
  return buckets;
}

GradientSum *gradient_sum_new(const Network *network, real *const *gradients, guint n_threads)
{
  GradientSum *sum = g_new0(GradientSum, 1);
  sum->buckets = divide(network);
  sum->gradients = gradients;
  sum->n_threads = n_threads;
  sum->n_stages = network->description->depth + 2;
  sum->passed = g_new0(guint, sum->n_stages);
  sum->merged = g_new0(guint, sum->n_stages);
  g_mutex_init(&sum->mutex);
  g_cond_init(&sum->changed);
  return sum;
}

void gradient_sum_free(GradientSum **sum)
{
  GradientSum *s = g_steal_pointer(sum);
  if (!s)
    return;
  g_array_unref(s->buckets);
  g_free(s->passed);
  g_free(s->merged);
  g_mutex_clear(&s->mutex);
  g_cond_clear(&s->changed);
  g_free(s);
}

void gradient_sum_begin(GradientSum *sum)
{
  memset(sum->passed, 0, sum->n_stages * sizeof *sum->passed);
  memset(sum->merged, 0, sum->n_stages * sizeof *sum->merged);
}

/* Adds up a thread's part of the buckets of a stage. The last thread starts their sums over the
 * ranks; stages are complete one after the other, so their order is the same on all ranks. */
static void merge(GradientSum *sum, guint member, int stage)
{
  const guint n = sum->n_threads, at = (guint)(stage + 1);
  g_mutex_lock(&sum->mutex);
  while (sum->passed[at] < n)
    g_cond_wait(&sum->changed, &sum->mutex);
  g_mutex_unlock(&sum->mutex);
  for (guint i = 0; i < sum->buckets->len; i++) {
    const Bucket *bucket = &g_array_index(sum->buckets, Bucket, i);
    const gsize first = bucket->n * member / n, end = bucket->n * (member + 1) / n;
    for (guint m = 1; m < n && bucket->stage == stage; m++)
      training_kernels()->add_scaled(sum->gradients[0] + bucket->first + first, 1,
                                     sum->gradients[m] + bucket->first + first, end - first);
  }
  g_mutex_lock(&sum->mutex);
  sum->merged[at]++;
  for (guint i = 0; sum->merged[at] == n && i < sum->buckets->len; i++) {
    const Bucket *bucket = &g_array_index(sum->buckets, Bucket, i);
    if (bucket->stage == stage)
      ranks_sum_start(sum->gradients[0] + bucket->first, bucket->n, sizeof(real), i);
  }
  g_mutex_unlock(&sum->mutex);
}

void gradient_sum_passed(gpointer data, guint member, int stage)
{
  GradientSum *sum = data;
  g_mutex_lock(&sum->mutex);
  if (++sum->passed[stage + 1] == sum->n_threads)
    g_cond_broadcast(&sum->changed);
  g_mutex_unlock(&sum->mutex);
  /* A stage behind, the other threads have mostly passed it, and no thread waits. */
  if (sum->n_threads == 1)
    merge(sum, member, stage);
  else if ((guint)stage + 3 <= sum->n_stages)
    merge(sum, member, stage + 1);
  if (sum->n_threads > 1 && stage == -1)
    merge(sum, member, -1);
}

void gradient_sum_finish(GradientSum *sum)
{
  ranks_sum_wait();
}
