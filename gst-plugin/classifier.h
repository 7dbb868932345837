/* classifier.h: all that one stream's classification needs: a model, a session of it and the
 * labels to speak of its classes. Made and freed as a whole, so that one can be prepared beside
 * another. It belongs to the streaming thread. */
#pragma once

#include <gst/gst.h>
#include <vitgate.h>

G_BEGIN_DECLS

typedef struct {
  VitgateModel *model;
  VitgateSession *session;
  const VitgateModelInfo *info;
  const char *const *labels; /* [info->n_classes] */
  char **own_labels;         /* those of the labels file; NULL: the model's */

  const VitgateResult *result; /* the last one; NULL: none that still counts */
  guint64 age;                 /* frames since @result was inferred */

  guint *indices; /* [info->n_classes], for gst_vitgate_classifier_top_k() */
  float *scores;  /* [info->n_classes] */
} GstVitgateClassifier;

/* @labels: (nullable): path of a labels file; NULL takes the labels of the model
 * @doing: (out): on failure, what did not work, a static string
 * Returns: (transfer full): NULL with @error set as vitgate_model_open_with(),
 * vitgate_labels_read() and vitgate_session_new() do. */
GstVitgateClassifier *gst_vitgate_classifier_new(const char *model, const char *labels,
                                                 VitgatePrecision precision, guint threads,
                                                 const char **doing, GError **error);

/* Frees *@classifier and sets it to NULL; it may be NULL. */
void gst_vitgate_classifier_free(GstVitgateClassifier **classifier);

/* Infers @image; the result is at @classifier->result until the next call.
 * Returns: FALSE with @error set as vitgate_session_classify(); there is no result then. */
gboolean gst_vitgate_classifier_infer(GstVitgateClassifier *classifier, const VitgateImage *image,
                                      GError **error);

/* Forgets the last result: what comes next has nothing to do with what was seen. */
void gst_vitgate_classifier_forget(GstVitgateClassifier *classifier);

/* Puts the best classes of the last result into @classifier->indices and @classifier->scores.
 * Returns: how many, 0 to @k; those below @threshold are left out. */
guint gst_vitgate_classifier_top_k(GstVitgateClassifier *classifier, guint k, float threshold);

G_END_DECLS
