/* Regular files, opened without the risk of waiting for the writer of a pipe. */
#pragma once

#include <glib.h>
#include <sys/stat.h>

/* Opens a regular file for reading.
 * @status: (out caller-allocates)
 * Returns: a file descriptor; or -1 with errno: EISDIR for a folder, ENOTSUP for another special
 * file */
int vitgate__regular_file_open(const char *path, struct stat *status);

/* Reads @size bytes from the start of an open file.
 * Returns: (transfer full): the bytes and a NUL; or NULL with errno, EIO if the file is shorter */
char *vitgate__regular_file_take(int fd, gsize size);

/* Reads a whole file.
 * @size: (out)
 * Returns: (transfer full): its bytes and a NUL; or NULL with VITGATE_ERROR_NOT_FOUND or _IO */
char *vitgate__regular_file_read(const char *path, gsize *size, GError **error);
