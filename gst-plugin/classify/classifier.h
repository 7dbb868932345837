/* classifier.h: all that one stream's classification needs: a model, a session of it, the labels to
 * speak of its classes, and the last result. Made and freed as a whole, so that one can be prepared
 * beside another. It belongs to the streaming thread. */
#pragma once

#include <gst/gst.h>
#include <vitgate.h>

#include "classify/region-classifier.h"

G_BEGIN_DECLS

/* What to make a classifier of; both paths are g_free()d by who made it. */
typedef struct {
  char *model;
  char *labels; /* NULL: the labels of the model */
  VitgatePrecision precision;
  guint threads;
  gboolean regions; /* of frames are to be classified, not frames */
} GstVitgateClassifierOptions;

typedef struct {
  char *path; /* of the model */
  VitgateModel *model;
  VitgateSession *session;
  const VitgateModelInfo *info;
  const char *const *labels; /* [info->n_classes] */
  char **own_labels;         /* those of the labels file; NULL: the model's */

  float *tensor;        /* the frame last looked at, as the network takes it */
  gint64 preprocess_ns; /* that this took */
  VitgateScene *scene;  /* tells how it differs from the last inferred one */

  const VitgateResult *result; /* the last one; NULL: none that still counts */
  double compute;              /* the dial that it was asked with */
  guint64 age;                 /* frames since @result was inferred */
  GstClockTime inferred_at;    /* stream time of the frame it was inferred from; NONE: unknown */
  VitgateResult last;          /* @result, with the time for its pixels */

  GstVitgateRegionClassifier *regions; /* NULL: whole frames are classified */

  guint *indices; /* [info->n_classes], for gst_vitgate_classifier_top_k() */
  float *scores;  /* [info->n_classes] */
} GstVitgateClassifier;

/* @doing: (out): on failure, what did not work, a static string
 * Returns: (transfer full): NULL with @error set as vitgate_model_open_with(),
 * vitgate_labels_read() and vitgate_session_new() do. */
GstVitgateClassifier *gst_vitgate_classifier_new(const GstVitgateClassifierOptions *options,
                                                 const char **doing, GError **error);

/* Frees *@classifier and sets it to NULL; it may be NULL. Waits while a model is being loaded. */
void gst_vitgate_classifier_free(GstVitgateClassifier **classifier);

/* Turns @image into what the network takes.
 * Returns: FALSE with @error set as vitgate_session_preprocess(). */
gboolean gst_vitgate_classifier_look(GstVitgateClassifier *classifier, const VitgateImage *image,
                                     GError **error);

/* Infers the frame last looked at; the result is at @classifier->result until the next call.
 * @compute: where the dial should be; taken for the nearest that the model can
 * @stream_time: the frame's; GST_CLOCK_TIME_NONE where unknown
 * Returns: FALSE with @error set as vitgate_session_forward(); there is no result then. */
gboolean gst_vitgate_classifier_infer(GstVitgateClassifier *classifier, double compute,
                                      GstClockTime stream_time, GError **error);

/* Nanoseconds of stream time from a frame at @inferred_at that a result was inferred from to one at
 * @stream_time; GST_CLOCK_TIME_NONE where unknown. */
GstClockTime gst_vitgate_age_time(GstClockTime inferred_at, GstClockTime stream_time);

/* Forgets the last results: what comes next has nothing to do with what was seen. */
void gst_vitgate_classifier_forget(GstVitgateClassifier *classifier);

/* Puts the best classes of @result, the last one or a region's, into @classifier->indices and
 * @classifier->scores.
 * Returns: how many, 0 to @k; those below @threshold are left out. */
guint gst_vitgate_classifier_top_k(GstVitgateClassifier *classifier, const VitgateResult *result,
                                   guint k, float threshold);

G_END_DECLS
