/* The list of files in a store, shared by the opener and the kinds of store. */
#pragma once

#include <glib.h>

typedef struct {
  char *name;          /* path below the store's root, with '/' between its parts */
  guint64 offset;      /* archive: offset of the entry's header */
  GBytes *bytes;       /* (nullable): the content, if the archive cannot be read in any order */
  const char *problem; /* (nullable) (transfer none): why the file has no content */
} StoredFile;

typedef struct _Store Store;
struct _Store {
  char *path;
  GPtrArray *files; /* (element-type StoredFile): regular files, sorted by name */
  int fd;           /* of an archive; otherwise -1 */
  GBytes *(*load)(const Store *store, const StoredFile *file, GError **error);
};

/* Adds a file to @store->files.
 * @bytes: (transfer full) (nullable)
 * Returns: (transfer none): the file */
StoredFile *store_add(Store *store, const char *name, guint64 offset, GBytes *bytes);
