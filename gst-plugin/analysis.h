/* analysis.h: what is done for one frame, in the streaming thread: decide whether to infer it,
 * infer it, attach what is known, count. Each step stands alone. */
#pragma once

#include "gstvitgate.h"

G_BEGIN_DECLS

/* All of it, under the settings of this moment.
 * Returns: GST_FLOW_ERROR where the engine failed, with an error posted. */
GstFlowReturn gst_vitgate_analyse(GstVitgate *self, GstBuffer *buffer);

G_END_DECLS
