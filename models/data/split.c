#include "data/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

typedef struct {
  const Photograph *photograph;
  guint index;
  gsize folder_length; /* length of the folder's part of its name */
  guint64 hash;
} Candidate;

static guint64 hash_name(const char *name)
{
  guint64 hash = 0;
  for (; *name; name++)
    hash = random_mix(hash + (guint8)*name);
  return hash;
}

static int compare_strata(const Candidate *a, const Candidate *b)
{
  const Photograph *p = a->photograph, *q = b->photograph;
  if (p->folder != q->folder)
    return p->folder < q->folder ? -1 : 1;
  if (p->class_index != q->class_index)
    return p->class_index < q->class_index ? -1 : 1;
  int order = g_strcmp0(p->class_id, q->class_id);
  if (order)
    return order;
  order = strncmp(p->name, q->name, MIN(a->folder_length, b->folder_length));
  if (order || a->folder_length == b->folder_length)
    return order;
  return a->folder_length < b->folder_length ? -1 : 1;
}

static int compare_candidates(gconstpointer first, gconstpointer second)
{
  const Candidate *a = first, *b = second;
  int order = compare_strata(a, b);
  if (order)
    return order;
  if (a->hash != b->hash)
    return a->hash < b->hash ? -1 : 1;
  return strcmp(a->photograph->name, b->photograph->name);
}

static Candidate *list_candidates(const Dataset *dataset)
{
  const guint n = dataset->photographs->len;
  Candidate *candidates = g_new(Candidate, n);
  for (guint i = 0; i < n; i++) {
    const Photograph *photograph = dataset_get(dataset, i);
    const char *slash = strrchr(photograph->name, '/');
    candidates[i] = (Candidate){ photograph, i, slash ? (gsize)(slash - photograph->name) : 0,
                                 hash_name(photograph->name) };
  }
  qsort(candidates, n, sizeof *candidates, compare_candidates);
  return candidates;
}

void split_mark(const Dataset *dataset, double share, guint8 *held_out)
{
  const guint n = dataset->photographs->len;
  g_autofree Candidate *candidates = list_candidates(dataset);
  memset(held_out, 0, n);
  /* The rounding error of a stratum is carried over to the next, so that small strata together hold
   * out their share. */
  double due = 0.5;
  for (guint first = 0, end; first < n; first = end) {
    for (end = first + 1; end < n; end++)
      if (compare_strata(&candidates[first], &candidates[end]))
        break;
    const guint size = end - first;
    due += share * size;
    guint taken = (guint)MIN(due, ceil(share * size));
    taken = MIN(taken, size - 1);
    due -= taken;
    for (guint i = 0; i < taken; i++)
      held_out[candidates[first + i].index] = 1;
  }
}
