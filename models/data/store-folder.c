#include "data/store-folder.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/command-error.h"
#include "base/regular-file.h"
#include "data/decode.h"

/* Maximum depth of nested folders. More is a mistake, such as the root of a file system. */
#define MAX_DEPTH 32

typedef struct {
  dev_t device;
  ino_t inode;
} FolderId;

/* Returns whether a folder is inside itself, which is possible because links are followed. */
static gboolean is_above(const FolderId *above, guint depth, const struct stat *status)
{
  for (guint i = 0; i < depth; i++)
    if (above[i].device == status->st_dev && above[i].inode == status->st_ino)
      return TRUE;
  return FALSE;
}

static gboolean walk(Store *store, const char *below, FolderId *above, guint depth, GError **error)
{
  g_autofree char *folder = g_build_filename(store->path, below, NULL);
  struct stat status;
  if (stat(folder, &status) || is_above(above, depth, &status) || depth == MAX_DEPTH)
    return TRUE;
  above[depth] = (FolderId){ status.st_dev, status.st_ino };

  g_autoptr(GError) wrong = NULL;
  g_autoptr(GDir) dir = g_dir_open(folder, 0, &wrong);
  if (!dir) {
    g_set_error_literal(error, COMMAND_ERROR, COMMAND_ERROR_IO, wrong->message);
    return FALSE;
  }
  const char *entry;
  while ((entry = g_dir_read_name(dir))) {
    g_autofree char *name = *below ? g_strconcat(below, "/", entry, NULL) : g_strdup(entry);
    g_autofree char *path = g_build_filename(store->path, name, NULL);
    if (stat(path, &status))
      store_add(store, name, 0, NULL); /* a dangling link: loading it reports the reason */
    else if (S_ISREG(status.st_mode))
      store_add(store, name, 0, NULL);
    else if (S_ISDIR(status.st_mode) && entry[0] != '.' &&
             !walk(store, name, above, depth + 1, error))
      return FALSE;
  }
  return TRUE;
}

GBytes *store_read_file(const char *path, GError **error)
{
  struct stat status;
  const int fd = vitgate__regular_file_open(path, &status);
  const gboolean special = fd < 0 && (errno == EISDIR || errno == ENOTSUP);
  if (special || (fd >= 0 && (guint64)status.st_size > DECODE_MAX_FILE)) {
    if (fd >= 0)
      close(fd);
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "is not a regular file of at most %u MB",
                (guint)(DECODE_MAX_FILE >> 20));
    return NULL;
  }
  const gsize size = fd < 0 ? 0 : (gsize)status.st_size;
  char *bytes = fd < 0 ? NULL : vitgate__regular_file_take(fd, size);
  if (!bytes)
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_IO, "cannot read: %s", g_strerror(errno));
  if (fd >= 0)
    close(fd);
  return bytes ? g_bytes_new_take(bytes, size) : NULL;
}

static GBytes *load(const Store *store, const StoredFile *file, GError **error)
{
  g_autofree char *path = g_build_filename(store->path, file->name, NULL);
  return store_read_file(path, error);
}

gboolean store_list_folder(Store *store, GError **error)
{
  FolderId above[MAX_DEPTH];
  store->load = load;
  return walk(store, "", above, 0, error);
}
