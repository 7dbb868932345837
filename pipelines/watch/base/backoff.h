/* Computes how long to wait before the next attempt. The wait doubles each time, up to a limit.
 * Part of it is random, so that cameras that failed together do not reconnect together. */
#pragma once

#include <glib.h>

typedef struct {
  double min, max; /* minimum and maximum wait, seconds */
  double next;     /* maximum of the next wait, seconds */
} Backoff;

void backoff_init(Backoff *self, double min, double max);

/* Computes the next wait, and doubles the step.
 * @chance: a random number from 0 to 1
 * Returns: seconds to wait, from half the step to the whole step */
double backoff_step(Backoff *self, double chance);

/* Uses the maximum wait from now on, because the failure will not pass soon. */
void backoff_slow_down(Backoff *self);

/* Records an attempt that lasted @seconds. If that is at least as long as the next wait, the wait
 * starts again at the minimum. */
void backoff_succeeded(Backoff *self, double seconds);
