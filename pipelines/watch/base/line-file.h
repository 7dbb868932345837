/* A file to which lines are appended, each completely or not at all: a part of a line that a full
 * disk or a power cut has left is cut off. */
#pragma once

#include <gio/gio.h>

typedef struct {
  int fd; /* -1: closed */
  guint64 size;
  gboolean torn;     /* part of a line may follow after @size */
  gboolean unsynced; /* something was appended since the last line_file_sync() */
} LineFile;

/* Opens the file, and creates it if necessary.
 * @cut: (out) (optional): bytes of an incomplete last line that were cut off
 * Returns: FALSE with an error of G_IO_ERROR that names the file */
gboolean line_file_open(LineFile *self, const char *path, guint64 *cut, GError **error);

/* Appends a line.
 * @line: @length bytes, including the newline
 * Returns: FALSE with an error of G_IO_ERROR that does not name the file; the file then ends with
 * the last complete line */
gboolean line_file_append(LineFile *self, const char *line, gsize length, GError **error);

/* Syncs appended lines to disk. */
void line_file_sync(LineFile *self);

/* Syncs in two steps, so that a slow disk delays only the caller. Call the first one with the lock
 * that guards the file, the second one without it.
 * Returns: the argument of the second step: a copy of the descriptor, or -1 if there is nothing to
 * do */
int line_file_begin_sync(LineFile *self);
void line_file_end_sync(int fd);

void line_file_close(LineFile *self);

/* Sets an error of G_IO_ERROR from errno: "@what: reason", or only the reason if @what is NULL.
 * Returns: FALSE */
gboolean line_file_fail(GError **error, const char *what);
