/* analysis.h: what is done for one frame, in the streaming thread, step by step. */
#pragma once

#include "classify/gstvitgate.h"
#include "common/results.h"

G_BEGIN_DECLS

/* One frame on its way. */
typedef struct {
  GstBuffer *buffer;
  GstVitgateSettings settings; /* of this moment, without the paths */
  GstVitgateFrameTimes times;
  GstClockTime start;        /* when it came, by gst_util_get_timestamp() */
  GstClockTimeDiff lateness; /* against the clock of a live pipeline; 0: unknown, or nothing asks */
  GstVitgateState state;     /* the last step's finding */

  /* Of what was inferred. */
  double compute;      /* the dial that was asked for */
  double gmacs;        /* that it took */
  GstClockTime engine; /* nanoseconds that it took */
} GstVitgateAnalysis;

/* Takes the settings of this moment, and the model that has become ready. */
void gst_vitgate_analysis_begin(GstVitgate *self, GstVitgateAnalysis *analysis, GstBuffer *buffer);

/* Decides by all but pixels: the state is EMPTY, INTERVAL, LATE, or FRESH where the frame is to be
 * looked at. */
void gst_vitgate_analysis_decide(GstVitgate *self, GstVitgateAnalysis *analysis);

/* Reads the pixels: the state is FRESH where the frame is to be inferred, else UNCHANGED, or EMPTY
 * where they cannot be read, with a warning posted.
 * Returns: GST_FLOW_ERROR where the engine failed, with an error posted. */
GstFlowReturn gst_vitgate_analysis_look(GstVitgate *self, GstVitgateAnalysis *analysis);

/* Infers what was looked at.
 * Returns: GST_FLOW_ERROR where the engine failed, with an error posted. */
GstFlowReturn gst_vitgate_analysis_infer(GstVitgate *self, GstVitgateAnalysis *analysis);

/* Attaches what the classifier knows, if anything, fresh or old, in the form that the user asked
 * for. */
void gst_vitgate_analysis_publish(GstVitgate *self, const GstVitgateAnalysis *analysis);

/* Counts, and tells the controller and the pipeline how long it took. */
void gst_vitgate_analysis_end(GstVitgate *self, const GstVitgateAnalysis *analysis);

/* ---- Parts of it, for frames whose regions are classified ----------------------------------- */

/* Returns: whether there is time for an inference, with the dial at @self->controller.dial. */
gboolean gst_vitgate_analysis_has_time(GstVitgate *self, const GstVitgateAnalysis *analysis);

/* Maps the pixels.
 * Returns: FALSE where they cannot be read: the state is EMPTY then, with a warning posted. */
gboolean gst_vitgate_analysis_map(GstVitgate *self, GstVitgateAnalysis *analysis,
                                  GstVitgateFrame *frame);

/* Posts an error of the engine.
 * Returns: GST_FLOW_ERROR. */
GstFlowReturn gst_vitgate_analysis_fail(GstVitgate *self, const GError *error);

G_END_DECLS
