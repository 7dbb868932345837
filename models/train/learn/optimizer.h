/* AdamW with a learning rate for each kind of parameter, gradient clipping, and a running mean of
 * the weights. */
#pragma once

#include "train/network/network.h"

typedef struct {
  double rate;          /* peak learning rate */
  double steering_rate; /* the same for gates and structure choices */
  double decay;
  double beta1, beta2, eps;
  double clip;         /* maximum norm of the gradient; 0: no limit */
  double average_keep; /* of the running mean, per step */
} OptimizerOptions;

#define OPTIMIZER_DEFAULT(rate_, steering_rate_)                                                   \
  {                                                                                                \
    .rate = rate_, .steering_rate = steering_rate_, .decay = 0.01, .beta1 = 0.9, .beta2 = 0.999,   \
    .eps = 1e-8, .clip = 1, .average_keep = 0.998                                                  \
  }

typedef struct {
  OptimizerOptions options;
  Network *network;
  real *m, *v, *average; /* [n_values] */
  guint64 step;          /* steps taken */
} Optimizer;

/* Returns: (transfer full): the optimizer, or NULL if out of memory */
Optimizer *optimizer_new(Network *network, const OptimizerOptions *options);
void optimizer_free(Optimizer **optimizer);

/* Warm-up, then cosine decay.
 * @progress: share of the run that is done, 0 to 1
 * @warm_up: share of the run for the warm-up
 * Returns: the factor for the rates */
double optimizer_schedule(double progress, double warm_up);

/* The next two functions are called by each of @n threads, which divide the parameters among
 * themselves. */

/* Computes gradients[0] = the sum of gradients[0 ... n - 1], except for fixed parameters.
 * Returns: the sum of squares over the thread's part. Fixed parameters do not count: otherwise
 * clipping by their gradient would slow down the others' steps. */
double optimizer_gather(Optimizer *optimizer, real **gradients, guint member, guint n);

/* Returns: the sum of squares over part @part of @n, as optimizer_gather() does */
double optimizer_square(const Optimizer *optimizer, const real *gradient, guint part, guint n);

/* Updates the thread's part of the values. The caller counts the step.
 * @norm: of the whole gradient */
void optimizer_move(Optimizer *optimizer, const real *gradient, double norm, double factor,
                    guint member, guint n);

/* Returns: (nullable): the name of the first parameter whose gradient is not finite */
const char *optimizer_find_culprit(const Optimizer *optimizer, const real *gradient);
