/* tracks.h: the number that a tracker gives a detected object, the same from frame to frame. */
#pragma once

#include <gst/video/video.h>

#ifdef HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>
#endif

G_BEGIN_DECLS

/* Reads the number that DL Streamer's tracker attached to a region of interest.
 * Returns: FALSE if there is none. */
gboolean gst_vitgate_track_of_roi(GstVideoRegionOfInterestMeta *roi, guint64 *id);

#ifdef HAVE_GST_ANALYTICS
/* Finds the track of a detection, the GstAnalyticsODMtd with the id @detection.
 * Returns: FALSE if there is none. */
gboolean gst_vitgate_track_of_detection(GstAnalyticsRelationMeta *relations, guint detection,
                                        guint64 *id);
#endif

G_END_DECLS
