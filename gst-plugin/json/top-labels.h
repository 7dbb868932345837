/* top-labels.h: the best label of everything that a frame carries, to tell whether it changed. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Returns: (transfer full): a string for each result and each region that @buffer carries, made of
 * its best label, and of its id where the detector tracks it. Sorted: the order of regions means
 * nothing. Two frames have the same top labels where g_strv_equal() finds theirs equal. */
GStrv gst_vitgate_top_labels(GstBuffer *buffer);

G_END_DECLS
