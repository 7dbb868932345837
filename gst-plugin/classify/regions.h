/* regions.h: the regions of a frame that a detector upstream attached to it.
 *
 * A region is a GstVideoRegionOfInterestMeta, a GstAnalyticsODMtd (GStreamer 1.24 and later), or
 * one of each with the same place and type: detectors that speak to both kinds of readers attach
 * every object twice. */
#pragma once

#include <gst/video/video.h>
#include <vitgate.h>

G_BEGIN_DECLS

typedef struct {
  VitgateRectangle place; /* what of it lies within the frame; never empty */
  GQuark type;            /* the detector's class; 0: none */
  gboolean tracked;       /* @id stays with the object from frame to frame */
  guint64 id;

  /* Where results go; valid as long as the buffer's metadata. */
  GstVideoRegionOfInterestMeta *roi; /* NULL: it has none */
  gint64 detection;                  /* number of its GstAnalyticsODMtd; -1: it has none */
} GstVitgateRegion;

/* What is asked for. */
typedef struct {
  const char *types; /* those wanted, separated by commas; NULL: all */
  guint min_size;    /* least columns and rows, of what lies within the frame */
  guint most;        /* regions */
} GstVitgateRegionFilter;

/* What was left out of what was asked for. */
typedef struct {
  guint bad;    /* empty, or outside of the frame */
  guint beyond; /* more than filter->most */
} GstVitgateRegionsLeftOut;

/* Reads the regions of a frame in the order in which they were attached.
 * @regions: (out caller-allocates): an array of GstVitgateRegion; what it held before is gone
 * @width, @height: of the frame in pixels */
void gst_vitgate_regions_read(GArray *regions, GstBuffer *buffer,
                              const GstVitgateRegionFilter *filter, guint width, guint height,
                              GstVitgateRegionsLeftOut *left_out);

/* What a model looks at to classify the region at @place: the square around it, of its longer
 * side, moved into the frame. A region that is longer than the frame is high (or wide) is seen in
 * all its length and as much of the frame beside it as there is. */
VitgateRectangle gst_vitgate_region_view(const VitgateRectangle *place, guint width, guint height);

G_END_DECLS
