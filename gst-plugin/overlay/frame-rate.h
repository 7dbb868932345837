/* frame-rate.h: measures the frames per second that pass, once a second. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct {
  GstClockTime begin; /* start of the current second; 0: not started */
  guint frames;       /* counted in the current second */
  double rate;        /* in the second before; 0: not known yet */
} GstVitgateFrameRate;

/* Counts a frame that passes at @now, a monotonic time above 0.
 * Returns: frames per second; 0 before the first second is over. */
double gst_vitgate_frame_rate_count(GstVitgateFrameRate *rate, GstClockTime now);

G_END_DECLS
