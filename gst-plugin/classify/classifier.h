/* classifier.h: everything that classifies one stream: a model, a session, class labels and the
 * last result. Made and freed as a whole, so that a new one can be prepared while another is in
 * use. It belongs to the streaming thread. */
#pragma once

#include <gst/gst.h>
#include <vitgate.h>

#include "classify/region-classifier.h"
#include "classify/smoothing.h"
#include "classify/views.h"

G_BEGIN_DECLS

/* How frames become the square input of the network: the engine's fits and two more. */
typedef enum {
  GST_VITGATE_FIT_MODEL = VITGATE_FIT_MODEL,
  GST_VITGATE_FIT_CROP = VITGATE_FIT_CROP,
  GST_VITGATE_FIT_SQUASH = VITGATE_FIT_SQUASH,
  GST_VITGATE_FIT_LETTERBOX = VITGATE_FIT_LETTERBOX,
  GST_VITGATE_FIT_SQUARES, /* several squares that cover the frame */
  GST_VITGATE_FIT_AUTO,    /* as the model file says; squares if it does not */
} GstVitgateFit;

/* What to make a classifier from. The caller owns both paths. */
typedef struct {
  char *model;
  char *labels; /* NULL: the model's labels */
  VitgatePrecision precision;
  GstVitgateFit fit;
  guint threads;
  gboolean regions;  /* classify regions instead of whole frames */
  gboolean temporal; /* frames are updated from the ones before */
} GstVitgateClassifierOptions;

/* Classes in the order in which they are attached. */
typedef struct {
  guint n;
  guint *indices; /* [n_classes of the model], of which n are used */
  float *scores;
} GstVitgateRanking;

/* Which classes are attached. */
typedef struct {
  guint top_k;       /* 0: 5, or all if each class has a probability of its own */
  float threshold;   /* below 0: 0.25 for the best class and 0 for the others; or, if each class has
                        a probability of its own, the model's threshold of each, or 0.5 for all */
  double hysteresis; /* of the smoothing */
  float unknown_threshold; /* minimum score of a picture of none of the classes; 0: there is none */
} GstVitgateRankingOptions;

typedef struct {
  char *path; /* of the model */
  VitgateModel *model;
  VitgateSession *session;
  const VitgateModelInfo *info;
  const char *const *labels; /* [info->n_classes] */
  char **own_labels;         /* from the labels file; NULL: none, the model's are used */

  gboolean temporal;     /* the views are streams whose keys and values are kept */
  GstVitgateViews views; /* of the last preprocessed frame */
  gint64 preprocess_ns;  /* time taken to preprocess it */

  const VitgateResult *result; /* the last valid one; NULL: none */
  double compute;              /* setting of the dial when a frame was last looked at */
  double result_compute;       /* when @result was inferred */
  double whole_time;           /* running mean of nanoseconds per compute ratio, in frames of which
                                  all was computed; 0: unknown */
  guint64 frame;               /* number of the current frame */
  guint64 age;                 /* frames since @result was inferred */
  GstClockTime inferred_at;    /* stream time of the inferred frame; NONE: unknown */
  VitgateResult last;          /* storage of @result, pre-processing time included */
  VitgateDecision decision;    /* of @result, without marks */

  GstVitgateRegionClassifier *regions; /* NULL: whole frames are classified */

  GstVitgateSmoothing smoothing; /* of the results of whole frames */
  gpointer smoothing_memory;

  /* Set by gst_vitgate_classifier_rank(). */
  GstVitgateRanking found; /* the label, then the others, best first; averaged */
  GstVitgateRanking raw;   /* of the result itself, best first */
} GstVitgateClassifier;

/* Makes a classifier.
 * @doing: (out): on failure, what did not work, a static string
 * Returns: (transfer full) (nullable): NULL on failure, with @error set as by
 * vitgate_model_open_with(), vitgate_labels_read() or vitgate_session_new(). */
GstVitgateClassifier *gst_vitgate_classifier_new(const GstVitgateClassifierOptions *options,
                                                 const char **doing, GError **error);

/* Frees *@classifier and sets it to NULL; it may be NULL. It may have to
 * wait until another model is loaded. */
void gst_vitgate_classifier_free(GstVitgateClassifier **classifier);

/* Preprocesses the views of @image.
 * Returns: FALSE on failure, with @error set as by vitgate_session_preprocess(). */
gboolean gst_vitgate_classifier_preprocess(GstVitgateClassifier *classifier,
                                           const VitgateImage *image, GError **error);

/* Decides what to compute of the last preprocessed frame.
 * @compute: setting of the dial, clamped to the model's range
 * Returns: whether the last result stands. */
gboolean gst_vitgate_classifier_look(GstVitgateClassifier *classifier, double compute,
                                     const VitgateStreamOptions *options);

/* Infers the frame that was looked at. The result is in @classifier->result until the next call.
 * @stream_time: of the frame; GST_CLOCK_TIME_NONE if unknown
 * Returns: FALSE on failure, with @error set as by vitgate_session_follow(); there is no result
 * then. */
gboolean gst_vitgate_classifier_infer(GstVitgateClassifier *classifier, GstClockTime stream_time,
                                      GError **error);

/* Records how long a frame took with the inference that made the last result. */
void gst_vitgate_classifier_record_time(GstVitgateClassifier *classifier, GstClockTime taken);

/* Drops the last results and their averages, for example because another stream starts. */
void gst_vitgate_classifier_forget(GstVitgateClassifier *classifier);

/* Sets @classifier->found to the steady classes of @smoothing, which is empty if none reaches the
 * threshold, or to the class number info->n_classes alone if the picture is of none of them, and
 * @classifier->raw to the best classes of @result, which the threshold limits only if each class
 * has a probability of its own.
 * @result: the last result, or a region's
 * @smoothing: of the frame's results, or of that region's */
void gst_vitgate_classifier_rank(GstVitgateClassifier *classifier, const VitgateResult *result,
                                 GstVitgateSmoothing *smoothing,
                                 const GstVitgateRankingOptions *options);

G_END_DECLS
