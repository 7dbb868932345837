#include "teach/outcome.h"

#include <math.h>

#include "teach/calibration.h"

#define Z_95 1.959964

void outcome_interval(double share, guint n, double *low, double *high)
{
  const double z2 = Z_95 * Z_95 / n;
  const double middle = (share + z2 / 2) / (1 + z2);
  const double half = Z_95 / (1 + z2) * sqrt(share * (1 - share) / n + z2 / (4.0 * n));
  *low = MAX(0, middle - half);
  *high = MIN(1, middle + half);
}

static int compare_confusions(gconstpointer a, gconstpointer b)
{
  const OutcomeConfusion *x = a, *y = b;
  if (x->n != y->n)
    return x->n < y->n ? 1 : -1;
  return x->from != y->from ? (x->from > y->from) - (x->from < y->from)
                            : (x->to > y->to) - (x->to < y->to);
}

static int compare_doubts(gconstpointer a, gconstpointer b)
{
  const OutcomeDoubt *x = a, *y = b;
  return x->probability != y->probability
             ? (x->probability > y->probability) - (x->probability < y->probability)
             : (x->example > y->example) - (x->example < y->example);
}

static void count_confusion(GHashTable *counts, guint n_classes, guint from, guint to)
{
  const gpointer key = GUINT_TO_POINTER(from * n_classes + to + 1);
  const guint before = GPOINTER_TO_UINT(g_hash_table_lookup(counts, key));
  g_hash_table_insert(counts, key, GUINT_TO_POINTER(before + 1));
}

static void list_confusions(Outcome *outcome, GHashTable *counts)
{
  GHashTableIter iter;
  gpointer key, value;
  g_hash_table_iter_init(&iter, counts);
  while (g_hash_table_iter_next(&iter, &key, &value)) {
    const guint pair = GPOINTER_TO_UINT(key) - 1;
    const OutcomeConfusion confusion = { pair / outcome->n_classes, pair % outcome->n_classes,
                                         GPOINTER_TO_UINT(value) };
    g_array_append_val(outcome->confusions, confusion);
  }
  g_array_sort(outcome->confusions, compare_confusions);
}

static guint best_of(const double *probabilities, guint n)
{
  guint best = 0;
  for (guint c = 1; c < n; c++)
    if (probabilities[c] > probabilities[best])
      best = c;
  return best;
}

static void judge_single(Outcome *outcome, const double *probabilities, guint i, guint class,
                         GHashTable *counts)
{
  const guint best = best_of(probabilities, outcome->n_classes);
  const OutcomeDoubt doubt = { i, probabilities[class], (int)class, best, probabilities[best] };
  outcome->right += best == class;
  outcome->classes[class].right += best == class;
  if (best != class)
    count_confusion(counts, outcome->n_classes, class, best);
  if (doubt.probability < OUTCOME_DOUBT)
    g_array_append_val(outcome->doubts, doubt);
}

static void judge_several(Outcome *outcome, const double *probabilities, guint i,
                          const guint8 *shown)
{
  const guint best = best_of(probabilities, outcome->n_classes);
  OutcomeDoubt doubt = { i, 1, -1, best, probabilities[best] };
  gboolean right = TRUE;
  for (guint c = 0; c < outcome->n_classes; c++) {
    OutcomeClass *class = &outcome->classes[c];
    const double own = shown[c] ? probabilities[c] : 1 - probabilities[c];
    const gboolean fine = (probabilities[c] >= class->threshold) == shown[c];
    right = right && fine;
    class->right += shown[c] && fine;
    if (own < doubt.probability) {
      doubt.probability = own;
      doubt.class = (int)c;
    }
  }
  outcome->right += right;
  if (doubt.probability < OUTCOME_DOUBT)
    g_array_append_val(outcome->doubts, doubt);
}

static void count_classes(Outcome *outcome, const Examples *examples, const Cross *cross)
{
  for (guint c = 0; c < outcome->n_classes; c++) {
    OutcomeClass *class = &outcome->classes[c];
    g_autofree guint8 *seen = g_new0(guint8, examples->n_groups + 1);
    for (guint i = 0; i < outcome->n; i++) {
      const Example *example = examples_get(examples, i);
      class->pictures += example->shown[c];
      class->groups += example->shown[c] && !seen[example->group];
      seen[example->group] |= example->shown[c];
    }
    if (!cross->predictions.sigmoid)
      continue;
    class->threshold = calibration_threshold(&cross->predictions, cross->factor, c, &class->f1);
    outcome->f1 += class->f1 / outcome->n_classes;
  }
}

Outcome *outcome_new(const Examples *examples, const Cross *cross)
{
  Outcome *outcome = g_new0(Outcome, 1);
  g_autoptr(GHashTable) counts = g_hash_table_new(NULL, NULL);
  outcome->n_classes = examples->labels->len;
  outcome->n = examples->list->len;
  outcome->n_groups = examples->n_groups;
  outcome->classes = g_new0(OutcomeClass, outcome->n_classes);
  outcome->confusions = g_array_new(FALSE, FALSE, sizeof(OutcomeConfusion));
  outcome->doubts = g_array_new(FALSE, FALSE, sizeof(OutcomeDoubt));
  g_autofree double *probabilities = g_new(double, outcome->n_classes);
  count_classes(outcome, examples, cross);
  for (guint i = 0; i < outcome->n; i++) {
    calibration_probabilities(&cross->predictions, i, cross->factor, probabilities);
    if (cross->predictions.sigmoid)
      judge_several(outcome, probabilities, i, cross->shown[i]);
    else
      judge_single(outcome, probabilities, i, (guint)examples_class(examples, i), counts);
  }
  list_confusions(outcome, counts);
  g_array_sort(outcome->doubts, compare_doubts);
  outcome->calibration_error = calibration_error(&cross->predictions, cross->factor);
  outcome_interval((double)outcome->right / outcome->n, outcome->n_groups, &outcome->low,
                   &outcome->high);
  return outcome;
}

void outcome_free(Outcome **outcome)
{
  Outcome *freeing = g_steal_pointer(outcome);
  if (!freeing)
    return;
  g_free(freeing->classes);
  g_array_unref(freeing->confusions);
  g_array_unref(freeing->doubts);
  g_free(freeing);
}

guint outcome_weakest(const Outcome *outcome)
{
  guint weakest = 0;
  for (guint c = 1; c < outcome->n_classes; c++) {
    const OutcomeClass *class = &outcome->classes[c], *before = &outcome->classes[weakest];
    const guint64 wrong = (guint64)(class->pictures - class->right) * MAX(1, before->pictures);
    const guint64 least = (guint64)(before->pictures - before->right) * MAX(1, class->pictures);
    if (wrong > least || (wrong == least && class->groups < before->groups))
      weakest = c;
  }
  return weakest;
}
