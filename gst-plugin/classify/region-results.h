/* region-results.h: attaches the results of a frame's regions to the frame.
 *
 * Each region carries its result where readers of its detector expect it: as a parameter of its
 * GstVideoRegionOfInterestMeta, and as two GstAnalyticsClsMtd related to its GstAnalyticsODMtd. The
 * frame's GST_VITGATE_META lists all regions with all fields. */
#pragma once

#include "classify/regions.h"
#include "common/results.h"

G_BEGIN_DECLS

/* Attaches @result to @region of @buffer, which must be writable, and appends it to @list, the
 * array of a GstVitgateRegionResults. */
void gst_vitgate_region_results_attach(GstBuffer *buffer, const GstVitgateRegion *region,
                                       const GstVitgateFrameResult *result, GValue *list);

/* The results of all regions of a frame, and their total cost. */
typedef struct {
  const VitgateModelInfo *model;
  const char *look; /* NULL: unnamed */
  const GValue *list;
  GstVitgateState state;
  double gmacs;
  GstClockTime inference_time;
} GstVitgateRegionResults;

/* Attaches the list to @buffer, which must be writable, as its GST_VITGATE_META. */
void gst_vitgate_region_results_attach_list(GstBuffer *buffer,
                                            const GstVitgateRegionResults *results);

/* Returns: (transfer full): an element message from @source with the list. Its structure is named
 * GST_VITGATE_MESSAGE. */
GstMessage *gst_vitgate_region_results_message(GstObject *source,
                                               const GstVitgateRegionResults *results,
                                               const GstVitgateFrameTimes *times);

G_END_DECLS
