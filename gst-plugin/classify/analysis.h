/* analysis.h: what is done for one frame, in the streaming thread, step by step. */
#pragma once

#include "classify/element.h"
#include "common/results.h"

G_BEGIN_DECLS

/* A frame on its way through the element. */
typedef struct {
  GstBuffer *buffer;
  GstVitgateSettings settings; /* as they are for this frame, without the paths */
  GstVitgateFrameTimes times;
  GstClockTime start;        /* when it arrived, by gst_util_get_timestamp() */
  GstClockTimeDiff lateness; /* by the clock of a live pipeline; 0: unknown, or not needed */
  GstVitgateState state;     /* set by each step */

  /* About the inference. */
  VitgatePass pass;     /* how much of the frame was computed */
  double compute;       /* setting of the dial */
  double gmacs;         /* 1e9 multiply-adds used */
  double compute_ratio; /* of it */
  GstClockTime engine;  /* nanoseconds spent in the engine */
} GstVitgateAnalysis;

/* Starts the analysis of @buffer with the current settings, and swaps in a newly loaded model. */
void gst_vitgate_analysis_begin(GstVitgate *self, GstVitgateAnalysis *analysis, GstBuffer *buffer);

/* Decides without looking at pixels. Sets the state to EMPTY, INTERVAL or LATE, or to FRESH if the
 * frame is to be preprocessed. */
void gst_vitgate_analysis_decide(GstVitgate *self, GstVitgateAnalysis *analysis);

/* Preprocesses the pixels. Leaves the state at FRESH if the frame is to be inferred; sets it to
 * UNCHANGED if the last result can be reused, or to EMPTY, with a warning posted, if the pixels
 * cannot be read.
 * Returns: GST_FLOW_ERROR if the engine failed, with an error posted. */
GstFlowReturn gst_vitgate_analysis_preprocess(GstVitgate *self, GstVitgateAnalysis *analysis);

/* Infers the preprocessed frame.
 * Returns: GST_FLOW_ERROR if the engine failed, with an error posted. */
GstFlowReturn gst_vitgate_analysis_infer(GstVitgate *self, GstVitgateAnalysis *analysis);

/* Attaches the classifier's last result, if any, to the frame, and posts that of a frame that was
 * looked at on the bus if the user asked for messages. */
void gst_vitgate_analysis_publish(GstVitgate *self, const GstVitgateAnalysis *analysis);

/* Updates the statistics, and reports the time taken to the controller and the pipeline. */
void gst_vitgate_analysis_end(GstVitgate *self, const GstVitgateAnalysis *analysis);

/* ---- Parts shared with the analysis of regions ---------------------------------------------- */

/* Returns: whether there is time for an inference; if so, the dial is at
 * @self->controller.dial. */
gboolean gst_vitgate_analysis_has_time(GstVitgate *self, const GstVitgateAnalysis *analysis);

/* Maps the pixels of the part of the frame to look at or, if its regions are classified, of all of
 * it.
 * Returns: FALSE if they cannot be read. The state is EMPTY then, and a warning is posted. */
gboolean gst_vitgate_analysis_map(GstVitgate *self, GstVitgateAnalysis *analysis,
                                  GstVitgateFrame *frame);

/* Finds the part of a frame to look at.
 * @width, @height: of the visible frame
 * @place: (out)
 * Returns: FALSE if it reaches beyond the frame, which may be smaller than its caps say. @place is
 * empty then, and a warning is posted. */
gboolean gst_vitgate_analysis_find_region(GstVitgate *self, const GstVitgateAnalysis *analysis,
                                          guint width, guint height, VitgateRectangle *place);

/* Decides what to compute of the picture just preprocessed.
 * @cut: (out): whether it shows another scene than the last inferred one
 * Returns: whether the last result stands. */
gboolean gst_vitgate_analysis_look(GstVitgate *self, const GstVitgateAnalysis *analysis,
                                   gboolean *cut);

/* Returns: when the frame is shown, for the averages. */
GstVitgateSmoothingMoment gst_vitgate_analysis_moment(const GstVitgate *self,
                                                      const GstVitgateAnalysis *analysis);

/* Ranks the classes of @result.
 * @smoothing: of the results to which it belongs
 * Returns: the result, to be attached; the caller sets compute, age and state. */
GstVitgateFrameResult gst_vitgate_analysis_rank(GstVitgate *self,
                                                const GstVitgateAnalysis *analysis,
                                                const VitgateResult *result,
                                                GstVitgateSmoothing *smoothing);

/* Posts an error of the engine.
 * Returns: GST_FLOW_ERROR. */
GstFlowReturn gst_vitgate_analysis_fail(GstVitgate *self, const GError *error);

G_END_DECLS
