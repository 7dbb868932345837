/* Measures what a model loses with products in less than float32, for the record in its file. */
#pragma once

#include "train/dial/held-out.h"

/* On one rank: runs the model @path on the held-out photographs in each precision that this machine
 * supports, with the dial at the model's default.
 * @labels: [held_out->n] the teacher's classes
 * @agreement: (out caller-allocates): [VITGATE_N_PRECISIONS] share of photographs given the
 * teacher's class; unchanged for precisions that were not run
 * @tokens: (out) (optional) (transfer full): tokens that the modules ran for in float32, see
 * report/module-numbers.h
 * Returns: FALSE with VITGATE_ERROR_* */
gboolean precision_record(const char *path, const HeldOut *held_out, const guint *labels,
                          double *agreement, double **tokens, GError **error);

/* The same on data sets, or on the part of them that compress holds out. If there are several
 * ranks, all call this, and each runs its slice of the photographs.
 * @reference: (nullable): path of the teacher, with the same classes; NULL: the model in float32
 * @data: NULL-terminated
 * @orientation: of the photographs
 * Returns: the number of photographs used, or 0 with an error: of opening or reading them, of
 * opening a model, or COMMAND_ERROR_DATA if the teacher has other classes; on all ranks if it fails
 * on one */
guint precision_record_data(const char *path, const char *reference, const char *const *data,
                            gboolean held_out, DecodeOrientation orientation, double *agreement,
                            GError **error);
