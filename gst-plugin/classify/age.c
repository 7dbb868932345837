/* age.c: how old a result is. */
#include "classify/age.h"

GstClockTime gst_vitgate_age_time(GstClockTime inferred_at, GstClockTime stream_time)
{
  if (!GST_CLOCK_TIME_IS_VALID(stream_time) || !GST_CLOCK_TIME_IS_VALID(inferred_at))
    return GST_CLOCK_TIME_NONE;
  return ABS(GST_CLOCK_DIFF(inferred_at, stream_time)); /* a stream may play backwards */
}

gboolean gst_vitgate_is_too_old(GstClockTime inferred_at, GstClockTime stream_time,
                                GstClockTime max_age)
{
  const GstClockTime age = gst_vitgate_age_time(inferred_at, stream_time);

  return max_age > 0 && !(GST_CLOCK_TIME_IS_VALID(age) && age < max_age);
}
