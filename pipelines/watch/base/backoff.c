#include "base/backoff.h"

void backoff_init(Backoff *self, double least, double most)
{
  *self = (Backoff){ .least = least, .most = most, .next = least };
}

double backoff_step(Backoff *self, double chance)
{
  double wait = self->next * (0.5 + 0.5 * chance);
  self->next = MIN(self->next * 2, self->most);
  return wait;
}

void backoff_slow_down(Backoff *self)
{
  self->next = self->most;
}

void backoff_succeeded(Backoff *self, double seconds)
{
  if (seconds >= self->next)
    self->next = self->least;
}
