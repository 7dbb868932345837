#include "teach/folds.h"

#include <string.h>

#define MAX_SINGLE 20  /* groups that are a fold each */
#define MAX_TEN    200 /* examples for which ten folds take little time */

guint *folds_deal(const Examples *examples, gboolean several, guint max_folds, guint *n_folds)
{
  const guint n = examples->list->len, n_classes = examples->labels->len;
  const gboolean single = examples->n_groups <= MAX_SINGLE;
  g_autofree guint *fold_of = g_new(guint, examples->n_groups + 1);
  guint *folds = g_new(guint, n + 1), next = 0;
  *n_folds = MIN(max_folds, single ? examples->n_groups : n <= MAX_TEN ? 10 : 5);
  memset(fold_of, 0xff, (examples->n_groups + 1) * sizeof *fold_of);
  for (guint c = 0; c < (several ? 1 : n_classes); c++)
    for (guint i = 0; i < n; i++) {
      const guint group = examples_get(examples, i)->group;
      if (fold_of[group] == G_MAXUINT && (several || examples_class(examples, i) == (int)c))
        fold_of[group] = next++ % *n_folds;
    }
  for (guint i = 0; i < n; i++)
    folds[i] = fold_of[examples_get(examples, i)->group];
  return folds;
}
