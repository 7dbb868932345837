/* top-labels.h: collects the best labels of a frame, to find out whether they changed. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Collects the best labels of @buffer's results. Compare two frames with g_strv_equal().
 * Returns: (transfer full): a string for each result and each region, made of its best label (of
 * all its labels, if each class has a probability of its own) and, if it is tracked, its id.
 * Sorted, since the order of regions has no meaning. */
GStrv gst_vitgate_top_labels(GstBuffer *buffer);

G_END_DECLS
