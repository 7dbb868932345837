/* Makes a compressed, gated student from a dense teacher: structure search, cut with compensation,
 * training, calibration of the dial, writing of the model file. A run can be interrupted at any
 * step; resumed from its checkpoint, it gives the same result. */
#pragma once

#include "train/run/run-options.h"

/* Returns: FALSE with COMMAND_ERROR_* or VITGATE_ERROR_*; with COMMAND_ERROR_INTERRUPTED if a
 * signal stopped it after a checkpoint */
gboolean compress(const RunOptions *options, GError **error);
