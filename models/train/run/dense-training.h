/* Training of a dense network, from fresh weights or from a model's, by labels, by a teacher of any
 * architecture, or by both. */
#pragma once

#include "train/run/run-options.h"

/* Of @options count those that are about data and training; teacher may be NULL, and one of variant
 * and from is given. The file is in float32.
 * Returns: as compress() */
gboolean train_dense(const RunOptions *options, GError **error);
