/* A line on a terminal that shows the progress of long work. Prints nothing if stderr is not a
 * terminal. */
#pragma once

#include <glib.h>

typedef struct {
  gboolean shown; /* stderr is a terminal */
  guint total;
  const char *unit;   /* "images" */
  gint64 start, last; /* microseconds */
  gboolean drawn;     /* a line is on the terminal */
} Progress;

/* Starts counting to @total.
 * @unit: what is counted, for display; must outlive the progress */
Progress progress_start(guint total, const char *unit);

/* Redraws the line, at most a few times per second.
 * @done: how many of the total are done */
void progress_update(Progress *progress, guint done);

/* Erases the line. Call it before printing anything else, and at the end. */
void progress_clear(Progress *progress);
