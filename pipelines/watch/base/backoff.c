#include "base/backoff.h"

void backoff_init(Backoff *self, double min, double max)
{
  *self = (Backoff){ .min = min, .max = max, .next = min };
}

double backoff_step(Backoff *self, double chance)
{
  double wait = self->next * (0.5 + 0.5 * chance);
  self->next = MIN(self->next * 2, self->max);
  return wait;
}

void backoff_slow_down(Backoff *self)
{
  self->next = self->max;
}

void backoff_succeeded(Backoff *self, double seconds)
{
  if (seconds >= self->next)
    self->next = self->min;
}
