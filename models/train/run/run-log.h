/* The log of a long run: a progress line on the terminal for people, JSON lines in a file for
 * programs. */
#pragma once

#include "train/dial/held-out.h"

typedef struct _RunLog RunLog;

/* Opens a log.
 * @path: file to append JSON lines to
 * @batch: images per step
 * Returns: (transfer full): the log, or NULL with VITGATE_ERROR_IO */
RunLog *run_log_new(const char *path, guint batch, GError **error);
void run_log_free(RunLog **log);

/* Writes the options of the run to the file.
 * @options: (transfer full) */
void run_log_options(RunLog *log, JsonObject *options);

/* Writes a plain line to both. */
void run_log_note(RunLog *log, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Starts measuring time. */
void run_log_begin(RunLog *log);

/* Call it after each step. It writes a line every so many steps, and after the last one. */
void run_log_step(RunLog *log, Trainer *trainer, const StepReport *report);

/* Writes the student's current results on the held-out photographs. */
void run_log_held_out(RunLog *log, Trainer *trainer, const HeldOutOutcome *outcome);
