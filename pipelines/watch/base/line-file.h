/* A file that lines are appended to, each wholly or not at all: what a full disk or a power cut has
 * left of a line is taken away again. */
#pragma once

#include <gio/gio.h>

typedef struct {
  int fd; /* -1: closed */
  guint64 size;
  gboolean torn;     /* part of a line may stand behind @size */
  gboolean unsynced; /* something was appended since the last line_file_sync() */
} LineFile;

/* Makes the file where there is none.
 * @cut: (out) (optional): bytes of a torn last line that were taken away
 * Returns: FALSE with an error of G_IO_ERROR that names the file */
gboolean line_file_open(LineFile *self, const char *path, guint64 *cut, GError **error);

/* @line: @length bytes, the newline among them
 * Returns: FALSE with an error of G_IO_ERROR that does not name the file, which then ends with the
 * last whole line */
gboolean line_file_append(LineFile *self, const char *line, gsize length, GError **error);

/* Brings what was appended to the disk. */
void line_file_sync(LineFile *self);

/* The same in two parts, so that a slow disk holds up none but the caller: the first under the lock
 * that guards the file, the second outside it.
 * Returns: what the second takes: a copy of the descriptor, or -1 where there is nothing to do */
int line_file_begin_sync(LineFile *self);
void line_file_end_sync(int fd);

void line_file_close(LineFile *self);

/* Sets an error of G_IO_ERROR from errno, "@what: reason", or the reason alone. Returns: FALSE */
gboolean line_file_fail(GError **error, const char *what);
