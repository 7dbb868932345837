/* What all ranks of a run have to agree on. With one rank, the checks pass at once. */
#pragma once

#include "train/run/run.h"

/* Ends the opening of a run: checks that all ranks opened it, that their batch can be divided, and
 * that they have the same photographs, teacher and processor features.
 * @fine: whether this rank opened everything; if not, @error is set
 * Returns: FALSE with COMMAND_ERROR_* on all ranks if not */
gboolean run_agree(const Run *run, gboolean fine, GError **error);

/* Checks that products and sums round alike on all ranks.
 * Returns: FALSE with COMMAND_ERROR_DATA on all ranks if not */
gboolean run_check_processors(GError **error);

/* Checks that all ranks have the same student, as they should: otherwise they would go on with
 * different ones, and nobody would notice. */
gboolean run_agree_on_student(const Run *run, GError **error);

/* Logs the photographs that any rank could not read since the last call. */
void run_report_skipped(const Run *run);

/* Logs how long the ranks took to sum up gradients. */
void run_report_sums(const Run *run, guint64 steps, double seconds);
