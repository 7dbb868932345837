#include "base/progress.h"

#include <unistd.h>

#define INTERVAL (G_USEC_PER_SEC / 5)

Progress progress_start(guint total, const char *unit)
{
  gint64 now = g_get_monotonic_time();
  return (Progress){ .shown = isatty(STDERR_FILENO),
                     .total = total,
                     .unit = unit,
                     .start = now,
                     .last = now - INTERVAL }; /* the first update is drawn at once */
}

void progress_update(Progress *progress, guint done)
{
  gint64 now = g_get_monotonic_time();
  if (!progress->shown || now - progress->last < INTERVAL || done == 0)
    return;
  double seconds = (double)(now - progress->start) / G_USEC_PER_SEC;
  double rate = done / seconds;
  guint left = (guint)((progress->total - done) / rate);
  g_printerr("\r%u of %u %s, %.1f %s/s, %u:%02u left \033[K", done, progress->total, progress->unit,
             rate, progress->unit, left / 60, left % 60);
  progress->last = now;
  progress->drawn = TRUE;
}

void progress_clear(Progress *progress)
{
  if (progress->drawn)
    g_printerr("\r\033[K");
  progress->drawn = FALSE;
}
