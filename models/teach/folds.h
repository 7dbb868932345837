/* The parts that a cross-validation holds out in turn. */
#pragma once

#include "teach/examples.h"

/* Deals groups to folds, evenly from each class. With few groups, each is a fold; otherwise there
 * are ten folds, or five for many examples. A group stays in one fold; the groups of a class are in
 * different ones.
 * @examples: sorted
 * @several: examples may show several classes
 * @max_folds: at least 2; G_MAXUINT: as many as said above
 * @n_folds: (out)
 * Returns: (transfer full): [examples] */
guint *folds_deal(const Examples *examples, gboolean several, guint max_folds, guint *n_folds);
