/* Opens everything that a run needs. The functions return FALSE with COMMAND_ERROR_* or
 * VITGATE_ERROR_*. */
#pragma once

#include "train/run/run.h"

/* Loads the teacher with the classes to keep. */
gboolean run_open_teacher(Run *run, GError **error);

/* Checks that there is enough memory to train @network. */
gboolean run_check_memory(const Run *run, const Network *network, GError **error);

/* Opens the photographs with the classes and pre-processing of @student. */
gboolean run_open_data(Run *run, const Description *student, GError **error);

/* Warns if so few photographs are held out that figures measured on them say little. */
void run_note_held_out(const Run *run);

/* Creates the folder for the checkpoint and the log, and opens the log. */
gboolean run_open_folder(Run *run, GError **error);

/* Returns: whether the options ask to resume a run and its checkpoint exists */
gboolean run_can_resume(const Run *run);
