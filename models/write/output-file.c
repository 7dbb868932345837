#include "write/output-file.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/command-error.h"

gboolean output_file_check(const char *path, GError **error)
{
  struct stat status;
  /* A device would be replaced by a file: as root, /dev/null too. */
  if (!stat(path, &status) && !S_ISREG(status.st_mode)) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_IO, "%s: %s, not a file that can be replaced",
                path, S_ISDIR(status.st_mode) ? "is a folder" : "is a device or the like");
    return FALSE;
  }
  g_autofree char *folder = g_path_get_dirname(path);
  g_autofree char *probe = g_build_filename(folder, ".vitgate-XXXXXX", NULL);
  int fd = g_mkstemp(probe);
  if (fd < 0) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_IO, "%s: cannot be written: %s", path,
                g_strerror(errno));
    return FALSE;
  }
  close(fd);
  g_unlink(probe);
  return TRUE;
}
