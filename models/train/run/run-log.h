/* What people and programs see of a long run: a line on the terminal, JSON lines in a file. */
#pragma once

#include "train/dial/held-out.h"

typedef struct _RunLog RunLog;

/* @path: JSON lines are added to it; @batch: images of a step
 * Returns: (transfer full): or NULL with VITGATE_ERROR_IO */
RunLog *run_log_new(const char *path, guint batch, GError **error);
void run_log_free(RunLog **log);

/* A line of the file with the options of the run. @options: (transfer full) */
void run_log_options(RunLog *log, JsonObject *options);

/* A plain line for both. */
void run_log_note(RunLog *log, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Time is counted from here. */
void run_log_begin(RunLog *log);

/* Behind each step; every so often, and behind the last, it becomes a line. */
void run_log_step(RunLog *log, Trainer *trainer, const StepReport *report);

/* What the student so far makes of the photographs held out. */
void run_log_held_out(RunLog *log, Trainer *trainer, const HeldOutOutcome *outcome);
