/* The steps of a run, with its checkpoints. */
#pragma once

#include "train/run/run.h"

/* Makes a trainer for the current student, and frees the previous one. After training, the trainer
 * only evaluates.
 * Returns: FALSE with VITGATE_ERROR_MEMORY */
gboolean run_make_trainer(Run *run, GError **error);

/* Returns: the compute ratio of the student with all modules running and no tokens merged */
double run_whole_ratio(const Run *run);

/* Finds how merge thresholds should change as merging saves more: the student's dial table before
 * training. */
void run_find_merging(Run *run);

/* Returns: seconds since the start of the run, or of this part of a resumed one */
double run_elapsed(const Run *run);

/* Trains the current student to the end of its stage, with a checkpoint before and after. During
 * this, SIGINT and SIGTERM stop the run after another checkpoint. At other times they end the
 * process; nothing is lost then either. Several ranks also stop at SIGUSR1 to any of them.
 * Returns: FALSE with COMMAND_ERROR_* or VITGATE_ERROR_*; with COMMAND_ERROR_INTERRUPTED if a
 * signal stopped it after a checkpoint */
gboolean run_train(Run *run, GError **error);

/* Restores the student, the trainer and the progress of the run from the checkpoint. */
gboolean run_resume(Run *run, GError **error);
