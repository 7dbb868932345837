/* The steps of a run, with its checkpoints. */
#pragma once

#include "train/run/run.h"

/* Makes a trainer for the student at hand, in place of the one before. After training it only
 * evaluates.
 * Returns: FALSE with VITGATE_ERROR_MEMORY */
gboolean run_make_trainer(Run *run, GError **error);

/* The compute ratio of the student, all modules running and no token merged. */
double run_whole_ratio(const Run *run);

/* Finds the way that merging takes as its share of the saving grows: the dial of the student
 * before training. */
void run_find_merging(Run *run);

/* Trains the student at hand to the end of its stage, between two checkpoints. SIGINT and SIGTERM
 * end it behind a further one; elsewhere they end the process, and nothing is lost either.
 * Returns: FALSE with COMMAND_ERROR_* or VITGATE_ERROR_*; _INTERRUPTED behind a checkpoint */
gboolean run_train(Run *run, GError **error);

/* Takes student, trainer and place in the run from the checkpoint. */
gboolean run_resume(Run *run, GError **error);
