/* Selects and orders the photographs of a dataset to evaluate. */
#pragma once

#include "data/dataset.h"

/* @folders: (nullable) NULL terminated: only these top folders
 * @shuffle: order by @seed; otherwise keep the dataset's order
 * @n: (out): number of photographs, at least one
 * Returns: (transfer full): [n] indices in the dataset, or NULL with COMMAND_ERROR_DATA if a folder
 * does not exist */
guint *selection_new(const Dataset *dataset, const char *const *folders, gboolean shuffle,
                     guint64 seed, guint *n, GError **error);
