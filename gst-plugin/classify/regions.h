/* regions.h: reads the regions that a detector upstream attached to a frame.
 *
 * A region is a GstVideoRegionOfInterestMeta, a GstAnalyticsODMtd (GStreamer 1.24 and later), or
 * one of each with the same place and type, since some detectors attach every object in both
 * forms. */
#pragma once

#include <gst/video/video.h>
#include <vitgate.h>

G_BEGIN_DECLS

typedef struct {
  VitgateRectangle place; /* the part within the frame; never empty */
  GQuark type;            /* the detector's class; 0: none */
  gboolean tracked;       /* @id stays with the object from frame to frame */
  guint64 id;

  /* Where results are attached; valid as long as the buffer's metadata. */
  GstVideoRegionOfInterestMeta *roi; /* NULL: none */
  gint64 detection;                  /* id of its GstAnalyticsODMtd; -1: none */
} GstVitgateRegion;

/* Which regions to read. */
typedef struct {
  const char *types;              /* wanted types, separated by commas; NULL: all */
  guint min_size;                 /* minimum width and height in pixels, within the frame */
  guint max;                      /* maximum number of regions */
  const VitgateRectangle *within; /* where the centre of a region must lie; NULL: anywhere */
} GstVitgateRegionFilter;

/* How many regions of the wanted types were skipped. */
typedef struct {
  guint bad;    /* empty, or outside the frame */
  guint beyond; /* in excess of filter->max */
} GstVitgateRegionsSkipped;

/* Reads the regions of a frame in the order in which they were attached.
 * @regions: (out caller-allocates): an array of GstVitgateRegion; its contents are replaced
 * @width, @height: of the frame in pixels */
void gst_vitgate_regions_read(GArray *regions, GstBuffer *buffer,
                              const GstVitgateRegionFilter *filter, guint width, guint height,
                              GstVitgateRegionsSkipped *skipped_regions);

/* Returns: the part of @frame that a model sees to classify the region at @place: the square around
 * it, as wide as its longer side, moved into the frame. It is a square as displayed, whatever the
 * shape of the pixels. If the region is longer than the frame is high (or wide), the view has its
 * full length and all the frame has in the other direction. */
VitgateRectangle gst_vitgate_region_view(const VitgateRectangle *place, const VitgateImage *frame);

G_END_DECLS
