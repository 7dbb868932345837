/* How much an error in a module's output costs: the Fisher information of the network's own classes
 * at the outputs of its modules. No labels are needed.
 *
 * With p the classes' probabilities and S = diag(p) - p p^T, the Kullback-Leibler divergence grows
 * by half of d^T J^T S J d for a small error d. The gradient g of a random direction S^(1/2) r in
 * the logits, r of +-1, has E[g g^T] = J^T S J. */
#pragma once

#include "train/network/training-pass.h"

typedef struct _Sensitivity Sensitivity;

Sensitivity *sensitivity_new(TrainingPass *pass);
void sensitivity_free(Sensitivity **sensitivity);

/* Adds the images that @pass has just been through forward.
 * @first: number of the first of them: seeds its direction */
void sensitivity_add(Sensitivity *sensitivity, TrainingPass *pass, guint first);

/* Half of the mean square of the gradient, by module: its trace over dim for the kinds of tokens,
 * and its shape over the output's dimensions with a trace of dim.
 * @token_weights: (out caller-allocates): [2 depth][2]: of a prefix token, of a patch
 * @metrics: (out caller-allocates): [2 depth][dim][dim]
 * @least_patches: share of a module's weight that its patches get at least; a tenth of it in the
 * tail */
void sensitivity_finish(const Sensitivity *sensitivity, double *token_weights, double *metrics,
                        double least_patches);
