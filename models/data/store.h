/* The files inside an archive or a folder, each readable at any time and in any order.
 *
 * After opening, a store is immutable: several threads may load from it at once. */
#pragma once

#include <glib.h>

typedef struct {
  char *name;     /* path below the store's root, '/' between its parts */
  guint64 offset; /* archive: of the entry's header */
  GBytes *bytes;  /* (nullable): the content, of archives that cannot be read in any order */
} StoredFile;

typedef struct _Store Store;
struct _Store {
  char *path;
  GPtrArray *files; /* (element-type StoredFile): regular files, sorted by name */
  int fd;           /* of an archive; -1 */
  GBytes *(*load)(const Store *store, const StoredFile *file, GError **error);
};

/* Opens a folder, or a tar or zip archive (compressed or not).
 * Returns: (transfer full): or NULL with COMMAND_ERROR_IO or _DATA */
Store *store_open(const char *path, GError **error);

void store_close(Store **store);

/* Returns: (transfer full): the content, or NULL with COMMAND_ERROR_IO or _DATA, the message
 * without the file's name */
GBytes *store_load(const Store *store, const StoredFile *file, GError **error);

/* Returns: (nullable): the file of that name */
const StoredFile *store_find(const Store *store, const char *name);

/* A regular file outside any store, held to the same limits.
 * Returns: as store_load() */
GBytes *store_read_file(const char *path, GError **error);

/* For the two kinds of store: fill @store->files and set its members, or FALSE with @error. */
gboolean store_list_folder(Store *store, GError **error);
gboolean store_list_archive(Store *store, GError **error);

/* Adds a file to @store->files.
 * @bytes: (transfer full) (nullable) */
void store_add(Store *store, const char *name, guint64 offset, GBytes *bytes);

static inline void store_cleanup(Store *store)
{
  store_close(&store);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Store, store_cleanup)
