/* wall-clock.h: when a frame was taken, by the clock on the wall. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct {
  GstClockTime time;  /* nanoseconds since 1970-01-01 00:00 UTC; GST_CLOCK_TIME_NONE: unknown */
  const char *source; /* static: "unix", "ntp": the buffer tells; "clock": ours; NULL: unknown */
} GstVitgateWallClock;

/* What @buffer itself tells: a GstReferenceTimestampMeta in Unix or in NTP time. */
GstVitgateWallClock gst_vitgate_wall_clock_of_buffer(GstBuffer *buffer);

/* What @element's clock tells of the instant @running_time, which has to be one of a live stream:
 * only there is a frame's time the one at which it was taken. */
GstVitgateWallClock gst_vitgate_wall_clock_of_running_time(GstElement *element,
                                                           GstClockTime running_time);

/* Returns: (transfer full) (nullable): @time as RFC 3339 writes it, in UTC and to the microsecond;
 * NULL where it is unknown. */
char *gst_vitgate_wall_clock_to_string(const GstVitgateWallClock *time);

G_END_DECLS
