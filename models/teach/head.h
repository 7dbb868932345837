/* The fit of a head to examples. */
#pragma once

#include "teach/examples.h"
#include "teach/logistic.h"

/* Rows for a fit: of each example, the mean of its views, centred and scaled. */
typedef struct {
  guint n, n_features;
  double *rows;   /* [n][n_features] */
  guint8 *shown;  /* [n][n_classes] */
  double *centre; /* [n_features] subtracted */
  double factor;  /* multiplied afterwards, so that the mean square of a value is 1 */
} HeadRows;

/* @n_views: of the examples' views, to average
 * @folds: (nullable) [examples]: NULL: all examples
 * @held_out: fold to leave out
 * Returns: (transfer full) */
HeadRows *head_rows_new(const Examples *examples, guint n_views, const guint *folds,
                        guint held_out);

/* Frees *@rows, which may be NULL, and nulls it. */
void head_rows_free(HeadRows **rows);

/* Transforms the first view of an example as the rows were.
 * @row: (out): [n_features] */
void head_rows_apply(const HeadRows *rows, const float *features, double *row);

/* Fits @model to rows. */
gboolean head_fit(Logistic *model, const HeadRows *rows, gboolean sigmoid, double penalty,
                  double tolerance);

/* Computes the head of a network: its logits are @factor times those of @model.
 * @weights: (out): [n_classes][n_features]
 * @bias: (out): [n_classes] */
void head_fold(const Logistic *model, const HeadRows *rows, double factor, float *weights,
               float *bias);
