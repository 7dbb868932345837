/* region-analysis.h: the steps that classify the regions of one frame, between
 * gst_vitgate_analysis_begin() and gst_vitgate_analysis_end(). */
#pragma once

#include "classify/analysis.h"

G_BEGIN_DECLS

/* Reads the frame's regions and sets the state: EMPTY if there are none, INTERVAL if none is due,
 * LATE if there is no time, FRESH if those that are due are to be inferred. */
void gst_vitgate_region_analysis_decide(GstVitgate *self, GstVitgateAnalysis *analysis);

/* Infers the regions that are due. Sets the state to EMPTY if the pixels cannot be read.
 * Returns: GST_FLOW_ERROR if the engine failed, with an error posted. */
GstFlowReturn gst_vitgate_region_analysis_infer(GstVitgate *self, GstVitgateAnalysis *analysis);

/* Attaches the regions' results, fresh or old, to the frame, and posts fresh ones on the bus if the
 * user asked for messages. */
void gst_vitgate_region_analysis_publish(GstVitgate *self, const GstVitgateAnalysis *analysis);

G_END_DECLS
