/* AdamW with a rate for each kind of parameter, gradient clipping, and a running mean of the
 * weights. */
#pragma once

#include "train/network/network.h"

typedef struct {
  double rate;          /* at its peak */
  double steering_rate; /* that of gates and structure choices */
  double decay;
  double beta1, beta2, eps;
  double clip;         /* largest norm of the gradient; 0: any */
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
  guint64 step;          /* that were taken */
} Optimizer;

/* Returns: (transfer full): the optimizer, or NULL if out of memory */
Optimizer *optimizer_new(Network *network, const OptimizerOptions *options);
void optimizer_free(Optimizer **optimizer);

/* Warm-up and cosine: Returns the factor of the rates after @progress, 0 to 1, of the run. */
double optimizer_schedule(double progress, double warm_up);

/* The following are for one of @n members that share the work out between them. */

/* gradients[0] = the sum of gradients[0 ... n - 1], except of fixed parameters.
 * Returns: the sum of squares over the member's part: fixed parameters do not count, or their
 * gradient would slow down the others' steps when it is clipped */
double optimizer_gather(Optimizer *optimizer, real **gradients, guint member, guint n);

/* Moves the member's part of the values; the caller counts the step.
 * @norm: of the whole gradient */
void optimizer_move(Optimizer *optimizer, const real *gradient, double norm, double factor,
                    guint member, guint n);

/* Returns: (nullable): the name of the first parameter whose gradient is not finite */
const char *optimizer_find_culprit(const Optimizer *optimizer, const real *gradient);
