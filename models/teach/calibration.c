#include "teach/calibration.h"

#include <math.h>
#include <stdlib.h>

#define MAX_FACTOR 20.0
#define BINS       10
#define STEPS      40 /* of a bisection */

/* Returns: the probability that a row should give a class: not quite 1 or 0, so that a few pictures
 * that are all right do not make the model sure of everything (Platt 1999, here with half a picture
 * more of each kind, as Jeffreys' prior has it) */
static double target_of(const Predictions *p, guint row, guint class)
{
  const double doubt = 0.5 / (p->n + 1.0);
  if (p->shown[row][class])
    return 1 - doubt;
  return p->sigmoid ? doubt : doubt / (p->n_classes - 1);
}

/* Computes the derivative of a row's loss by the logarithm of the factor.
 * @loss: (inout): adds the loss
 * Returns: the derivative */
static double add_row(const Predictions *p, guint row, double factor, double *scratch, double *loss)
{
  const float *logits = p->logits + (gsize)row * p->n_classes;
  double slope = 0, best = -INFINITY, sum = 0;
  if (p->sigmoid) {
    for (guint c = 0; c < p->n_classes; c++) {
      const double z = factor * logits[c], small = exp(-fabs(z));
      const double target = target_of(p, row, c);
      *loss += MAX(z, 0) - target * z + log1p(small);
      slope += ((z > 0 ? 1 : small) / (1 + small) - target) * z;
    }
    return slope;
  }
  for (guint c = 0; c < p->n_classes; c++)
    best = MAX(best, factor * logits[c]);
  for (guint c = 0; c < p->n_classes; c++)
    sum += scratch[c] = exp(factor * logits[c] - best);
  for (guint c = 0; c < p->n_classes; c++) {
    const double target = target_of(p, row, c);
    slope += (scratch[c] / sum - target) * factor * logits[c];
    *loss += target * (log(sum) + best - factor * logits[c]);
  }
  return slope;
}

static double evaluate(const Predictions *p, double factor, double *loss)
{
  g_autofree double *scratch = g_new(double, p->n_classes);
  double slope = 0;
  *loss = 0;
  for (guint i = 0; i < p->n; i++)
    slope += add_row(p, i, factor, scratch, loss);
  *loss /= p->n;
  return slope;
}

double calibration_fit(const Predictions *p, double *loss)
{
  /* The loss is convex in the factor, so its slope changes sign once. */
  double low = -log(MAX_FACTOR), high = log(MAX_FACTOR);
  for (guint i = 0; i < STEPS && high - low > 1e-4; i++) {
    const double middle = (low + high) / 2;
    if (evaluate(p, exp(middle), loss) > 0)
      high = middle;
    else
      low = middle;
  }
  const double factor = exp((low + high) / 2);
  evaluate(p, factor, loss);
  return factor;
}

void calibration_probabilities(const Predictions *p, guint row, double factor,
                               double *probabilities)
{
  const float *logits = p->logits + (gsize)row * p->n_classes;
  double best = -INFINITY, sum = 0;
  for (guint c = 0; c < p->n_classes; c++)
    best = MAX(best, factor * logits[c]);
  for (guint c = 0; c < p->n_classes; c++) {
    probabilities[c] =
        p->sigmoid ? 1 / (1 + exp(-factor * logits[c])) : exp(factor * logits[c] - best);
    sum += probabilities[c];
  }
  for (guint c = 0; !p->sigmoid && c < p->n_classes; c++)
    probabilities[c] /= sum;
}

typedef struct {
  double probability, right;
} Bin;

static void add_to_bin(Bin *bins, double probability, gboolean right)
{
  Bin *bin = &bins[MIN((guint)(probability * BINS), BINS - 1)];
  bin->probability += probability;
  bin->right += right;
}

double calibration_error(const Predictions *p, double factor)
{
  Bin bins[BINS] = { { 0 } };
  g_autofree double *probabilities = g_new(double, p->n_classes);
  for (guint i = 0; i < p->n; i++) {
    guint best = 0;
    calibration_probabilities(p, i, factor, probabilities);
    for (guint c = 0; c < p->n_classes; c++) {
      if (p->sigmoid)
        add_to_bin(bins, probabilities[c], p->shown[i][c]);
      if (probabilities[c] > probabilities[best])
        best = c;
    }
    if (!p->sigmoid)
      add_to_bin(bins, probabilities[best], p->shown[i][best]);
  }
  double sum = 0;
  for (guint b = 0; b < BINS; b++)
    sum += fabs(bins[b].probability - bins[b].right);
  return sum / ((double)p->n * (p->sigmoid ? p->n_classes : 1));
}

typedef struct {
  double probability;
  gboolean shown;
} Scored;

static int compare_scored(gconstpointer a, gconstpointer b)
{
  const double x = ((const Scored *)a)->probability, y = ((const Scored *)b)->probability;
  return (x < y) - (x > y);
}

double calibration_threshold(const Predictions *p, double factor, guint class, double *f1)
{
  g_autofree Scored *scored = g_new(Scored, p->n + 1);
  g_autofree double *probabilities = g_new(double, p->n_classes);
  guint n_shown = 0, n_right = 0;
  double threshold = 0.5;
  for (guint i = 0; i < p->n; i++) {
    calibration_probabilities(p, i, factor, probabilities);
    scored[i] = (Scored){ probabilities[class], p->shown[i][class] };
    n_shown += scored[i].shown;
  }
  qsort(scored, p->n, sizeof *scored, compare_scored);
  scored[p->n] = (Scored){ 0, FALSE };
  *f1 = 0;
  for (guint i = 0; n_shown < p->n && i < p->n; i++) {
    n_right += scored[i].shown;
    const double found = 2.0 * n_right / (i + 1 + n_shown);
    if (scored[i].probability == scored[i + 1].probability || found <= *f1)
      continue;
    *f1 = found;
    threshold = (scored[i].probability + scored[i + 1].probability) / 2;
  }
  return CLAMP(threshold, 0.01, 0.99);
}
