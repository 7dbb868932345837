/* region-classifier.h: classifies the regions of frames, a frame's as batches, and knows of those
 * that a tracker follows what was found in them before. It belongs to the streaming thread.
 *
 * For each frame: gst_vitgate_region_classifier_read(), then
 * gst_vitgate_region_classifier_infer() where there is time for it and something is due; then
 * @regions and @results hold what is known. */
#pragma once

#include "classify/region-memory.h"

G_BEGIN_DECLS

/* Regions that are classified in one call of the engine. */
#define GST_VITGATE_REGION_BATCH 16

/* How an inference is asked for. */
typedef struct {
  VitgateSession *session; /* that takes GST_VITGATE_REGION_BATCH images */
  guint n_modules;         /* of its model */
  double compute;          /* where its dial is */
  GstClockTime stream_time;
} GstVitgateRegionInference;

typedef struct {
  GstVitgateRegionMemory memory;
  GArray *regions;    /* GstVitgateRegion: those of the present frame */
  GPtrArray *results; /* GstVitgateRegionResult: theirs; NULL: none is known */
  guint64 inferred;   /* number of the last frame in which any was; 0: none that counts */

  /* What the last inference took, all regions together. */
  GstClockTime engine; /* nanoseconds */
  double gmacs;
} GstVitgateRegionClassifier;

GstVitgateRegionClassifier *gst_vitgate_region_classifier_new(void);

/* Frees *@classifier and sets it to NULL; it may be NULL. */
void gst_vitgate_region_classifier_free(GstVitgateRegionClassifier **classifier);

/* Forgets all results: what comes next has nothing to do with what was seen. */
void gst_vitgate_region_classifier_forget(GstVitgateRegionClassifier *classifier);

/* Reads the regions of the next frame, as gst_vitgate_regions_read(), and what is known of them. */
void gst_vitgate_region_classifier_read(GstVitgateRegionClassifier *classifier, GstBuffer *buffer,
                                        const GstVitgateRegionFilter *filter, guint width,
                                        guint height, GstVitgateRegionsLeftOut *left_out);

/* Returns: whether a region has no result, or one that is @interval frames old or older. */
gboolean gst_vitgate_region_classifier_is_due(const GstVitgateRegionClassifier *classifier,
                                              guint interval);

/* Classifies those regions of @frame.
 * Returns: FALSE with @error set as vitgate_session_classify(). */
gboolean gst_vitgate_region_classifier_infer(GstVitgateRegionClassifier *classifier,
                                             const GstVitgateRegionInference *inference,
                                             const VitgateImage *frame, guint interval,
                                             GError **error);

G_END_DECLS
