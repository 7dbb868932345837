/* Opens what a run needs. The functions return FALSE with COMMAND_ERROR_* or VITGATE_ERROR_*. */
#pragma once

#include "train/run/run.h"

/* Loads the teacher with the classes that are kept. */
gboolean run_open_teacher(Run *run, GError **error);

/* Finds out whether there is memory to train @network. */
gboolean run_check_memory(const Run *run, const Network *network, GError **error);

/* Opens the photographs. @student: its classes and pre-processing count */
gboolean run_open_data(Run *run, const Description *student, GError **error);

/* Makes the folder of checkpoint and log. */
gboolean run_open_folder(Run *run, GError **error);

/* Whether the options ask for a checkpoint that is there. */
gboolean run_can_resume(const Run *run);
