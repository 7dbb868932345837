/* Trains a dense network, starting from fresh weights or from a model, with labels, with a teacher
 * of any architecture, or with both. */
#pragma once

#include "train/run/run-options.h"

/* @options: only those about data and training are used; teacher may be NULL; exactly one of
 * variant and from is set. The model file is in float32. Returns: as compress() */
gboolean train_dense(const RunOptions *options, GError **error);
