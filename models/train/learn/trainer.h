/* Training of a student by its teacher or by labels, one step after another. Where the batches come
 * from, and when it ends, is its caller's business. */
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
  guint64 steps;  /* of the whole run: schedules go by it */
  double warm_up; /* share of the run */
  OptimizerOptions optimizer;
  LossWeights loss;      /* its target is that of the first step */
  double temperature[2]; /* of the gates' noise, first and last */
  SubGroups sub_groups;
  guint group_size;        /* for SUB_GROUPS_EVEN */
  Levels levels;           /* where tokens are compared; n = 0: by the network's own tail */
  gboolean evaluates_only; /* takes no steps: without memory for gradients and the optimizer */
} TrainerOptions;

/* What one step was like; means over the batch. */
typedef struct {
  double loss, distillation, others, tokens, features, labels, agreement;
  double ratio, target; /* compute */
  double norm;          /* of the gradient */
  double rate;          /* factor of the schedule */
} StepReport;

typedef struct _Trainer Trainer;

/* @network: not owned
 * Returns: (transfer full): the trainer; or NULL with VITGATE_ERROR_MEMORY */
Trainer *trainer_new(Network *network, const TrainerOptions *options, GError **error);
void trainer_free(Trainer **trainer);

/* Returns: (nullable): NULL if it only evaluates */
Optimizer *trainer_get_optimizer(Trainer *trainer);
TrainingPass *trainer_get_pass(Trainer *trainer);

/* Returns: steps taken */
guint64 trainer_get_step(const Trainer *trainer);

/* Steps of the whole run, by which schedules go. */
guint64 trainer_get_steps(const Trainer *trainer);
void trainer_set_steps(Trainer *trainer, guint64 steps);

/* Turns the dial for the steps to come: added to every gate's logit, and the compute ratio that the
 * loss asks for. */
void trainer_set_dial(Trainer *trainer, double bias, double target);

/* Takes one step. @tensors: [batch][3][image_size][image_size]
 * Returns: FALSE with COMMAND_ERROR_TRAINING where the loss or a gradient is not finite: the error
 * names the step and the culprit, and the network is as it was before */
gboolean trainer_step(Trainer *trainer, const real *tensors, const LossTargets *targets,
                      StepReport *report, GError **error);

/* Gives the network the running mean of its values. */
void trainer_average(Trainer *trainer);

/* The same for a while: a second call gives both back what they had. */
void trainer_swap_average(Trainer *trainer);

/* From which cosine of keys on a block's tokens merge; 1 or more: never. */
void trainer_set_merging(Trainer *trainer, guint block, double threshold);

/* Runs the network on a batch without training: decisions by @bias without noise, each image for
 * itself. Afterwards the pass holds logits and decisions. */
void trainer_evaluate(Trainer *trainer, const real *tensors, guint n_images, double bias);
