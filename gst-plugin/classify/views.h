/* views.h: what the network sees of a frame: the whole frame or its centre at once, or several
 * squares that cover the frame and whose results become one. */
#pragma once

#include <gst/gst.h>
#include <vitgate.h>

#include "common/token-map.h"

G_BEGIN_DECLS

#define GST_VITGATE_MAX_VIEWS 2

typedef struct {
  gboolean squares; /* frames of another shape are covered by squares */
  VitgateFit fit;   /* of the session; set by the caller, for the places of patches */
  guint x, y;       /* where the image lies in the frame; set by the caller */
  const VitgateModelInfo *info;
  guint n_modules, n_classes;
  gsize size;      /* floats of the network's input for one view */
  guint n_patches; /* of one view */

  guint n;               /* views of the last frame; at least 1 */
  VitgateRectangle seen; /* what they show of the frame, as stored */
  float *tensors;        /* [max views][size] the network's inputs */
  gboolean still;        /* the last frame was unchanged */
  guint64 hash;          /* of the image that the tensors are of, if the frame before stood still;
                            otherwise 0 */
  VitgateStream *streams[GST_VITGATE_MAX_VIEWS];

  GstVitgateTokenView places[GST_VITGATE_MAX_VIEWS]; /* where the patches of the last frame lie */
  GstVitgateTokenView tokens[GST_VITGATE_MAX_VIEWS]; /* patches of the last inferred frame */
  guint n_tokens; /* of them; 0 if the session does not record patches */

  VitgateResult result;     /* of all views together; arrays belong to the session or are these: */
  VitgateDecision decision; /* its decision */
  float *probabilities;     /* [n_classes] */
  guint8 *modules;          /* [n_modules] */
} GstVitgateViews;

/* Covers @image by squares along its longer side, as displayed: one for a shape of up to 6:5,
 * otherwise two. Two squares overlap unless the image is longer than 2:1; then they are its halves,
 * and squeezed. So is a single square, which is the whole image.
 * @places: (out): as stored
 * Returns: how many. */
guint gst_vitgate_views_place(VitgateRectangle places[GST_VITGATE_MAX_VIEWS],
                              const VitgateImage *image);

/* @model: must outlive @views
 * @temporal: views are streams whose keys and values are kept
 * Returns: FALSE on failure, with @error set as by vitgate_stream_new(). */
gboolean gst_vitgate_views_init(GstVitgateViews *views, VitgateModel *model, gboolean squares,
                                gboolean temporal, GError **error);

/* Frees the contents of @views, not @views itself. */
void gst_vitgate_views_clear(GstVitgateViews *views);

/* Preprocesses the views of @image.
 * Returns: FALSE on failure, with @error set as by vitgate_session_preprocess(). */
gboolean gst_vitgate_views_preprocess(GstVitgateViews *views, VitgateSession *session,
                                      const VitgateImage *image, GError **error);

/* Gets the network's input for one image, to be overwritten. */
float *gst_vitgate_views_lend_tensor(GstVitgateViews *views);

/* Compares the preprocessed views with the last inferred ones and decides what to compute.
 * @session: its dial counts
 * Returns: whether the last result stands for all of them. */
gboolean gst_vitgate_views_look(GstVitgateViews *views, const VitgateSession *session,
                                const VitgateStreamOptions *options);

/* Returns: the mean over the views of the share of patches that changed by more than @change, in
 * the last gst_vitgate_views_look(), as vitgate_stream_changed_share() measures it. */
double gst_vitgate_views_changed_share(const GstVitgateViews *views, double change);

/* These do for all views what the functions of the same names do for a stream. */
void gst_vitgate_views_accept(GstVitgateViews *views);
void gst_vitgate_views_expire(GstVitgateViews *views);
void gst_vitgate_views_forget(GstVitgateViews *views);

/* Infers the views that were looked at. With several, a class has its largest probability in any of
 * them, the score for none of the classes is the smallest, a module ran if it did for any,
 * compute_ratio is the mean, gmacs, tokens and times are sums, and there are no logits or features.
 * The decision is that of the view of which most was computed, without marks, and the sum of all
 * patches.
 * @session: its batch must be large enough for the views
 * Returns: (transfer none) (nullable): the result, valid until the session's next call; NULL on
 * failure, with @error set as by vitgate_session_forward(). */
const VitgateResult *gst_vitgate_views_infer(GstVitgateViews *views, VitgateSession *session,
                                             GError **error);

G_END_DECLS
