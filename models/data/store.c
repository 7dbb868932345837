#include "data/store.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/command-error.h"
#include "data/store-archive.h"
#include "data/store-folder.h"

static void free_file(gpointer data)
{
  StoredFile *file = data;
  g_free(file->name);
  g_clear_pointer(&file->bytes, g_bytes_unref);
  g_free(file);
}

static int compare_names(gconstpointer a, gconstpointer b)
{
  const StoredFile *first = *(StoredFile *const *)a, *second = *(StoredFile *const *)b;
  return strcmp(first->name, second->name);
}

/* Keeps the last of several files with the same name in an archive, as unpacking does. Sorting is
 * stable, so the last one comes last. */
static void drop_replaced(GPtrArray *files)
{
  for (guint i = files->len; i-- > 1;)
    if (!compare_names(&files->pdata[i - 1], &files->pdata[i]))
      g_ptr_array_remove_index(files, i - 1);
}

Store *store_open(const char *path, GError **error)
{
  g_autoptr(Store) store = g_new0(Store, 1);
  store->path = g_strdup(path);
  store->files = g_ptr_array_new_with_free_func(free_file);
  store->fd = -1;

  struct stat status;
  if (stat(path, &status)) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_IO, "%s: %s", path, g_strerror(errno));
    return NULL;
  }
  gboolean listed =
      S_ISDIR(status.st_mode) ? store_list_folder(store, error) : store_list_archive(store, error);
  if (!listed)
    return NULL;
  g_ptr_array_sort(store->files, compare_names);
  drop_replaced(store->files);
  return g_steal_pointer(&store);
}

void store_close(Store **store)
{
  Store *closing = g_steal_pointer(store);
  if (!closing)
    return;
  if (closing->fd >= 0)
    close(closing->fd);
  g_ptr_array_unref(closing->files);
  g_free(closing->path);
  g_free(closing);
}

GBytes *store_load(const Store *store, const StoredFile *file, GError **error)
{
  if (file->problem) {
    g_set_error_literal(error, COMMAND_ERROR, COMMAND_ERROR_DATA, file->problem);
    return NULL;
  }
  return file->bytes ? g_bytes_ref(file->bytes) : store->load(store, file, error);
}

const StoredFile *store_find(const Store *store, const char *name)
{
  guint low = 0, high = store->files->len;
  while (low < high) {
    guint middle = low + (high - low) / 2;
    const StoredFile *file = g_ptr_array_index(store->files, middle);
    int order = strcmp(name, file->name);
    if (order == 0)
      return file;
    if (order < 0)
      high = middle;
    else
      low = middle + 1;
  }
  return NULL;
}
