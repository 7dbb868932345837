#include "data/dataset.h"

#include <string.h>

#include "base/command-error.h"
#include "data/decode.h"

#define LABELS_NAME "labels.tsv"

static void free_photograph(gpointer data)
{
  Photograph *photograph = data;
  g_free(photograph->name);
  g_free(photograph->class_id);
  g_free(photograph);
}

/* Finds labels.tsv in the root or, if a single folder contains everything, as in an archive of a
 * folder, in that folder.
 * @root: (out) (transfer full): "" or "folder/" */
static const StoredFile *find_labels(const Store *store, char **root)
{
  *root = g_strdup("");
  const StoredFile *labels = store_find(store, LABELS_NAME);
  if (labels || !store->files->len)
    return labels;
  const StoredFile *first = g_ptr_array_index(store->files, 0);
  const char *slash = strchr(first->name, '/');
  if (!slash)
    return NULL;
  g_autofree char *folder = g_strndup(first->name, (gsize)(slash - first->name) + 1);
  for (guint i = 0; i < store->files->len; i++) {
    const StoredFile *file = g_ptr_array_index(store->files, i);
    if (!g_str_has_prefix(file->name, folder))
      return NULL;
  }
  g_autofree char *name = g_strconcat(folder, LABELS_NAME, NULL);
  labels = store_find(store, name);
  if (labels) {
    g_free(*root);
    *root = g_steal_pointer(&folder);
  }
  return labels;
}

static void add_photograph(Dataset *dataset, const char *name, const StoredFile *file,
                           const FileLabel *label)
{
  Photograph *photograph = g_new0(Photograph, 1);
  photograph->name = g_strdup(name);
  photograph->file = file;
  photograph->class_index = label ? label->class_index : -1;
  photograph->class_id = label ? g_strdup(label->class_id) : NULL;
  photograph->label = label;
  g_ptr_array_add(dataset->photographs, photograph);
}

static int compare_photographs(gconstpointer a, gconstpointer b)
{
  const Photograph *first = *(Photograph *const *)a, *second = *(Photograph *const *)b;
  return strcmp(first->name, second->name);
}

/* Lists the photographs in the store, with the labels of labels.tsv.
 * @labels: (nullable) */
static void list_photographs(Dataset *dataset, const char *root, GHashTable *labels)
{
  gsize skip = strlen(root);
  const GPtrArray *files = dataset->store->files;
  for (guint i = 0; i < files->len; i++) {
    const StoredFile *file = g_ptr_array_index(files, i);
    const char *name = file->name + skip;
    const FileLabel *label = labels ? g_hash_table_lookup(labels, name) : NULL;
    if (label || decode_name_is_image(name))
      add_photograph(dataset, name, file, label);
  }
  if (labels) {
    GHashTableIter iter;
    gpointer name, label;
    g_hash_table_iter_init(&iter, labels);
    while (g_hash_table_iter_next(&iter, &name, &label)) {
      g_autofree char *path = g_strconcat(root, name, NULL);
      if (!store_find(dataset->store, path))
        add_photograph(dataset, name, NULL, label);
    }
  }
  g_ptr_array_sort(dataset->photographs, compare_photographs);
}

static void find_folders(Dataset *dataset)
{
  g_autoptr(GHashTable) indices = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < dataset->photographs->len; i++) {
    Photograph *photograph = g_ptr_array_index(dataset->photographs, i);
    const char *slash = strchr(photograph->name, '/');
    g_autofree char *folder =
        slash ? g_strndup(photograph->name, (gsize)(slash - photograph->name)) : g_strdup(".");
    gpointer index;
    if (!g_hash_table_lookup_extended(indices, folder, NULL, &index)) {
      index = GUINT_TO_POINTER(dataset->folders->len);
      g_ptr_array_add(dataset->folders, folder);
      g_hash_table_insert(indices, g_steal_pointer(&folder), index);
    }
    photograph->folder = GPOINTER_TO_UINT(index);
  }
}

static gboolean read_labels(const Dataset *dataset, const StoredFile *file, GHashTable **labels,
                            GError **error)
{
  g_autoptr(GBytes) text = store_load(dataset->store, file, error);
  if (!text) {
    g_prefix_error(error, "%s: ", LABELS_NAME);
    return FALSE;
  }
  *labels = labels_tsv_parse(text, error);
  return *labels != NULL;
}

Dataset *dataset_open(const char *path, GError **error)
{
  g_autoptr(Dataset) dataset = g_new0(Dataset, 1);
  dataset->photographs = g_ptr_array_new_with_free_func(free_photograph);
  dataset->folders = g_ptr_array_new_with_free_func(g_free);
  dataset->store = store_open(path, error);
  if (!dataset->store)
    return NULL;

  g_autofree char *root = NULL;
  g_autoptr(GHashTable) labels = NULL;
  const StoredFile *labels_file = find_labels(dataset->store, &root);
  if (labels_file && !read_labels(dataset, labels_file, &labels, error)) {
    g_prefix_error(error, "%s: ", path);
    return NULL;
  }
  dataset->has_labels = labels != NULL;
  list_photographs(dataset, root, labels);
  dataset->labels = g_steal_pointer(&labels);
  if (dataset->photographs->len == 0) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "%s: contains no photographs", path);
    return NULL;
  }
  find_folders(dataset);
  return g_steal_pointer(&dataset);
}

void dataset_close(Dataset **dataset)
{
  Dataset *closing = g_steal_pointer(dataset);
  if (!closing)
    return;
  g_ptr_array_unref(closing->photographs);
  g_clear_pointer(&closing->labels, g_hash_table_unref);
  g_ptr_array_unref(closing->folders);
  store_close(&closing->store);
  g_free(closing);
}

const Photograph *dataset_get(const Dataset *dataset, guint index)
{
  return g_ptr_array_index(dataset->photographs, index);
}

GBytes *dataset_load(const Dataset *dataset, guint index, GError **error)
{
  const Photograph *photograph = dataset_get(dataset, index);
  if (!photograph->file) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                "is listed in " LABELS_NAME " but does not exist");
    return NULL;
  }
  return store_load(dataset->store, photograph->file, error);
}

GdkPixbuf *dataset_decode(const Dataset *dataset, guint index, GError **error)
{
  g_autoptr(GBytes) file = dataset_load(dataset, index, error);
  return file ? decode_pixels(file, dataset->orientation, error) : NULL;
}
