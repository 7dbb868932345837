/* The files of a tar or zip archive. */
#pragma once

#include "data/stored-files.h"

/* Lists the files of the archive at @store->path, and sets the store's other members.
 * Returns: FALSE with COMMAND_ERROR_IO or _DATA */
gboolean store_list_archive(Store *store, GError **error);
