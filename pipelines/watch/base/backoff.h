/* How long to wait before the next attempt: each time twice as long as before, up to a limit, and
 * never quite the same, so that cameras that fell out together do not come back together. */
#pragma once

#include <glib.h>

typedef struct {
  double least, most; /* seconds */
  double next;        /* the longest that the next wait can be */
} Backoff;

void backoff_init(Backoff *self, double least, double most);

/* @chance: from 0 to 1, drawn by the caller
 * Returns: seconds to wait, from half of the step to the whole; the next step is twice as long */
double backoff_step(Backoff *self, double chance);

/* What failed will not mend itself soon: from now on the longest waits. */
void backoff_slow_down(Backoff *self);

/* An attempt was good for @seconds; one that lasted longer than the wait before it starts anew. */
void backoff_succeeded(Backoff *self, double seconds);
