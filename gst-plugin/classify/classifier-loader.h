/* classifier-loader.h: makes an element's classifier: as it starts, and anew, aside, when another
 * model, labels, precision or inference region are set while frames flow.
 *
 * A thread of its own does the latter, and lives only as long as there is something to load. It
 * also frees the classifier that was replaced: that may wait for another model's load, and frames
 * should not. Set twice, the last one wins; the first is not heard of any more. */
#pragma once

#include "classify/classifier.h"

G_BEGIN_DECLS

typedef struct _GstVitgate GstVitgate;

/* All of it under the element's object lock. */
typedef struct {
  gboolean changed;              /* the settings, since they were last loaded */
  gboolean open;                 /* frames may flow */
  GThread *thread;               /* NULL: none, or it was not waited for yet */
  gboolean busy;                 /* the thread has not come to its end */
  GstVitgateClassifier *ready;   /* for the next frame; NULL: nothing new */
  GstVitgateClassifier *retired; /* to be freed by the thread */
  GCond cond;                    /* ready was taken, or all ends */
} GstVitgateLoader;

void gst_vitgate_loader_init(GstVitgate *self);
void gst_vitgate_loader_clear(GstVitgate *self);

/* Makes a classifier of the settings, in this thread, and lets changes come from now on.
 * Returns: (transfer full): NULL with an error posted. */
GstVitgateClassifier *gst_vitgate_loader_open(GstVitgate *self);

/* No changes any more: waits for a load that is under way, and drops what it made. */
void gst_vitgate_loader_close(GstVitgate *self);

/* Starts to load aside what settings have changed; nothing when none have or no frames flow. */
void gst_vitgate_loader_run(GstVitgate *self);

/* Puts a classifier that has become ready in the place of @self->classifier. To be called by the
 * streaming thread, with the object lock held.
 * Returns: whether there was one. */
gboolean gst_vitgate_loader_swap(GstVitgate *self);

G_END_DECLS
