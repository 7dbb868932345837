#include "base/line-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

gboolean line_file_fail(GError **error, const char *what)
{
  int code = errno;
  g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "%s%s%s", what ? what : "",
              what ? ": " : "", g_strerror(code));
  return FALSE;
}

/* Finds the end of the last complete line.
 * Returns: FALSE with errno set */
static gboolean find_end(int fd, guint64 size, guint64 *end)
{
  char block[4096];
  for (guint64 at = size; at > 0;) {
    gsize length = MIN(at, sizeof block);
    ssize_t n = pread(fd, block, length, (off_t)(at - length));
    if (n != (ssize_t)length) {
      errno = n < 0 ? errno : EIO;
      return FALSE;
    }
    const char *newline = memrchr(block, '\n', length);
    if (newline) {
      *end = at - length + (guint64)(newline - block) + 1;
      return TRUE;
    }
    at -= length;
  }
  *end = 0;
  return TRUE;
}

static gboolean use_file(LineFile *self, guint64 *cut)
{
  struct stat status;
  if (fstat(self->fd, &status) < 0)
    return FALSE;
  if (!S_ISREG(status.st_mode)) {
    errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
    return FALSE;
  }
  guint64 size = (guint64)status.st_size;
  if (!find_end(self->fd, size, &self->size))
    return FALSE;
  if (cut)
    *cut = size - self->size;
  return size == self->size || ftruncate(self->fd, (off_t)self->size) == 0;
}

gboolean line_file_open(LineFile *self, const char *path, guint64 *cut, GError **error)
{
  *self = (LineFile){ .fd = -1 };
  self->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0644);
  if (self->fd >= 0 && use_file(self, cut))
    return TRUE;
  line_file_fail(error, path);
  line_file_close(self);
  return FALSE;
}

/* Returns: the number of bytes written; if it is less than @length, errno is set */
static gsize write_all(int fd, const char *bytes, gsize length)
{
  gsize written = 0;
  while (written < length) {
    ssize_t n = write(fd, bytes + written, length - written);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0) {
      errno = n < 0 ? errno : ENOSPC;
      break;
    }
    written += (gsize)n;
  }
  return written;
}

gboolean line_file_append(LineFile *self, const char *line, gsize length, GError **error)
{
  if (self->torn && ftruncate(self->fd, (off_t)self->size) < 0)
    return line_file_fail(error, NULL);
  self->torn = FALSE;
  gsize written = write_all(self->fd, line, length);
  if (written == length) {
    self->size += length;
    self->unsynced = TRUE;
    return TRUE;
  }
  line_file_fail(error, NULL);
  self->torn = written > 0 && ftruncate(self->fd, (off_t)self->size) < 0;
  return FALSE;
}

static void sync_descriptor(int fd)
{
  while (fdatasync(fd) < 0 && errno == EINTR)
    ;
}

void line_file_sync(LineFile *self)
{
  sync_descriptor(self->fd);
  self->unsynced = FALSE;
}

int line_file_begin_sync(LineFile *self)
{
  int copy = self->unsynced ? fcntl(self->fd, F_DUPFD_CLOEXEC, 0) : -1;
  self->unsynced = self->unsynced && copy < 0;
  return copy;
}

void line_file_end_sync(int fd)
{
  if (fd < 0)
    return;
  sync_descriptor(fd);
  close(fd);
}

void line_file_close(LineFile *self)
{
  if (self->fd >= 0)
    close(self->fd);
  *self = (LineFile){ .fd = -1 };
}
