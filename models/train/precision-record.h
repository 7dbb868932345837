/* What a model loses by products of less than float32, told in its file. */
#pragma once

#include "held-out.h"

/* Runs the model @path on the photographs held out, at its default dial, in each precision that
 * this machine has.
 * @agreement: (out caller-allocates): [VITGATE_N_PRECISIONS] shares with the label of float32; of
 * what was not run it stays as it is
 * Returns: FALSE with VITGATE_ERROR_* */
gboolean precision_record(const char *path, const HeldOut *held_out, double *agreement,
                          GError **error);
