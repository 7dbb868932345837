#include "output/log-file.h"

#include <errno.h>
#include <stdio.h>

#include <glib/gstdio.h>

#include "base/console.h"
#include "base/line-file.h"

#define MAX_WAITING_BYTES (4 << 20)

struct _LogFile {
  GMutex lock;
  char *path;
  guint64 size;
  guint files;
  LineFile file;
  GQueue waiting; /* GBytes, oldest first */
  gsize waiting_bytes;
  guint64 lines, dropped;
  gboolean failing, cannot_rotate; /* already reported */
};

static char *numbered(LogFile *self, guint number)
{
  return number ? g_strdup_printf("%s.%u", self->path, number) : g_strdup(self->path);
}

/* Renames FILE.1 to FILE.2 and so on, starting with the oldest, which is overwritten. A gap left by
 * a crash in between does no harm. */
static gboolean shift_files(LogFile *self)
{
  for (guint number = self->files - 1; number > 0; number--) {
    g_autofree char *from = numbered(self, number - 1);
    g_autofree char *to = numbered(self, number);
    if (g_rename(from, to) < 0 && errno != ENOENT)
      return FALSE;
  }
  return TRUE;
}

/* Creates the new file before it renames the old one, so that the old one stays in use if there is
 * no room. */
static gboolean rotate(LogFile *self, GError **error)
{
  g_autofree char *path = g_strconcat(self->path, ".new", NULL);
  LineFile fresh;
  g_unlink(path);
  if (!line_file_open(&fresh, path, NULL, error))
    return FALSE;
  if (!shift_files(self) || g_rename(path, self->path) < 0) {
    line_file_fail(error, self->path);
    line_file_close(&fresh);
    g_unlink(path);
    return FALSE;
  }
  line_file_sync(&self->file);
  line_file_close(&self->file);
  self->file = fresh;
  return TRUE;
}

/* A file that cannot be rotated keeps growing, so that no lines are lost. */
static void rotate_if_due(LogFile *self, gsize length)
{
  g_autoptr(GError) error = NULL;
  if (self->file.size == 0 || self->file.torn || self->file.size + length <= self->size)
    return;
  if (rotate(self, &error)) {
    self->cannot_rotate = FALSE;
  } else if (!self->cannot_rotate) {
    self->cannot_rotate = TRUE;
    console_print("the log cannot be rotated and keeps growing: %s", error->message);
  }
}

static gboolean put_line(LogFile *self, const char *line, gsize length, GError **error)
{
  rotate_if_due(self, length);
  if (!line_file_append(&self->file, line, length, error))
    return FALSE;
  self->lines++;
  return TRUE;
}

static void keep_waiting(LogFile *self, const char *line, gsize length)
{
  while (self->waiting_bytes + length > MAX_WAITING_BYTES && self->waiting.length > 0) {
    g_autoptr(GBytes) oldest = g_queue_pop_head(&self->waiting);
    self->waiting_bytes -= g_bytes_get_size(oldest);
    self->dropped++;
  }
  g_queue_push_tail(&self->waiting, g_bytes_new(line, length));
  self->waiting_bytes += length;
}

static gboolean put_waiting(LogFile *self, GError **error)
{
  while (self->waiting.length > 0) {
    gsize length;
    const char *line = g_bytes_get_data(g_queue_peek_head(&self->waiting), &length);
    if (!put_line(self, line, length, error))
      return FALSE;
    self->waiting_bytes -= length;
    g_bytes_unref(g_queue_pop_head(&self->waiting));
  }
  return TRUE;
}

static void report(LogFile *self, const GError *error)
{
  if (error && !self->failing)
    console_print("%s: %s; lines wait in memory", self->path, error->message);
  else if (!error && self->failing)
    console_print("%s: can be written again; %" G_GUINT64_FORMAT " lines lost since the start",
                  self->path, self->dropped);
  self->failing = error != NULL;
}

void log_file_write(LogFile *self, const char *line, gsize length)
{
  g_autoptr(GError) error = NULL;
  g_mutex_lock(&self->lock);
  if (!put_waiting(self, &error) || !put_line(self, line, length, &error))
    keep_waiting(self, line, length);
  report(self, error);
  g_mutex_unlock(&self->lock);
}

void log_file_sync(LogFile *self)
{
  g_autoptr(GError) error = NULL;
  g_mutex_lock(&self->lock);
  put_waiting(self, &error);
  report(self, error);
  int fd = line_file_begin_sync(&self->file);
  g_mutex_unlock(&self->lock);
  line_file_end_sync(fd);
}

void log_file_get_status(LogFile *self, LogFileStatus *status)
{
  g_mutex_lock(&self->lock);
  *status = (LogFileStatus){ .lines = self->lines,
                             .waiting = self->waiting.length,
                             .dropped = self->dropped };
  g_mutex_unlock(&self->lock);
}

gboolean log_file_change(LogFile *self, const LogFileOptions *options, GError **error)
{
  LineFile file;
  g_mutex_lock(&self->lock);
  gboolean opened = line_file_open(&file, self->path, NULL, error);
  if (opened) {
    line_file_sync(&self->file);
    line_file_close(&self->file);
    self->file = file;
    self->size = options->size;
    self->files = options->files;
  }
  g_mutex_unlock(&self->lock);
  return opened;
}

LogFile *log_file_new(const LogFileOptions *options, GError **error)
{
  LineFile file;
  guint64 cut;
  g_autofree char *folder = g_path_get_dirname(options->path);
  if (g_mkdir_with_parents(folder, 0755) < 0) {
    line_file_fail(error, folder);
    return NULL;
  }
  if (!line_file_open(&file, options->path, &cut, error))
    return NULL;
  if (cut)
    console_print("%s: cut off an incomplete last line of %" G_GUINT64_FORMAT " bytes",
                  options->path, cut);

  LogFile *self = g_new0(LogFile, 1);
  g_mutex_init(&self->lock);
  self->path = g_strdup(options->path);
  self->size = options->size;
  self->files = options->files;
  self->file = file;
  g_queue_init(&self->waiting);
  return self;
}

void log_file_free(LogFile **file)
{
  LogFile *self = *file;
  *file = NULL;
  if (!self)
    return;
  log_file_sync(self);
  if (self->waiting.length > 0)
    console_print("%s: %u lines could not be written", self->path, self->waiting.length);
  g_queue_clear_full(&self->waiting, (GDestroyNotify)g_bytes_unref);
  line_file_close(&self->file);
  g_mutex_clear(&self->lock);
  g_free(self->path);
  g_free(self);
}
