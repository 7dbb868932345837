/* Logistic regression with a quadratic penalty, in double precision: multinomial (softmax), or one
 * regression for each class (sigmoid).
 *
 * It minimises mean over rows of the loss + penalty / 2 * the sum of squared weights, which has one
 * minimum. Biases are not penalised. The method is L-BFGS (Nocedal 1980); it starts from the
 * inverse of an approximate Hessian: every class' block is curvature * covariance + penalty (as the
 * bound of Böhning 1992, with the mean curvature instead of its maximum). */
#pragma once

#include <glib.h>

typedef struct {
  guint n, n_features, n_classes;
  const double *features; /* [n][n_features]; with a mean near 0, or convergence is slow */
  const guint8 *shown;    /* [n][n_classes] 1: the row shows the class; softmax: one in each row */
  gboolean sigmoid;
} LogisticData;

typedef struct {
  guint n_features, n_classes;
  guint stride;     /* n_classes, padded as products.h needs it */
  double *weights;  /* [n_features][stride] */
  double *bias;     /* [stride] */
  guint iterations; /* that the last fit took */
} Logistic;

/* Returns: (transfer full): all zeros */
Logistic *logistic_new(guint n_features, guint n_classes);

/* Frees *@model, which may be NULL, and nulls it. */
void logistic_free(Logistic **model);

/* Fits @model, starting from its present values.
 * @penalty: above 0
 * @tolerance: at which norm of the gradient to stop, relative to the gradient's at zero weights
 * Returns: whether it has converged; otherwise @model is the best found */
gboolean logistic_fit(Logistic *model, const LogisticData *data, double penalty, double tolerance);

/* Computes logits[n][stride]; those of the padding are 0. */
void logistic_predict(const Logistic *model, const double *features, guint n, double *logits);

/* Computes the gradient of what logistic_fit() minimises.
 * @weights: (out caller-allocates): [n_features][stride]
 * @bias: (out caller-allocates): [stride]
 * Returns: the value */
double logistic_gradient(const Logistic *model, const LogisticData *data, double penalty,
                         double *weights, double *bias);

static inline void logistic_cleanup(Logistic *model)
{
  logistic_free(&model);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Logistic, logistic_cleanup)
