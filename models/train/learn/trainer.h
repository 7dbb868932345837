/* Trains a student from its teacher or from labels, step by step. The caller supplies the batches
 * and decides when training ends. */
#pragma once

#include "train/learn/loss.h"
#include "train/learn/optimizer.h"
#include "train/learn/sub-groups.h"
#include "train/network/training-pass.h"

typedef struct {
  guint batch; /* images */
  guint threads;
  gboolean bf16; /* products in bfloat16 */
  guint64 seed;
  guint64 steps;  /* of the whole run; schedules depend on it */
  double warm_up; /* share of the run for the warm-up */
  OptimizerOptions optimizer;
  LossWeights loss;      /* its target is for the first step */
  double temperature[2]; /* of the gates' noise, first and last */
  SubGroups sub_groups;
  guint group_size;        /* for SUB_GROUPS_EVEN */
  Levels levels;           /* where tokens are compared; n = 0: given by the network's own tail */
  gboolean evaluates_only; /* no steps, so no memory for gradients and the optimizer */
} TrainerOptions;

/* Figures of one step, as means over the batch. */
typedef struct {
  double loss, distillation, others, tokens, features, labels, agreement;
  double ratio, target; /* compute */
  double norm;          /* of the gradient */
  double rate;          /* factor from the schedule */
} StepReport;

typedef struct _Trainer Trainer;

/* @network: not owned
 * Returns: (transfer full): the trainer; or NULL with VITGATE_ERROR_MEMORY */
Trainer *trainer_new(Network *network, const TrainerOptions *options, GError **error);
void trainer_free(Trainer **trainer);

/* Returns: (nullable): the optimizer, or NULL if the trainer only evaluates */
Optimizer *trainer_get_optimizer(Trainer *trainer);
TrainingPass *trainer_get_pass(Trainer *trainer);

/* Returns: steps taken */
guint64 trainer_get_step(const Trainer *trainer);

/* Get and set the steps of the whole run, which schedules depend on. */
guint64 trainer_get_steps(const Trainer *trainer);
void trainer_set_steps(Trainer *trainer, guint64 steps);

/* Sets the dial for the next steps.
 * @bias: added to every gate's logit
 * @target: compute ratio that the loss aims for */
void trainer_set_dial(Trainer *trainer, double bias, double target);

/* Takes one step. If there are several ranks, each has its slice of the batch (ranks_slice()), and
 * all call this; the step, its figures and its errors are those of the whole batch.
 * @tensors: [this rank's images][3][image_size][image_size]
 * Returns: FALSE with COMMAND_ERROR_TRAINING if the loss or a gradient is not finite. The error
 * names the step and the culprit, and the network is unchanged. */
gboolean trainer_step(Trainer *trainer, const real *tensors, const LossTargets *targets,
                      StepReport *report, GError **error);

/* Replaces the network's values with their running mean. */
void trainer_average(Trainer *trainer);

/* Swaps the network's values with their running mean. A second call swaps them back. */
void trainer_swap_average(Trainer *trainer);

/* Sets the cosine of keys from which a block's tokens merge; 1 or more: never. */
void trainer_set_merging(Trainer *trainer, guint block, double threshold);

/* Runs the network on a batch without training. Gates decide for each image alone, with @bias and
 * without noise. Afterwards, the pass holds logits and decisions. Several ranks divide the images.
 * @tensors: of all images */
void trainer_evaluate(Trainer *trainer, const real *tensors, guint n_images, double bias);
