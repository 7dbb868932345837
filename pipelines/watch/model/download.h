/* Downloads a file over HTTP or HTTPS. */
#pragma once

#include <gio/gio.h>

/* Called by the thread that downloads.
 * @total: bytes; 0: unknown */
typedef void (*DownloadFunc)(guint64 got, guint64 total, gpointer user_data);

typedef struct {
  const char *url;
  const char *ca_file; /* (nullable): NULL: the system's authorities */
  guint64 max_size;    /* bytes */
  int fd;              /* the file is written here, from the start */
  const char *path;    /* of @fd, for messages */
  DownloadFunc func;
  gpointer user_data;
} Download;

/* Redirects are followed, but not from https to http.
 * @lasting: (out): whether the error will not pass soon
 * Returns: (transfer full) (nullable): the SHA-256 of what was written, as 64 lower-case digits;
 * NULL with an error of G_IO_ERROR that names the URL or the file, without secrets */
char *download_run(const Download *self, gboolean *lasting, GCancellable *cancellable,
                   GError **error);
