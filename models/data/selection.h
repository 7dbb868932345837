/* Which photographs of a dataset are looked at, and in which order. */
#pragma once

#include "data/dataset.h"

/* @folders: (nullable) NULL terminated: only these top folders
 * @shuffle: in an order that follows from @seed, else in the dataset's
 * @n: (out): how many there are, one at least
 * Returns: (transfer full): [n] numbers in the dataset, or NULL with COMMAND_ERROR_DATA where there
 * is no such folder */
guint *selection_new(const Dataset *dataset, const char *const *folders, gboolean shuffle,
                     guint64 seed, guint *n, GError **error);
