#include "write/output-file.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/command-error.h"

gboolean output_file_check(const char *path, GError **error)
{
  struct stat status;
  /* Writing would replace a device by a file; as root, even /dev/null. */
  if (!stat(path, &status) && !S_ISREG(status.st_mode)) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_IO,
                "%s: %s, expected a file that can be replaced", path,
                S_ISDIR(status.st_mode) ? "is a folder" : "is a device or another special file");
    return FALSE;
  }
  g_autofree char *folder = g_path_get_dirname(path);
  g_autofree char *probe = g_build_filename(folder, ".vitgate-XXXXXX", NULL);
  int fd = g_mkstemp(probe);
  if (fd < 0) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_IO, "%s: cannot write: %s", path,
                g_strerror(errno));
    return FALSE;
  }
  close(fd);
  g_unlink(probe);
  return TRUE;
}
