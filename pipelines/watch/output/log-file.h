/* A log of JSON lines, rotated by size: FILE is the newest file, FILE.1 the one before, and so
 * on.
 *
 * Lines on disk are complete and in order. They are lost only with the oldest file. While the disk
 * does not accept lines (full, read-only), they wait in memory, up to a limit. When
 * log_file_write() returns, the kernel has the line, so that it survives any end of the program;
 * log_file_sync() writes it to disk.
 *
 * May be called from any thread. */
#pragma once

#include <gio/gio.h>

typedef struct {
  const char *path;
  guint64 size; /* maximum bytes of a file */
  guint files;  /* maximum number of files, including the newest */
} LogFileOptions;

typedef struct {
  guint64 lines;   /* written since the file was opened */
  guint waiting;   /* lines in memory */
  guint64 dropped; /* lines lost because the memory was full as well */
} LogFileStatus;

typedef struct _LogFile LogFile;

/* Opens the log, and creates its folder if necessary.
 * Returns: (transfer full) (nullable): NULL with an error of G_IO_ERROR that names the file or
 * folder
 */
LogFile *log_file_new(const LogFileOptions *options, GError **error);

/* Sets new limits, and opens the path again in case the file was moved.
 * @options: with the same path
 * Returns: FALSE with an error of G_IO_ERROR that names the file; nothing has changed then */
gboolean log_file_change(LogFile *self, const LogFileOptions *options, GError **error);

/* @line: ends with a newline */
void log_file_write(LogFile *self, const char *line, gsize length);

/* Tries to write waiting lines again, and syncs to disk. */
void log_file_sync(LogFile *self);

void log_file_get_status(LogFile *self, LogFileStatus *status);

void log_file_free(LogFile **self);
