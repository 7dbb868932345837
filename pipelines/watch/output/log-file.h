/* The file of JSON lines, rotated by size: FILE is the newest, FILE.1 the one before, and so on.
 *
 * No line is torn, and none is lost but with the oldest file: the disk holds whole lines in their
 * order, and what it does not take (full, read-only) waits in memory, up to a limit, until it
 * does. A line is in the kernel's hands when log_file_write() returns, so that it survives the end
 * of the program, however violent; log_file_sync() brings it to the disk.
 *
 * May be called from any thread. */
#pragma once

#include <gio/gio.h>

typedef struct {
  const char *path;
  guint64 size; /* bytes from which on a file is rotated */
  guint files;  /* how many are kept, the newest included */
} LogFileOptions;

typedef struct {
  guint64 lines;   /* written since the file was opened */
  guint waiting;   /* lines in memory */
  guint64 dropped; /* lines that found no room in memory either */
} LogFileStatus;

typedef struct _LogFile LogFile;

/* Returns: (transfer full): or NULL with an error of G_IO_ERROR that names the file */
LogFile *log_file_new(const LogFileOptions *options, GError **error);

/* Takes over size and number, and opens the path anew, should the file have been moved away.
 * @options: with the same path
 * Returns: FALSE with an error of G_IO_ERROR that names the file; then nothing has changed */
gboolean log_file_change(LogFile *self, const LogFileOptions *options, GError **error);

/* @line: ends with a newline */
void log_file_write(LogFile *self, const char *line, gsize length);

/* Tries again what waits, and brings to the disk what was written. */
void log_file_sync(LogFile *self);

void log_file_get_status(LogFile *self, LogFileStatus *status);

void log_file_free(LogFile **self);
