/* What tests do with a network's passes; for either type of real numbers. */
#pragma once

#include "train/learn/loss.h"

/* Weights between -0.4 and 0.4, those of norms around 1, over whatever was there. */
void passes_fill(Network *network, guint32 seed);

/* Packs the weights and runs forward on all members of the pass' team. */
void passes_forward(TrainingPass *pass);

/* Runs forward and then the loss, which begins the way back.
 * @sums: (out): over all images
 * Returns: what training minimises */
double passes_loss(TrainingPass *pass, const LossWeights *weights, const LossTargets *targets,
                   LossSums *sums);

/* Runs back, once after each passes_loss().
 * Returns: (transfer full): [n_values] the gradient */
real *passes_gradient(TrainingPass *pass);
