#include "data/stored-files.h"

StoredFile *store_add(Store *store, const char *name, guint64 offset, GBytes *bytes)
{
  StoredFile *file = g_new0(StoredFile, 1);
  file->name = g_strdup(name);
  file->offset = offset;
  file->bytes = bytes;
  g_ptr_array_add(store->files, file);
  return file;
}
