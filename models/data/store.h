/* Access to the files in an archive or a folder, at any time and in any order.
 *
 * A store is immutable after opening; several threads may load from it at once. */
#pragma once

#include "data/stored-files.h"

/* Opens a folder, or a tar or zip archive (compressed or not).
 * Returns: (transfer full): or NULL with COMMAND_ERROR_IO or _DATA */
Store *store_open(const char *path, GError **error);

void store_close(Store **store);

/* Returns: (transfer full): the content, or NULL with COMMAND_ERROR_IO or _DATA; the message does
 * not name the file */
GBytes *store_load(const Store *store, const StoredFile *file, GError **error);

/* Returns: (nullable): the file with that name */
const StoredFile *store_find(const Store *store, const char *name);

static inline void store_cleanup(Store *store)
{
  store_close(&store);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Store, store_cleanup)
