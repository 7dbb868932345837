/* Shows the progress of long work on stderr: a line that is redrawn on a terminal, and for phases
 * of a run a plain line from time to time elsewhere. */
#pragma once

#include <glib.h>

typedef struct {
  gboolean terminal; /* stderr is one */
  const char *phase; /* (nullable) "ranking heads and neurons" */
  double total;
  const char *unit;   /* (nullable) "images"; NULL: a percentage is shown */
  gint64 start, last; /* microseconds */
  gboolean drawn;     /* a line is on the terminal */
} Progress;

/* From now on, progress is written for programs, whatever stderr is: lines of JSON, such as
 * {"done": 3, "total": 20, "unit": "pictures"}. */
void progress_write_lines(void);

/* Starts counting to @total. Without a terminal, nothing is printed.
 * @unit: what is counted, for display; must outlive the progress */
Progress progress_start(guint total, const char *unit);

/* Starts a phase of a run. The name is shown at once on a terminal. Elsewhere, a line is printed
 * only if the phase takes long.
 * @phase: what is done, in at most 40 characters
 * @total: of the work, in any unit
 * @unit: (nullable): what is counted; NULL: a percentage is shown. Both texts must outlive the
 * progress. */
Progress progress_start_phase(const char *phase, double total, const char *unit);

/* Shows how much is done and how much time is left, at most a few times per second.
 * @done: of the total */
void progress_update(Progress *progress, double done);

/* Erases the line. Call it before printing anything else, and at the end. */
void progress_clear(Progress *progress);

/* Returns: the width of the terminal on stderr, or 80 if it is unknown */
guint progress_columns(void);

/* Returns: (transfer full): "0:35", "12:05" or "1:02:05" */
char *progress_clock(double seconds);
