/* region-classifier.h: classifies the regions of frames in batches, and remembers the results of
 * tracked regions from frame to frame. It belongs to the streaming thread.
 *
 * For each frame, call gst_vitgate_region_classifier_read(), then
 * gst_vitgate_region_classifier_infer() if there is time and a region is due. @regions and @results
 * then hold the frame's regions and their results. */
#pragma once

#include "classify/region-memory.h"

G_BEGIN_DECLS

/* Maximum number of regions in one call of the engine. */
#define GST_VITGATE_REGION_BATCH 16

/* Parameters of an inference. */
typedef struct {
  VitgateSession *session; /* takes GST_VITGATE_REGION_BATCH images */
  guint n_modules;         /* of its model */
  double compute;          /* setting of the dial */
  GstClockTime stream_time;
  const GstVitgateSmoothingOptions *smoothing;
  const GstVitgateSmoothingMoment *moment;

  /* Of tracked regions whose keys and values are kept. */
  const VitgateStreamOptions *streams; /* NULL: of none */
  VitgateModel *model;
  float *tensor; /* for the input of one region */
  GstClockTime max_age;
} GstVitgateRegionInference;

typedef struct {
  GstVitgateRegionMemory memory;
  GArray *regions;    /* of GstVitgateRegion: the current frame's */
  GPtrArray *results; /* of GstVitgateRegionResult: one for each region; NULL: none known */
  guint64 inferred;   /* number of the last frame in which a region was inferred; 0: none */
  guint64 cut;        /* number of the first frame of the scene: older results are not averaged */

  /* Of the last inference, all regions together. */
  GstClockTime engine; /* nanoseconds spent in the engine */
  double gmacs;
} GstVitgateRegionClassifier;

GstVitgateRegionClassifier *gst_vitgate_region_classifier_new(void);

/* Frees *@classifier and sets it to NULL; it may be NULL. */
void gst_vitgate_region_classifier_free(GstVitgateRegionClassifier **classifier);

/* Drops all results, for example because another stream starts. */
void gst_vitgate_region_classifier_forget(GstVitgateRegionClassifier *classifier);

/* Reads the regions of the next frame, as gst_vitgate_regions_read() does, and looks up the results
 * of those that are known. */
void gst_vitgate_region_classifier_read(GstVitgateRegionClassifier *classifier, GstBuffer *buffer,
                                        const GstVitgateRegionFilter *filter, guint width,
                                        guint height, GstVitgateRegionsSkipped *skipped_regions);

/* Returns: whether a region is due: it has no result, or one at least @interval frames old. */
gboolean gst_vitgate_region_classifier_is_due(const GstVitgateRegionClassifier *classifier,
                                              guint interval);

/* Classifies the regions of @frame that are due.
 * Returns: FALSE on failure, with @error set as by vitgate_session_classify(). */
gboolean gst_vitgate_region_classifier_infer(GstVitgateRegionClassifier *classifier,
                                             const GstVitgateRegionInference *inference,
                                             const VitgateImage *frame, guint interval,
                                             GError **error);

G_END_DECLS
