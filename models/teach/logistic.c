#include "teach/logistic.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "teach/products.h"
#include "train/cut/cholesky.h"

#define MAX_ITERATIONS 200
#define MEMORY         8    /* steps that the Hessian is estimated from */
#define MAX_TRIES      20   /* points of a line search */
#define SLOPE          0.25 /* share of a slope at which a line search is content */
#define MIN_CURVATURE  1e-4

/* Everything that a fit needs. The parameters are the weights, then the biases. */
typedef struct {
  const LogisticData *data;
  double penalty;
  guint stride;
  gsize n_weights, n_parameters;
  double *at, *gradient, *direction; /* [n_parameters] */
  double *logits, *moved;            /* [n][stride]: at @at, and their change along @direction */
  double *residual;                  /* [n][stride]: derivative of the loss by the logits */
  double *inverse;                   /* [n_features][n_features] Cholesky factor of the Hessian */
  double curvature;                  /* of the loss by a logit, mean */
  double *steps[MEMORY], *changes[MEMORY]; /* of parameters and gradient */
  double products[MEMORY];                 /* step * change */
  guint n_steps;
} Fit;

Logistic *logistic_new(guint n_features, guint n_classes)
{
  Logistic *model = g_new0(Logistic, 1);
  model->n_features = n_features;
  model->n_classes = n_classes;
  model->stride = products_pad(n_classes);
  /* The biases follow the weights, so that both are one array of parameters. */
  model->weights = g_new0(double, (gsize)(n_features + 1) * model->stride);
  model->bias = model->weights + (gsize)n_features * model->stride;
  return model;
}

void logistic_free(Logistic **model)
{
  Logistic *freeing = g_steal_pointer(model);
  if (!freeing)
    return;
  g_free(freeing->weights);
  g_free(freeing);
}

static double dot(const double *a, const double *b, gsize n)
{
  double sum = 0;
  for (gsize i = 0; i < n; i++)
    sum += a[i] * b[i];
  return sum;
}

/* y[n] += factor * x[n] */
static void add(double *y, double factor, const double *x, gsize n)
{
  for (gsize i = 0; i < n; i++)
    y[i] += factor * x[i];
}

/* Computes logits[n][stride] of parameters. */
static void apply(const double *parameters, const double *features, guint n, guint n_features,
                  guint stride, double *logits)
{
  const double *bias = parameters + (gsize)n_features * stride;
  products_forward(logits, features, parameters, n, n_features, stride);
  for (guint i = 0; i < n; i++)
    add(logits + (gsize)i * stride, 1, bias, stride);
}

void logistic_predict(const Logistic *model, const double *features, guint n, double *logits)
{
  apply(model->weights, features, n, model->n_features, model->stride, logits);
}

/* Computes the derivatives of a row's loss.
 * @residual: (out): [classes] probability - target
 * @curvature: (inout): adds the second derivatives
 * Returns: the loss */
static double softmax_loss(double *residual, const double *logits, const guint8 *shown, guint n,
                           double *curvature)
{
  double best = logits[0], sum = 0, loss = 0;
  for (guint c = 1; c < n; c++)
    best = MAX(best, logits[c]);
  for (guint c = 0; c < n; c++)
    sum += residual[c] = exp(logits[c] - best);
  for (guint c = 0; c < n; c++) {
    const double probability = residual[c] / sum;
    if (shown[c])
      loss += log(sum) + best - logits[c];
    *curvature += probability * (1 - probability);
    residual[c] = probability - shown[c];
  }
  return loss;
}

static double sigmoid_loss(double *residual, const double *logits, const guint8 *shown, guint n,
                           double *curvature)
{
  double loss = 0;
  for (guint c = 0; c < n; c++) {
    const double small = exp(-fabs(logits[c]));
    const double probability = (logits[c] > 0 ? 1 : small) / (1 + small);
    loss += MAX(logits[c], 0) - shown[c] * logits[c] + log1p(small);
    *curvature += probability * (1 - probability);
    residual[c] = probability - shown[c];
  }
  return loss;
}

/* Computes the loss, @residual and @curvature at @step along the direction.
 * @slope: (out): of the whole objective along the direction
 * Returns: the objective */
static double evaluate(Fit *fit, double step, double *slope)
{
  const LogisticData *data = fit->data;
  const double share = 1.0 / data->n;
  double loss = 0, curvature = 0, along = 0;
  g_autofree double *logits = g_new(double, fit->stride);
  for (guint i = 0; i < data->n; i++) {
    const gsize at = (gsize)i * fit->stride;
    const guint8 *shown = data->shown + (gsize)i * data->n_classes;
    double *residual = fit->residual + at;
    for (guint c = 0; c < data->n_classes; c++)
      logits[c] = fit->logits[at + c] + step * fit->moved[at + c];
    loss += (data->sigmoid ? sigmoid_loss : softmax_loss)(residual, logits, shown, data->n_classes,
                                                          &curvature);
    for (guint c = 0; c < data->n_classes; c++) {
      residual[c] *= share;
      along += residual[c] * fit->moved[at + c];
    }
  }
  const double product = dot(fit->at, fit->direction, fit->n_weights);
  const double length = dot(fit->direction, fit->direction, fit->n_weights);
  const double norm = dot(fit->at, fit->at, fit->n_weights);
  fit->curvature = curvature * share / data->n_classes;
  *slope = along + fit->penalty * (product + step * length);
  return loss * share + fit->penalty / 2 * (norm + step * (2 * product + step * length));
}

/* Computes the gradient from @residual. */
static void find_gradient(Fit *fit)
{
  const LogisticData *data = fit->data;
  double *bias = fit->gradient + fit->n_weights;
  memset(fit->gradient, 0, fit->n_parameters * sizeof(double));
  products_backward(fit->gradient, data->features, fit->residual, data->n, data->n_features,
                    fit->stride);
  add(fit->gradient, fit->penalty, fit->at, fit->n_weights);
  for (guint i = 0; i < data->n; i++)
    add(bias, 1, fit->residual + (gsize)i * fit->stride, fit->stride);
}

/* Computes the features' covariance, about 0.
 * Returns: (transfer full): [n_features][n_features] */
static double *find_covariance(const LogisticData *data)
{
  const guint n = data->n_features, padded = products_pad(n);
  g_autofree double *rows = g_new0(double, (gsize)data->n *padded);
  g_autofree double *sums = g_new0(double, (gsize)n *padded);
  double *covariance = g_new(double, (gsize)n *n);
  for (guint i = 0; i < data->n; i++)
    memcpy(rows + (gsize)i * padded, data->features + (gsize)i * n, n * sizeof(double));
  products_backward(sums, data->features, rows, data->n, n, padded);
  for (guint i = 0; i < n; i++)
    for (guint j = 0; j < n; j++)
      covariance[(gsize)i * n + j] = sums[(gsize)i * padded + j] / data->n;
  return covariance;
}

/* Factors covariance + penalty / curvature. */
static void factor(Fit *fit, const double *covariance)
{
  const guint n = fit->data->n_features;
  memcpy(fit->inverse, covariance, (gsize)n * n * sizeof(double));
  for (guint i = 0; i < n; i++)
    fit->inverse[(gsize)i * n + i] += fit->penalty / fit->curvature;
  if (cholesky_factor(fit->inverse, n))
    return;
  /* Without the covariance, the steps are worse, but still lead down. */
  memset(fit->inverse, 0, (gsize)n * n * sizeof(double));
  for (guint i = 0; i < n; i++)
    fit->inverse[(gsize)i * n + i] = 1;
}

/* Turns the gradient into a direction: the recursion of L-BFGS, from the latest step back. */
static void find_direction(Fit *fit)
{
  double *d = fit->direction, alphas[MEMORY];
  const guint first = fit->n_steps > MEMORY ? fit->n_steps - MEMORY : 0;
  for (gsize i = 0; i < fit->n_parameters; i++)
    d[i] = -fit->gradient[i];
  for (guint k = fit->n_steps; k-- > first;) {
    const guint slot = k % MEMORY;
    alphas[slot] = dot(fit->steps[slot], d, fit->n_parameters) / fit->products[slot];
    add(d, -alphas[slot], fit->changes[slot], fit->n_parameters);
  }
  cholesky_solve(fit->inverse, d, fit->data->n_features, fit->stride);
  for (gsize i = 0; i < fit->n_parameters; i++)
    d[i] /= fit->curvature;
  for (guint k = first; k < fit->n_steps; k++) {
    const guint slot = k % MEMORY;
    const double beta = dot(fit->changes[slot], d, fit->n_parameters) / fit->products[slot];
    add(d, alphas[slot] - beta, fit->steps[slot], fit->n_parameters);
  }
}

/* Finds a step at which the slope is small, by bisection and secants; the objective is convex.
 * Leaves @residual at that step. */
static double search_line(Fit *fit)
{
  double low = 0, high = INFINITY, step = 1, slope, slope_low, slope_high = 0;
  evaluate(fit, 0, &slope_low);
  const double content = SLOPE * fabs(slope_low);
  for (guint i = 0; i < MAX_TRIES; i++) {
    evaluate(fit, step, &slope);
    if (fabs(slope) <= content)
      break;
    if (slope > 0) {
      high = step;
      slope_high = slope;
    } else {
      low = step;
      slope_low = slope;
    }
    if (isinf(high)) {
      step *= 2;
    } else {
      const double secant = low + (high - low) * slope_low / (slope_low - slope_high);
      const double margin = 0.1 * (high - low);
      step = CLAMP(secant, low + margin, high - margin);
    }
  }
  return step;
}

/* Goes one step.
 * Returns: FALSE if no step leads further down */
static gboolean advance(Fit *fit)
{
  const guint slot = fit->n_steps % MEMORY;
  const LogisticData *data = fit->data;
  g_autofree double *before = g_memdup2(fit->gradient, fit->n_parameters * sizeof(double));
  apply(fit->direction, data->features, data->n, data->n_features, fit->stride, fit->moved);
  const double step = search_line(fit);
  add(fit->at, step, fit->direction, fit->n_parameters);
  add(fit->logits, step, fit->moved, (gsize)data->n * fit->stride);
  find_gradient(fit);
  for (gsize i = 0; i < fit->n_parameters; i++) {
    fit->steps[slot][i] = step * fit->direction[i];
    fit->changes[slot][i] = fit->gradient[i] - before[i];
  }
  fit->products[slot] = dot(fit->steps[slot], fit->changes[slot], fit->n_parameters);
  if (!(fit->products[slot] > DBL_MIN))
    return FALSE;
  fit->n_steps++;
  return TRUE;
}

static Fit *fit_new(Logistic *model, const LogisticData *data, double penalty)
{
  Fit *fit = g_new0(Fit, 1);
  fit->data = data;
  fit->penalty = penalty;
  fit->stride = model->stride;
  fit->n_weights = (gsize)data->n_features * fit->stride;
  fit->n_parameters = fit->n_weights + fit->stride;
  fit->at = model->weights;
  fit->gradient = g_new0(double, fit->n_parameters);
  fit->direction = g_new0(double, fit->n_parameters);
  fit->logits = g_new0(double, (gsize)data->n * fit->stride);
  fit->moved = g_new0(double, (gsize)data->n * fit->stride);
  fit->residual = g_new0(double, (gsize)data->n * fit->stride);
  return fit;
}

static void fit_free(Fit *fit)
{
  for (guint i = 0; i < MEMORY; i++) {
    g_free(fit->steps[i]);
    g_free(fit->changes[i]);
  }
  g_free(fit->gradient);
  g_free(fit->direction);
  g_free(fit->logits);
  g_free(fit->moved);
  g_free(fit->residual);
  g_free(fit->inverse);
  g_free(fit);
}

/* Computes logits, gradient and curvature at the present parameters.
 * Returns: the objective */
static double begin(Fit *fit)
{
  double slope;
  const LogisticData *data = fit->data;
  apply(fit->at, data->features, data->n, data->n_features, fit->stride, fit->logits);
  const double value = evaluate(fit, 0, &slope);
  find_gradient(fit);
  return value;
}

/* Returns: the norm of the gradient at zero parameters, which does not depend on the penalty */
static double find_scale(Fit *fit)
{
  double *at = fit->at;
  fit->at = g_new0(double, fit->n_parameters);
  begin(fit);
  g_free(fit->at);
  fit->at = at;
  return sqrt(dot(fit->gradient, fit->gradient, fit->n_parameters));
}

gboolean logistic_fit(Logistic *model, const LogisticData *data, double penalty, double tolerance)
{
  Fit *fit = fit_new(model, data, penalty);
  const double enough = tolerance * find_scale(fit);
  gboolean converged = FALSE, fine = TRUE;
  guint iterations = 0;
  g_autofree double *covariance = find_covariance(data);
  fit->inverse = g_new(double, (gsize)data->n_features * data->n_features);
  for (guint i = 0; i < MEMORY; i++) {
    fit->steps[i] = g_new(double, fit->n_parameters);
    fit->changes[i] = g_new(double, fit->n_parameters);
  }
  begin(fit);
  for (double factored = 0; fine && iterations < MAX_ITERATIONS; iterations++) {
    converged = sqrt(dot(fit->gradient, fit->gradient, fit->n_parameters)) <= enough;
    if (converged)
      break;
    fit->curvature = MAX(fit->curvature, MIN_CURVATURE);
    if (!(fit->curvature <= 1.5 * factored && factored <= 1.5 * fit->curvature)) {
      factor(fit, covariance);
      factored = fit->curvature;
    }
    find_direction(fit);
    fine = advance(fit);
  }
  model->iterations = iterations;
  fit_free(fit);
  return converged;
}

double logistic_gradient(const Logistic *model, const LogisticData *data, double penalty,
                         double *weights, double *bias)
{
  Logistic same = *model;
  Fit *fit = fit_new(&same, data, penalty);
  const double value = begin(fit);
  memcpy(weights, fit->gradient, fit->n_weights * sizeof(double));
  memcpy(bias, fit->gradient + fit->n_weights, fit->stride * sizeof(double));
  fit_free(fit);
  return value;
}
