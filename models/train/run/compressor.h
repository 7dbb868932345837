/* The whole way from a dense teacher to a compressed, gated student: structure search, cut with
 * compensation, training, calibration of the dial, the model file. A run can be interrupted at any
 * step and goes on from its checkpoint to the same result. */
#pragma once

#include "train/run/run-options.h"

/* Returns: FALSE with COMMAND_ERROR_* or VITGATE_ERROR_*; with COMMAND_ERROR_INTERRUPTED where a
 * signal ended it behind a checkpoint */
gboolean compress(const RunOptions *options, GError **error);
