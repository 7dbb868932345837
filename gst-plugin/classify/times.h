/* times.h: order among measured times. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Most times that gst_vitgate_times_limit() takes. */
#define GST_VITGATE_MAX_TIMES 512

/* Returns: the least time that all but @beyond of @n do not exceed; 0 where @beyond is all. */
GstClockTime gst_vitgate_times_limit(const GstClockTime *times, guint n, guint beyond);

G_END_DECLS
