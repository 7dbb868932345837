#include "page/own-log.h"

#include "base/console.h"
#include "output/log-file.h"

#define SIZE        ((guint64)16 << 20)
#define FILES       4
#define MAX_WAITING 10000 /* lines, if the disk is slow or fails */

struct _OwnLog {
  char *path;
  LogFile *file; /* NULL: not open yet */
  GThreadPool *pool;
  gboolean failing; /* already reported */
};

static void open_file(OwnLog *self)
{
  const LogFileOptions options = { .path = self->path, .size = SIZE, .files = FILES };
  g_autoptr(GError) error = NULL;
  self->file = log_file_new(&options, &error);
  if (error && !self->failing)
    console_print("%s; the page loses events until that is possible", error->message);
  self->failing = error != NULL;
}

static void write_line(gpointer data, gpointer user_data)
{
  OwnLog *self = user_data;
  g_autoptr(GBytes) line = data;
  gsize length;
  const char *text = g_bytes_get_data(line, &length);
  if (!self->file)
    open_file(self);
  if (self->file)
    log_file_write(self->file, text, length);
}

OwnLog *own_log_new(const char *path)
{
  OwnLog *self = g_new0(OwnLog, 1);
  self->path = g_strdup(path);
  self->pool = g_thread_pool_new(write_line, self, 1, FALSE, NULL);
  return self;
}

void own_log_write(OwnLog *self, const char *line, gsize length)
{
  if (g_thread_pool_unprocessed(self->pool) < MAX_WAITING)
    g_thread_pool_push(self->pool, g_bytes_new(line, length), NULL);
}

void own_log_free(OwnLog **log)
{
  OwnLog *self = *log;
  *log = NULL;
  if (!self)
    return;
  g_thread_pool_free(self->pool, FALSE, TRUE);
  log_file_free(&self->file);
  g_free(self->path);
  g_free(self);
}
