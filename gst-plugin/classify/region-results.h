/* region-results.h: what was found in the regions of a frame, attached to it.
 *
 * Each region carries its result where its detector's readers look for it: as a parameter of its
 * GstVideoRegionOfInterestMeta, and as a GstAnalyticsClsMtd that its GstAnalyticsODMtd is related
 * to. The frame's GST_VITGATE_META lists all regions with everything. */
#pragma once

#include "classify/regions.h"
#include "common/results.h"

G_BEGIN_DECLS

/* Attaches @result to @region of @buffer, which must be writable, and appends it to @list, an array
 * for GstVitgateRegionResults. */
void gst_vitgate_region_results_attach(GstBuffer *buffer, const GstVitgateRegion *region,
                                       const GstVitgateFrameResult *result, GValue *list);

/* A frame's regions, and what they took together. */
typedef struct {
  const VitgateModelInfo *model;
  const GValue *list;
  GstVitgateState state;
  double gmacs;
  GstClockTime inference_time;
} GstVitgateRegionResults;

/* Attaches the list to @buffer, which must be writable, as its GST_VITGATE_META. */
void gst_vitgate_region_results_attach_list(GstBuffer *buffer,
                                            const GstVitgateRegionResults *results);

/* Returns: (transfer full): an element message from @source with the list, its structure named
 * GST_VITGATE_MESSAGE. */
GstMessage *gst_vitgate_region_results_message(GstObject *source,
                                               const GstVitgateRegionResults *results,
                                               const GstVitgateFrameTimes *times);

G_END_DECLS
