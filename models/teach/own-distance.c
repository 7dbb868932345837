#include "teach/own-distance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "teach/products.h"
#include "train/cut/cholesky.h"

/* Median and limit must differ and be above 0. */
#define MIN_SPREAD 1.001

typedef struct {
  double *means;      /* [n_classes][n_features] */
  double *covariance; /* [n_features][n_features] within classes */
  guint n_free;       /* pictures less classes */
} Moments;

/* Computes the means of the classes and subtracts them from the rows.
 * @class_of: [n] */
static void find_means(double *rows, const guint *class_of, guint n, guint n_classes, guint f,
                       gsize stride, double *means)
{
  g_autofree guint *counts = g_new0(guint, n_classes);
  memset(means, 0, (gsize)n_classes * f * sizeof *means);
  for (guint i = 0; i < n; i++) {
    counts[class_of[i]]++;
    for (guint k = 0; k < f; k++)
      means[(gsize)class_of[i] * f + k] += rows[i * stride + k];
  }
  for (guint c = 0; c < n_classes; c++)
    for (guint k = 0; k < f; k++)
      means[(gsize)c * f + k] /= MAX(1, counts[c]);
  for (guint i = 0; i < n; i++)
    for (guint k = 0; k < f; k++)
      rows[i * stride + k] -= means[(gsize)class_of[i] * f + k];
}

static void find_moments(Moments *moments, const Examples *examples, guint n_views,
                         const guint *folds, guint held_out)
{
  const guint f = examples->n_features, n_classes = examples->labels->len;
  const guint stride = products_pad(f);
  g_autofree double *rows = g_new0(double, (gsize)examples->list->len *stride);
  g_autofree double *sums = g_new0(double, (gsize)stride *stride);
  g_autofree guint *class_of = g_new(guint, examples->list->len);
  guint n = 0;
  for (guint i = 0; i < examples->list->len; i++) {
    if (folds && folds[i] == held_out)
      continue;
    examples_average(examples, i, n_views, rows + (gsize)n * stride);
    class_of[n++] = (guint)examples_class(examples, i);
  }
  find_means(rows, class_of, n, n_classes, f, stride, moments->means);
  products_backward(sums, rows, rows, n, stride, stride);
  moments->n_free = n > n_classes ? n - n_classes : 1;
  for (guint i = 0; i < f; i++)
    for (guint j = 0; j < f; j++)
      moments->covariance[(gsize)i * f + j] = sums[(gsize)i * stride + j] / moments->n_free;
}

/* Shrinks a covariance by OAS. */
static void shrink(double *covariance, guint f, guint n)
{
  double trace = 0, squares = 0;
  for (guint i = 0; i < f; i++)
    trace += covariance[(gsize)i * f + i];
  for (gsize i = 0; i < (gsize)f * f; i++)
    squares += covariance[i] * covariance[i];
  const double mean = trace / f, distance = squares - trace * trace / f;
  const double wanted = (1 - 2.0 / f) * squares + trace * trace;
  const double share = distance > 0 ? CLAMP(wanted / ((n + 1 - 2.0 / f) * distance), 0, 1) : 1;
  for (gsize i = 0; i < (gsize)f * f; i++)
    covariance[i] *= 1 - share;
  for (guint i = 0; i < f; i++)
    covariance[(gsize)i * f + i] += share * mean;
}

/* Makes the upper triangular matrix whose square is the inverse of a covariance.
 * Returns: FALSE if the covariance has no inverse */
static gboolean whiten(double *whitening, double *covariance, guint f)
{
  g_autofree double *inverse = g_new(double, (gsize)f *f);
  double trace = 0;
  for (guint i = 0; i < f; i++)
    trace += covariance[(gsize)i * f + i];
  if (!(trace > 1e-12 * f) || !cholesky_factor(covariance, f))
    return FALSE;
  cholesky_invert(inverse, covariance, f);
  if (!cholesky_factor(inverse, f))
    return FALSE;
  for (guint i = 0; i < f; i++)
    for (guint j = 0; j < f; j++)
      whitening[(gsize)i * f + j] = j >= i ? inverse[(gsize)j * f + i] : 0;
  return TRUE;
}

static void apply(const double *whitening, const double *x, guint f, double *out)
{
  for (guint i = 0; i < f; i++) {
    out[i] = 0;
    for (guint j = 0; j < f; j++)
      out[i] += whitening[(gsize)i * f + j] * x[j];
  }
}

/* Makes whitened means equally long. */
static void lengthen(double *points, guint n_classes, guint f)
{
  g_autofree double *lengths = g_new0(double, n_classes);
  double mean = 0;
  for (guint c = 0; c < n_classes; c++) {
    for (guint k = 0; k < f; k++)
      lengths[c] += points[(gsize)c * f + k] * points[(gsize)c * f + k];
    lengths[c] = sqrt(lengths[c]);
    mean += lengths[c] / n_classes;
  }
  for (guint c = 0; c < n_classes; c++)
    for (guint k = 0; k < f; k++)
      points[(gsize)c * f + k] *= lengths[c] > 0 ? OWN_DISTANCE_REACH * mean / lengths[c] : 1;
}

/* Sets whitening and points from all examples but those of a fold. */
static void set(OwnDistance *d, Moments *moments, const Examples *examples, guint n_views,
                const guint *folds, guint held_out)
{
  const guint f = d->n_features;
  find_moments(moments, examples, n_views, folds, held_out);
  shrink(moments->covariance, f, moments->n_free);
  if (!whiten(d->whitening, moments->covariance, f)) {
    /* All pictures of each class are the same. */
    memset(d->whitening, 0, (gsize)f * f * sizeof(double));
    for (guint i = 0; i < f; i++)
      d->whitening[(gsize)i * f + i] = 1;
  }
  for (guint c = 0; c < d->n_classes; c++)
    apply(d->whitening, moments->means + (gsize)c * f, f, d->points + (gsize)c * f);
  lengthen(d->points, d->n_classes, f);
}

double own_distance_find(const OwnDistance *d, const float *features)
{
  const guint f = d->n_features;
  g_autofree double *x = g_new(double, f), *whitened = g_new(double, f);
  double best = INFINITY;
  for (guint k = 0; k < f; k++)
    x[k] = features[k];
  apply(d->whitening, x, f, whitened);
  for (guint c = 0; c < d->n_classes; c++) {
    double sum = 0;
    for (guint k = 0; k < f; k++) {
      const double difference = whitened[k] - d->points[(gsize)c * f + k];
      sum += difference * difference;
    }
    best = MIN(best, sum);
  }
  return sqrt(best);
}

static int compare_doubles(gconstpointer a, gconstpointer b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* @sorted: [n], at least one */
static double quantile(const double *sorted, guint n, double share)
{
  const double at = share * (n - 1);
  const guint low = (guint)at;
  return sorted[low] + (at - low) * (sorted[MIN(low + 1, n - 1)] - sorted[low]);
}

/* Returns: how many standard deviations above the mean of @n normal values at least 95 % of all
 * values lie below, with a confidence of 90 % (NIST/SEMATECH e-Handbook of Statistical Methods,
 * 7.2.6.3) */
static double tolerance_factor(guint n)
{
  const double share = 1.6449, confidence = 1.2816; /* normal quantiles of 95 % and 90 % */
  const double a = 1 - confidence * confidence / (2.0 * (n - 1));
  const double b = share * share - confidence * confidence / n;
  return (share + sqrt(share * share - a * b)) / a;
}

/* Few distances say little about those to come: the limit allows for that.
 * @sorted: [n], at least one, above 0 */
static double find_limit(const double *sorted, guint n)
{
  double mean = 0, squares = 0;
  for (guint i = 0; i < n; i++)
    mean += log(sorted[i]) / n;
  for (guint i = 0; i < n; i++)
    squares += pow(log(sorted[i]) - mean, 2);
  const double above = n > 2 ? tolerance_factor(n) * sqrt(squares / (n - 1)) : 0;
  return MAX(quantile(sorted, n, 0.95), exp(mean + above));
}

static void set_scale(OwnDistance *d, const Examples *examples, const double *distances, int none)
{
  g_autofree double *sorted = g_new(double, examples->list->len);
  guint n = 0;
  for (guint i = 0; i < examples->list->len; i++)
    if (examples_class(examples, i) != none)
      sorted[n++] = MAX(distances[i], 1e-6);
  qsort(sorted, n, sizeof *sorted, compare_doubles);
  d->median = n ? quantile(sorted, n, 0.5) : 1;
  d->limit = MAX(n ? find_limit(sorted, n) : 1, MIN_SPREAD * d->median);
}

OwnDistance *own_distance_new(const Examples *examples, const Cross *cross, int none,
                              double *distances)
{
  const guint f = examples->n_features, n_classes = examples->labels->len;
  OwnDistance *d = g_new0(OwnDistance, 1);
  d->n_features = f;
  d->n_classes = n_classes;
  d->whitening = g_new0(double, (gsize)f *f);
  d->points = g_new0(double, (gsize)n_classes *f);
  Moments moments = { g_new(double, (gsize)n_classes *f), g_new(double, (gsize)f *f), 0 };
  for (guint fold = 0; fold < cross->n_folds; fold++) {
    const Examples *seen = cross->by_fold ? cross->by_fold[fold] : examples;
    set(d, &moments, seen, cross->n_views, cross->folds, fold);
    for (guint i = 0; i < examples->list->len; i++)
      if (cross->folds[i] == fold)
        distances[i] = own_distance_find(d, examples_get(seen, i)->features);
  }
  set(d, &moments, examples, cross->n_views, NULL, 0);
  set_scale(d, examples, distances, none);
  g_free(moments.means);
  g_free(moments.covariance);
  return d;
}

void own_distance_free(OwnDistance **distance)
{
  OwnDistance *freeing = g_steal_pointer(distance);
  if (!freeing)
    return;
  g_free(freeing->whitening);
  g_free(freeing->points);
  g_free(freeing);
}

double own_distance_auroc(const double *own, guint n_own, const double *others, guint n_others)
{
  g_autofree double *sorted = g_memdup2(own, n_own * sizeof *own);
  double sum = 0;
  qsort(sorted, n_own, sizeof *sorted, compare_doubles);
  for (guint i = 0; i < n_others; i++) {
    guint below = 0, to = n_own;
    while (below < to) { /* the first that is not below */
      const guint middle = (below + to) / 2;
      if (sorted[middle] < others[i])
        below = middle + 1;
      else
        to = middle;
    }
    guint equal = below;
    while (equal < n_own && sorted[equal] == others[i])
      equal++;
    sum += below + (equal - below) / 2.0;
  }
  return n_own && n_others ? sum / n_own / n_others : NAN;
}
