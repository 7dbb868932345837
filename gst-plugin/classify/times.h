/* times.h: order statistics of measured times. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Maximum number of times for gst_vitgate_times_limit(). */
#define GST_VITGATE_MAX_TIMES 512

/* Returns: the smallest time that at most @beyond of the @n times exceed; 0 if @beyond is at least
 * @n. */
GstClockTime gst_vitgate_times_limit(const GstClockTime *times, guint n, guint beyond);

G_END_DECLS
