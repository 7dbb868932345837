/* The cost of an error in a module's output: the Fisher information of the network's own classes at
 * the outputs of its modules. No labels are needed.
 *
 * Let p be the class probabilities and S = diag(p) - p p^T. A small error d increases the
 * Kullback-Leibler divergence by half of d^T J^T S J d. The gradient g of a random direction
 * S^(1/2) r in the logits, with r of +-1, has E[g g^T] = J^T S J. */
#pragma once

#include "train/network/training-pass.h"

/* Computes the random direction dlogits[n] = S^(1/2) r = (I - p 1^T) diag(p)^(1/2) r for an image's
 * logits. */
void sensitivity_draw(real *dlogits, const real *logits, guint n, guint32 seed);

typedef struct _Sensitivity Sensitivity;

Sensitivity *sensitivity_new(TrainingPass *pass);
void sensitivity_free(Sensitivity **sensitivity);

/* Adds the images of the last forward pass of @pass.
 * @first: number of the first image; images' numbers seed their directions */
void sensitivity_add(Sensitivity *sensitivity, TrainingPass *pass, guint first);

/* Computes half of the mean square of the gradient for each module, over the images of all ranks.
 * Its trace over dim is split by kind of token; its shape over the output's dimensions is scaled to
 * a trace of dim.
 * @token_weights: (out caller-allocates): [2 depth][2] of a prefix token; of a patch
 * @metrics: (out caller-allocates): [2 depth][dim][dim]
 * @least_patches: minimum share of a module's weight that its patches get; a tenth of it in the
 * tail */
void sensitivity_finish(Sensitivity *sensitivity, double *token_weights, double *metrics,
                        double least_patches);
