#include "config/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/line-file.h"
#include "config/config-key.h"

#define MAX_LENGTH 1024

static gboolean fail(GError **error, int code, const char *where, const char *reason)
{
  g_set_error(error, G_IO_ERROR, code, "%s: %s", where, reason);
  return FALSE;
}

static gboolean check_file(int fd, const char *path, GError **error)
{
  struct stat status;
  if (fstat(fd, &status) < 0)
    return line_file_fail(error, path);
  if (!S_ISREG(status.st_mode))
    return fail(error, G_IO_ERROR_NOT_REGULAR_FILE, path, "is not a regular file");
  if (status.st_mode & (S_IRWXG | S_IRWXO)) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                "%s: other users can read or change it (mode %04o); run chmod 600", path,
                (unsigned)status.st_mode & 07777);
    return FALSE;
  }
  return TRUE;
}

static int open_file(const char *path, GError **error)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) {
    line_file_fail(error, path);
  } else if (!check_file(fd, path, error)) {
    close(fd);
    fd = -1;
  }
  return fd;
}

/* Returns: (transfer full): the first line of the file */
static char *read_file(const char *path, GError **error)
{
  char text[MAX_LENGTH + 1] = "";
  int fd = open_file(path, error);
  if (fd < 0)
    return NULL;
  gboolean good = read(fd, text, MAX_LENGTH) >= 0 || line_file_fail(error, path);
  close(fd);
  text[strcspn(text, "\r\n")] = '\0';
  return good ? g_strdup(text_after_mark(text)) : NULL;
}

gboolean credentials_check_file(const char *path, GError **error)
{
  int fd = open_file(path, error);
  if (fd >= 0)
    close(fd);
  return fd >= 0;
}

gboolean credentials_read(const char *file, const char *variable, char **user, char **password,
                          GError **error)
{
  *user = *password = NULL;
  if (!file && !variable)
    return TRUE;

  g_autofree char *where = file ? g_strdup(file) : g_strconcat("$", variable, NULL);
  g_autofree char *text = file ? read_file(file, error) : g_strdup(g_getenv(variable));
  if (!text)
    return file ? FALSE : fail(error, G_IO_ERROR_NOT_FOUND, where, "is not set");
  const char *colon = strchr(text, ':');
  if (!colon || colon == text)
    return fail(error, G_IO_ERROR_INVALID_DATA, where, "expected USER:PASSWORD");
  if (!g_utf8_validate(text, -1, NULL))
    return fail(error, G_IO_ERROR_INVALID_DATA, where, "is not valid UTF-8");
  *user = g_strndup(text, (gsize)(colon - text));
  *password = g_strdup(colon + 1);
  return TRUE;
}
