/* The log of a long run: a progress line on the terminal for people, JSON lines in a file for
 * programs. */
#pragma once

#include <json-glib/json-glib.h>

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

/* Writes each note to the file. Of notes that end alike, stderr gets the first one and a count.
 * @notes: (element-type utf8): lines whose last clause, after a comma, says what happened */
void run_log_notes(RunLog *log, const GPtrArray *notes);

/* Writes that a photograph was skipped. Of many, the terminal shows only the first ones.
 * @text: its name and the reason */
void run_log_skipped(RunLog *log, const char *text);

/* Writes how many photographs were skipped, if the terminal did not show them all. */
void run_log_skipped_end(RunLog *log);

/* Writes the result of the run to the file.
 * @result: (transfer full) */
void run_log_result(RunLog *log, JsonObject *result);

/* Writes how long sums over the ranks took to the file.
 * @sums: (transfer full) */
void run_log_sums(RunLog *log, JsonObject *sums);

/* Starts measuring the time of the steps that follow. */
void run_log_begin(RunLog *log, const Trainer *trainer);

/* Call it after each step. It shows progress on a terminal, and writes a line every so many steps
 * and after the last one. */
void run_log_step(RunLog *log, Trainer *trainer, const StepReport *report);

/* Writes the student's current results on the held-out photographs. */
void run_log_held_out(RunLog *log, Trainer *trainer, const HeldOutOutcome *outcome);
