#include "fleet/fence.h"

#include <time.h>

#define MAX_MARGIN G_USEC_PER_SEC

gint64 fence_now(void)
{
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

gint64 fence_end(gint64 sent, guint lease)
{
  const gint64 length = lease * G_USEC_PER_SEC;
  return sent + length - MIN(MAX_MARGIN, length / 6);
}
