/* One line on a terminal that shows how far long work has come; nothing elsewhere. */
#pragma once

#include <glib.h>

typedef struct {
  gboolean shown; /* stderr is a terminal */
  guint total;
  const char *unit;   /* "images" */
  gint64 start, last; /* microseconds */
  gboolean drawn;     /* a line stands there */
} Progress;

/* @unit: what @total counts, for the line; must outlive the progress */
Progress progress_start(guint total, const char *unit);

/* @done: of total; drawn a few times a second at most */
void progress_update(Progress *progress, guint done);

/* Takes the line away, before anything else is printed and at the end. */
void progress_clear(Progress *progress);
