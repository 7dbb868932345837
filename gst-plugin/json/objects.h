/* objects.h: reads everything that detectors attached to a frame. */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

/* A detected object: a GstVideoRegionOfInterestMeta, a GstAnalyticsODMtd (GStreamer 1.24 and
 * later), or one of each for the same object. */
typedef struct {
  gint x, y, width, height; /* as the detector gave them; may reach beyond the frame */
  GQuark type;              /* the detector's class; 0: none */
  double confidence;        /* of the detection; below 0: unknown */
  gint label_id;            /* number of @type among the detector's classes; below 0: unknown */
  gint64 region_id;         /* the object's number in the frame; below 0: unknown */
  gint64 parent_id;         /* region_id of the object that it is part of; below 0: none */
  gboolean tracked;         /* @id stays with the object from frame to frame */
  guint64 id;
  gint64 detection;        /* id of its GstAnalyticsODMtd; -1: none */
  const GList *parameters; /* of GstStructure: its region of interest's */
} GstVitgateObject;

/* Returns: (transfer full): an array of GstVitgateObject, valid as long as the metadata of @buffer,
 * in the order in which they were attached. The region of the whole frame is not among them. */
GArray *gst_vitgate_objects_read(GstBuffer *buffer);

G_END_DECLS
