/* classifier-loader.h: makes an element's classifier when the element starts, and a new one in the
 * background when another model, labels, precision, fit or inference region is set while frames
 * flow.
 *
 * The background load runs in a thread of its own, which lives only while there is something to
 * load. It also frees the replaced classifier, so that frames do not wait for that. If settings
 * change again during a load, the last ones win and the first load is dropped silently. */
#pragma once

#include "classify/element.h"

G_BEGIN_DECLS

void gst_vitgate_loader_init(GstVitgate *self);
void gst_vitgate_loader_clear(GstVitgate *self);

/* Makes a classifier from the settings, in the calling thread, and accepts changes from now on.
 * Returns: (transfer full) (nullable): NULL on failure, with an error posted. */
GstVitgateClassifier *gst_vitgate_loader_open(GstVitgate *self);

/* Accepts no more changes, waits for a running load and drops what it made. */
void gst_vitgate_loader_close(GstVitgate *self);

/* Starts a background load if settings have changed and frames flow. */
void gst_vitgate_loader_run(GstVitgate *self);

/* Replaces @self->classifier by the newly loaded one, if there is one and the one replaced before
 * is freed. Call it in the streaming thread, with the object lock held. Returns: whether it was
 * replaced. */
gboolean gst_vitgate_loader_swap(GstVitgate *self);

G_END_DECLS
