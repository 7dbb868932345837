#include "report/accuracy.h"

#include <math.h>

/* Returns the number of classes that come before @class. A score that is not a number is never
 * right. */
static guint find_rank(const float *scores, guint n_classes, guint class, const guint8 *counts)
{
  guint rank = 0;
  for (guint i = 0; i < n_classes; i++) {
    if (i == class || (counts && !counts[i]))
      continue;
    rank += i < class ? !(scores[i] < scores[class]) : !(scores[i] <= scores[class]);
  }
  return rank;
}

void accuracy_count(Accuracy *accuracy, const float *scores, guint n_classes, int class,
                    const guint8 *present)
{
  accuracy->images++;
  if (class < 0)
    return;
  guint rank = find_rank(scores, n_classes, (guint) class, NULL);
  accuracy->labelled++;
  accuracy->top1 += rank < 1;
  accuracy->top5 += rank < 5;
  accuracy->among_present += find_rank(scores, n_classes, (guint) class, present) < 1;
}

guint accuracy_answer(const VitgateResult *result, VitgateActivation activation)
{
  const float *logits = result->logits;
  guint best = 0, hash = 2166136261u; /* FNV-1a */
  for (guint i = 0; i < result->n_classes; i++) {
    if (logits[i] > logits[best])
      best = i;
    if (logits[i] >= 0)
      hash = (hash ^ i) * 16777619u;
  }
  return activation == VITGATE_ACTIVATION_SIGMOID ? hash : best;
}

/* Returns: p log(p / q) for probabilities of which @q may be rounded to 0 */
static double term(double p, double q)
{
  return p > 0 ? p * log(p / MAX(q, 1e-30)) : 0;
}

double accuracy_divergence(const VitgateResult *result, const VitgateResult *reference,
                           VitgateActivation activation)
{
  double sum = 0;
  for (guint i = 0; i < result->n_classes; i++) {
    const double p = (double)reference->probabilities[i], q = (double)result->probabilities[i];
    sum += term(p, q) + (activation == VITGATE_ACTIVATION_SIGMOID ? term(1 - p, 1 - q) : 0);
  }
  return sum;
}

double accuracy_percent(guint64 hits, const Accuracy *accuracy)
{
  return accuracy->labelled ? 100.0 * (double)hits / (double)accuracy->labelled : NAN;
}
