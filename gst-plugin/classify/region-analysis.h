/* region-analysis.h: what is done for one frame whose regions are classified, between
 * gst_vitgate_analysis_begin() and gst_vitgate_analysis_end(). */
#pragma once

#include "classify/analysis.h"

G_BEGIN_DECLS

/* Reads the frame's regions and decides: the state is EMPTY without any, INTERVAL where none is
 * due, LATE where there is no time, or FRESH where those that are due are to be inferred. */
void gst_vitgate_region_analysis_decide(GstVitgate *self, GstVitgateAnalysis *analysis);

/* Infers them. Where the pixels cannot be read the state becomes EMPTY.
 * Returns: GST_FLOW_ERROR where the engine failed, with an error posted. */
GstFlowReturn gst_vitgate_region_analysis_infer(GstVitgate *self, GstVitgateAnalysis *analysis);

/* Attaches what is known of the regions, fresh or old, in the form that the user asked for. */
void gst_vitgate_region_analysis_publish(GstVitgate *self, const GstVitgateAnalysis *analysis);

G_END_DECLS
