/* age.h: how old a result is. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* The age of a result: nanoseconds of stream time from the inferred frame, at @inferred_at, to a
 * frame at @stream_time; GST_CLOCK_TIME_NONE if unknown. */
GstClockTime gst_vitgate_age_time(GstClockTime inferred_at, GstClockTime stream_time);

/* Returns: whether a result must not stand for a frame at @stream_time: it is at least @max_age
 * old, or its age is unknown; never if @max_age is 0. */
gboolean gst_vitgate_is_too_old(GstClockTime inferred_at, GstClockTime stream_time,
                                GstClockTime max_age);

G_END_DECLS
