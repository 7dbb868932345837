/* frame-rate.h: frames per second as they pass, worked out anew each second. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct {
  GstClockTime begin; /* of the second that is being counted; 0: not begun */
  guint frames;       /* counted in it */
  double rate;        /* of the second before; 0: not known yet */
} GstVitgateFrameRate;

/* Counts a frame that passes at @now, a monotonic time above 0.
 * Returns: frames per second; 0 where less than a second is known. */
double gst_vitgate_frame_rate_count(GstVitgateFrameRate *rate, GstClockTime now);

G_END_DECLS
