/* The files of a folder. */
#pragma once

#include "data/stored-files.h"

/* Lists the files of the folder at @store->path, and sets @store->load.
 * Returns: FALSE with COMMAND_ERROR_IO */
gboolean store_list_folder(Store *store, GError **error);

/* Reads a regular file of at most DECODE_MAX_FILE bytes.
 * Returns: (transfer full): its content, or NULL with COMMAND_ERROR_IO or _DATA; the message does
 * not name the file */
GBytes *store_read_file(const char *path, GError **error);
