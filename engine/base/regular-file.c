#include "base/regular-file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"

int vitgate__regular_file_open(const char *path, struct stat *status)
{
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    return -1;
  int failure = 0;
  if (fstat(fd, status))
    failure = errno;
  else if (!S_ISREG(status->st_mode))
    failure = S_ISDIR(status->st_mode) ? EISDIR : ENOTSUP;
  if (!failure)
    return fd;
  close(fd);
  errno = failure;
  return -1;
}

char *vitgate__regular_file_take(int fd, gsize size)
{
  g_autofree char *bytes = g_try_malloc(size + 1);
  if (!bytes) {
    errno = ENOMEM;
    return NULL;
  }
  for (gsize done = 0; done < size;) {
    const gssize n = pread(fd, bytes + done, size - done, (off_t)done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0) {
      errno = n ? errno : EIO;
      return NULL;
    }
    done += (gsize)n;
  }
  bytes[size] = '\0';
  return g_steal_pointer(&bytes);
}

char *vitgate__regular_file_read(const char *path, gsize *size, GError **error)
{
  struct stat status;
  const int fd = vitgate__regular_file_open(path, &status);
  char *bytes = fd < 0 ? NULL : vitgate__regular_file_take(fd, (gsize)status.st_size);
  if (bytes) {
    *size = (gsize)status.st_size;
  } else {
    const gboolean absent = errno == ENOENT, special = errno == ENOTSUP;
    vitgate__set_error(error, absent ? VITGATE_ERROR_NOT_FOUND : VITGATE_ERROR_IO,
                       absent ? "%s: no such file" : "%s: cannot be read: %s", path,
                       special ? "not a regular file" : g_strerror(errno));
  }
  if (fd >= 0)
    close(fd);
  return bytes;
}
