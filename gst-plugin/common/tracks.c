/* tracks.c: the number that a tracker gives a detected object. */
#include "common/tracks.h"

gboolean gst_vitgate_track_of_roi(GstVideoRegionOfInterestMeta *roi, guint64 *id)
{
  const GstStructure *s = gst_video_region_of_interest_meta_get_param(roi, "object_id");
  gint number;

  if (!s || !gst_structure_get_int(s, "id", &number) || number < 0)
    return FALSE;
  *id = number;
  return TRUE;
}

#ifdef HAVE_GST_ANALYTICS

/* Looks in both directions: trackers relate the object to its track, the track to the object, or
 * both. */
gboolean gst_vitgate_track_of_detection(GstAnalyticsRelationMeta *relations, guint detection,
                                        guint64 *id)
{
  const GstAnalyticsMtdType type = gst_analytics_tracking_mtd_get_mtd_type();
  GstAnalyticsTrackingMtd track;
  GstClockTime first_seen, last_seen;
  gboolean lost, found;
  gpointer state = NULL;

  found = gst_analytics_relation_meta_get_direct_related(
      relations, detection, GST_ANALYTICS_REL_TYPE_ANY, type, &state, &track);
  state = NULL;
  while (!found && gst_analytics_relation_meta_iterate(relations, &state, type, &track))
    found = gst_analytics_relation_meta_get_relation(relations, track.id, detection) !=
            GST_ANALYTICS_REL_TYPE_NONE;
  return found && gst_analytics_tracking_mtd_get_info(&track, id, &first_seen, &last_seen, &lost);
}

#endif
