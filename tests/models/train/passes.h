/* Helpers for tests of a network's passes, for either type of real numbers. */
#pragma once

#include "train/learn/loss.h"

/* Overwrites all weights with random values from -0.4 to 0.4; those of norms are around 1. */
void passes_fill(Network *network, guint32 seed);

/* Packs the weights and runs the forward pass on all threads of the pass's team. */
void passes_forward(TrainingPass *pass);

/* Runs the forward pass, then the loss, which prepares the backward pass.
 * @sums: (out): over all images
 * Returns: the loss that training minimises */
double passes_loss(TrainingPass *pass, const LossWeights *weights, const LossTargets *targets,
                   LossSums *sums);

/* Runs the backward pass. Call it once after each passes_loss().
 * Returns: (transfer full): [n_values] the gradient */
real *passes_gradient(TrainingPass *pass);
