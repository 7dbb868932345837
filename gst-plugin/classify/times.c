/* times.c: order statistics of measured times. */
#include "classify/times.h"

#include <stdlib.h>
#include <string.h>

static int compare_times(const void *a, const void *b)
{
  const GstClockTime left = *(const GstClockTime *)a, right = *(const GstClockTime *)b;

  return (left > right) - (left < right);
}

GstClockTime gst_vitgate_times_limit(const GstClockTime *times, guint n, guint beyond)
{
  GstClockTime sorted[GST_VITGATE_MAX_TIMES];

  if (beyond >= n)
    return 0;
  memcpy(sorted, times, n * sizeof *times);
  qsort(sorted, n, sizeof *sorted, compare_times);
  return sorted[n - 1 - beyond];
}
