/* Where a running vitgate-watch can be asked for its status: a Unix socket, whose path follows from
 * the key file. So whoever knows the file can ask, and each key file has a vitgate-watch of its
 * own.
 */
#pragma once

#include <gio/gio.h>

/* Finds the path: the key status-socket of [watch]. Default: beside the log, with the extension
 * ".status"; without a log, in the spool.
 * @folder: of the key file; relative paths start here
 * Returns: (transfer full) (nullable): NULL if the file has none of these keys */
char *status_socket_find(GKeyFile *file, const char *folder);

/* Reads only the keys that status_socket_find() needs, since not everyone may read the files that
 * the other keys name.
 * Returns: (transfer full) (nullable): NULL with an error that names the file */
char *status_socket_of(const char *key_file, GError **error);
