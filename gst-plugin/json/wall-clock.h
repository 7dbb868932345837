/* wall-clock.h: finds out at what time of day a frame was taken. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct {
  GstClockTime time; /* nanoseconds since 1970-01-01 00:00 UTC; GST_CLOCK_TIME_NONE: unknown */
  const char
      *source; /* static: "unix" or "ntp": the buffer; "clock": this machine; NULL: unknown */
} GstVitgateWallClock;

/* Returns: the time in @buffer's GstReferenceTimestampMeta, in Unix or NTP time; unknown if there
 * is none. */
GstVitgateWallClock gst_vitgate_wall_clock_of_buffer(GstBuffer *buffer);

/* Returns: the time of day at @running_time, by @element's clock; unknown if it has none. This is
 * when a frame was taken only if the stream is live. */
GstVitgateWallClock gst_vitgate_wall_clock_of_running_time(GstElement *element,
                                                           GstClockTime running_time);

/* Returns: (transfer full) (nullable): @time in the form of RFC 3339, in UTC, with microseconds;
 * NULL if it is unknown. */
char *gst_vitgate_wall_clock_to_string(const GstVitgateWallClock *time);

G_END_DECLS
