/* Selects and orders the photographs of a dataset to evaluate. */
#pragma once

#include "data/dataset.h"

/* @folders: (nullable) NULL terminated: only these top folders
 * @held_out: only photographs that compress holds out from training
 * @shuffle: order by @seed; otherwise keep the dataset's order
 * @n: (out): number of photographs, at least one
 * Returns: (transfer full): [n] indices in the dataset, or NULL with COMMAND_ERROR_DATA if a folder
 * does not exist or no photograph is left */
guint *selection_new(const Dataset *dataset, const char *const *folders, gboolean held_out,
                     gboolean shuffle, guint64 seed, guint *n, GError **error);
