#include "teach/head.h"

#include <math.h>
#include <string.h>

HeadRows *head_rows_new(const Examples *examples, guint n_views, const guint *folds, guint held_out)
{
  const guint f = examples->n_features, n_classes = examples->labels->len;
  HeadRows *rows = g_new0(HeadRows, 1);
  double squares = 0;
  rows->n_features = f;
  rows->rows = g_new0(double, (gsize)examples->list->len *f);
  rows->shown = g_new(guint8, (gsize)examples->list->len * n_classes);
  rows->centre = g_new0(double, f);
  for (guint i = 0; i < examples->list->len; i++) {
    const Example *example = examples_get(examples, i);
    double *row = rows->rows + (gsize)rows->n * f;
    if (folds && folds[i] == held_out)
      continue;
    memcpy(rows->shown + (gsize)rows->n++ * n_classes, example->shown, n_classes);
    examples_average(examples, i, n_views, row);
    for (guint k = 0; k < f; k++)
      rows->centre[k] += row[k];
  }
  for (guint k = 0; k < f; k++)
    rows->centre[k] /= MAX(1, rows->n);
  for (gsize i = 0; i < (gsize)rows->n * f; i++) {
    rows->rows[i] -= rows->centre[i % f];
    squares += rows->rows[i] * rows->rows[i];
  }
  rows->factor = squares > 0 ? 1 / sqrt(squares / ((double)rows->n * f)) : 1;
  for (gsize i = 0; i < (gsize)rows->n * f; i++)
    rows->rows[i] *= rows->factor;
  return rows;
}

void head_rows_free(HeadRows **rows)
{
  HeadRows *freeing = g_steal_pointer(rows);
  if (!freeing)
    return;
  g_free(freeing->rows);
  g_free(freeing->shown);
  g_free(freeing->centre);
  g_free(freeing);
}

void head_rows_apply(const HeadRows *rows, const float *features, double *row)
{
  for (guint k = 0; k < rows->n_features; k++)
    row[k] = (features[k] - rows->centre[k]) * rows->factor;
}

gboolean head_fit(Logistic *model, const HeadRows *rows, gboolean sigmoid, double penalty,
                  double tolerance)
{
  const LogisticData data = { .n = rows->n,
                              .n_features = rows->n_features,
                              .n_classes = model->n_classes,
                              .features = rows->rows,
                              .shown = rows->shown,
                              .sigmoid = sigmoid };
  return logistic_fit(model, &data, penalty, tolerance);
}

void head_fold(const Logistic *model, const HeadRows *rows, double factor, float *weights,
               float *bias)
{
  const guint f = model->n_features;
  for (guint c = 0; c < model->n_classes; c++) {
    double sum = model->bias[c];
    for (guint k = 0; k < f; k++) {
      const double weight = rows->factor * model->weights[(gsize)k * model->stride + c];
      weights[(gsize)c * f + k] = (float)(factor * weight);
      sum -= rows->centre[k] * weight;
    }
    bias[c] = (float)(factor * sum);
  }
}
