#include "model/cached-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/console.h"
#include "base/secrets.h"

#define CHUNK     (1 << 20)
#define LOCK_WAIT (100 * 1000) /* between attempts to lock the file, microseconds */

static gboolean fail(GError **error, const char *what, const char *path)
{
  const int code = errno;
  g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "cannot %s %s: %s", what, path,
              g_strerror(code));
  return FALSE;
}

/* ---- A file that is there ------------------------------------------------------------------ */

/* Returns: (transfer full) (nullable): NULL with an error */
static char *hash_file(const char *path, GCancellable *cancellable, GError **error)
{
  g_autoptr(GFile) file = g_file_new_for_path(path);
  g_autoptr(GFileInputStream) stream = g_file_read(file, cancellable, error);
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  g_autofree guchar *bytes = g_malloc(CHUNK);
  gssize n = -1;
  while (stream &&
         (n = g_input_stream_read(G_INPUT_STREAM(stream), bytes, CHUNK, cancellable, error)) > 0)
    g_checksum_update(sum, bytes, n);
  return n == 0 ? g_strdup(g_checksum_get_string(sum)) : NULL;
}

gboolean cached_file_check(const ModelSource *source, GCancellable *cancellable, GError **error)
{
  g_autoptr(GError) reason = NULL;
  g_autofree char *sha256 = hash_file(source->path, cancellable, &reason);
  if (sha256 && !strcmp(sha256, source->sha256))
    return TRUE;
  if (sha256)
    console_print("%s: its SHA-256 is %s; it is fetched again", source->path, sha256);
  else if (!g_error_matches(reason, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    g_set_error(error, G_IO_ERROR, reason->code, "cannot read %s: %s", source->path,
                reason->message);
  return FALSE;
}

/* ---- A file that is made ------------------------------------------------------------------- */

/* A file that is being downloaded, which one process has locked. */
typedef struct {
  char *path;
  int fd;
} Part;

/* Returns: whether @fd is still the file at @path, and not one that was renamed since */
static gboolean is_at(int fd, const char *path)
{
  struct stat of_fd, of_path;
  return fstat(fd, &of_fd) == 0 && stat(path, &of_path) == 0 && of_fd.st_ino == of_path.st_ino &&
         of_fd.st_dev == of_path.st_dev;
}

/* Opens the file and locks it. What a process that was killed has left is written again.
 * @waited: (out): whether another one had it
 * Returns: FALSE with an error */
static gboolean open_part(Part *self, gboolean *waited, GCancellable *cancellable, GError **error)
{
  *waited = FALSE;
  while (!g_cancellable_set_error_if_cancelled(cancellable, error)) {
    self->fd = open(self->path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (self->fd < 0)
      return fail(error, "create", self->path);
    const gboolean locked = flock(self->fd, LOCK_EX | LOCK_NB) == 0;
    const int code = errno;
    if (locked && is_at(self->fd, self->path))
      return TRUE;
    close(self->fd);
    errno = code;
    if (!locked && code != EWOULDBLOCK && code != EINTR)
      return fail(error, "lock", self->path);
    *waited = TRUE;
    g_usleep(LOCK_WAIT);
  }
  return FALSE;
}

/* Syncs the folder, so that the file has its name after a power cut too. */
static void sync_folder(const char *folder)
{
  const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    fsync(fd);
    close(fd);
  }
}

static gboolean keep(const Part *self, const ModelSource *source, GError **error)
{
  g_autofree char *folder = g_path_get_dirname(source->path);
  if (fsync(self->fd) < 0)
    return fail(error, "write", self->path);
  if (g_rename(self->path, source->path) < 0)
    return fail(error, "create", source->path);
  sync_folder(folder);
  return TRUE;
}

/* Returns: as download_run() */
static char *download_file(const Download *download, gboolean *lasting, GCancellable *cancellable,
                           GError **error)
{
#ifdef VITGATE_HAVE_FETCH
  return download_run(download, lasting, cancellable, error);
#else
  *lasting = TRUE;
  g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "built without libsoup 3");
  return NULL;
#endif
}

static gboolean fill(const Part *self, const ModelSource *source, const Download *download,
                     gboolean *lasting, GCancellable *cancellable, GError **error)
{
  if (ftruncate(self->fd, 0) < 0)
    return fail(error, "write", self->path);
  g_autofree char *sha256 = download_file(download, lasting, cancellable, error);
  if (!sha256)
    return FALSE;
  if (!strcmp(sha256, source->sha256))
    return keep(self, source, error);
  g_autofree char *shown = secrets_hide_url(download->url);
  *lasting = TRUE;
  g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
              "%s: is refused, since its SHA-256 is %s, expected %s", shown, sha256,
              source->sha256);
  return FALSE;
}

gboolean cached_file_fetch(const ModelSource *source, const char *url, DownloadFunc func,
                           gpointer user_data, gboolean *lasting, GCancellable *cancellable,
                           GError **error)
{
  g_autofree char *folder = g_path_get_dirname(source->path);
  g_autofree char *path = g_build_filename(folder, "download.part", NULL);
  Part part = { .path = path };
  gboolean waited;
  *lasting = FALSE;
  if (g_mkdir_with_parents(folder, 0755) < 0)
    return fail(error, "create", folder);
  if (!open_part(&part, &waited, cancellable, error))
    return FALSE;
  const Download download = {
    url, source->ca_file, source->max_size, part.fd, path, func, user_data,
  };
  const gboolean good = (waited && cached_file_check(source, cancellable, NULL)) ||
                        fill(&part, source, &download, lasting, cancellable, error);
  if (is_at(part.fd, path))
    unlink(path);
  close(part.fd);
  return good;
}
