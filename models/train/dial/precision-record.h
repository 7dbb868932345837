/* What a model loses by products of less than float32, told in its file. */
#pragma once

#include "train/dial/held-out.h"

/* Runs the model @path on the photographs held out, at its default dial, in each precision that
 * this machine has.
 * @labels: [held_out->n] the teacher's classes
 * @agreement: (out caller-allocates): [VITGATE_N_PRECISIONS] shares with the teacher's class; of
 * what was not run it stays as it is
 * Returns: FALSE with VITGATE_ERROR_* */
gboolean precision_record(const char *path, const HeldOut *held_out, const guint *labels,
                          double *agreement, GError **error);

/* The same on data sets, or on the part of them that compress holds out.
 * @reference: (nullable): path of the teacher, with the same classes; NULL: the model in float32
 * @data: NULL terminated
 * Returns: how many photographs were seen, or 0 with the error of opening or reading them, of
 * opening a model, or with COMMAND_ERROR_DATA where the teacher has other classes */
guint precision_record_data(const char *path, const char *reference, const char *const *data,
                            gboolean held_out, double *agreement, GError **error);
