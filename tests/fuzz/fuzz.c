#include "fuzz.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void fuzz_require(gboolean holds, const char *condition, const char *place)
{
  if (holds)
    return;
  fprintf(stderr, "%s: does not hold: %s\n", place, condition);
  abort();
}

const char *fuzz_file(gconstpointer data, gsize size)
{
  static int memory = -1;
  static char path[32];
  if (memory >= 0)
    close(memory);
  memory = memfd_create("fuzz", MFD_CLOEXEC);
  require(memory >= 0 && write(memory, data, size) == (gssize)size);
  g_snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
  return path;
}

static char *folder;

static void remove_folder(void)
{
  g_autoptr(GDir) files = g_dir_open(folder, 0, NULL);
  for (const char *name; files && (name = g_dir_read_name(files));) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_unlink(path);
  }
  g_rmdir(folder);
  g_clear_pointer(&folder, g_free);
}

const char *fuzz_folder(void)
{
  if (!folder) {
    folder = g_dir_make_tmp("vitgate-fuzz-XXXXXX", NULL);
    require(folder != NULL);
    atexit(remove_folder);
  }
  return folder;
}

guint64 fuzz_take(const guint8 **data, gsize *size, guint n)
{
  guint64 value = 0;
  for (guint i = 0; i < n && *size; i++, ++*data, --*size)
    value |= (guint64) * *data << (8 * i);
  return value;
}

gboolean fuzz_succeeded(gboolean result, const GError *error)
{
  require(!result == !!error);
  require(!error || (error->message && *error->message));
  return result;
}
