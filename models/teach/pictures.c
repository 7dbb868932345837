#include "teach/pictures.h"

#include <string.h>

#include "base/clean-text.h"
#include "base/command-error.h"
#include "base/progress.h"
#include "base/ranks.h"
#include "teach/shot-time.h"

#define DOUBTFUL "doubtful"

static void free_picture(gpointer data)
{
  Picture *picture = data;
  g_free(picture->path);
  g_free(picture->folder);
  g_array_unref(picture->classes);
  g_free(picture);
}

static void close_dataset(gpointer data)
{
  Dataset *dataset = data;
  dataset_close(&dataset);
}

void pictures_free(Pictures **pictures)
{
  Pictures *freeing = g_steal_pointer(pictures);
  if (!freeing)
    return;
  g_ptr_array_unref(freeing->pictures);
  g_ptr_array_unref(freeing->labels);
  g_ptr_array_unref(freeing->datasets);
  g_free(freeing);
}

/* Systems spell the same name differently: macOS takes letters and their marks apart. */
static char *clean_label(const char *name, gssize length)
{
  g_autofree char *valid = g_utf8_make_valid(name, length);
  g_autofree char *composed = g_utf8_normalize(valid, -1, G_NORMALIZE_DEFAULT_COMPOSE);
  return g_strdup(g_strstrip(composed));
}

/* Returns: the class of that label, which is added if it is new */
static guint find_class(Pictures *pictures, GHashTable *classes, char *label)
{
  gpointer found;
  if (g_hash_table_lookup_extended(classes, label, NULL, &found)) {
    g_free(label);
    return GPOINTER_TO_UINT(found);
  }
  const guint class = pictures->labels->len;
  g_ptr_array_add(pictures->labels, label);
  g_hash_table_insert(classes, label, GUINT_TO_POINTER(class));
  return class;
}

static void add_class(Picture *picture, guint class)
{
  for (guint i = 0; i < picture->classes->len; i++)
    if (g_array_index(picture->classes, guint, i) == class)
      return;
  g_array_append_val(picture->classes, class);
}

/* Counts the folders in a folder; hidden ones do not count.
 * @others: (nullable): names of those for which @known has no entry */
static guint count_folders(const char *path, GHashTable *known, GPtrArray *others)
{
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  const char *entry;
  guint n = 0;
  while (dir && (entry = g_dir_read_name(dir))) {
    g_autofree char *inside = g_build_filename(path, entry, NULL);
    if (entry[0] == '.' || !g_file_test(inside, G_FILE_TEST_IS_DIR))
      continue;
    n++;
    if (others && !g_hash_table_contains(known, entry))
      g_ptr_array_add(others, g_strdup(entry));
  }
  return n;
}

/* Finds the folder that contains all others, as in an archive of a folder.
 * Returns: the length of its path, with the slash; 0: none */
static gsize find_root(const Dataset *dataset)
{
  const char *first = dataset_get(dataset, 0)->name;
  for (gsize root = 0;;) {
    const char *slash = strchr(first + root, '/');
    const gsize next = slash ? (gsize)(slash - first) + 1 : 0;
    g_autofree char *above = g_strndup(first, root);
    g_autofree char *path = g_build_filename(dataset->store->path, above, NULL);
    if (!next || (dataset->store->fd < 0 && count_folders(path, NULL, NULL) != 1))
      return root;
    for (guint i = 0; i < dataset->photographs->len; i++) {
      const char *name = dataset_get(dataset, i)->name;
      if (strncmp(name, first, next) || !strchr(name + next, '/'))
        return root;
    }
    root = next;
  }
}

/* An empty folder is a class that someone has forgotten to fill. */
static gboolean check_empty_folders(const Dataset *dataset, gsize root, GError **error)
{
  g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr(GPtrArray) empty = g_ptr_array_new_with_free_func(g_free);
  g_autofree char *above = g_strndup(dataset_get(dataset, 0)->name, root);
  g_autofree char *path = g_build_filename(dataset->store->path, above, NULL);
  if (dataset->store->fd >= 0)
    return TRUE;
  for (guint i = 0; i < dataset->photographs->len; i++) {
    const char *name = dataset_get(dataset, i)->name + root, *slash = strchr(name, '/');
    if (slash)
      g_hash_table_add(known, g_strndup(name, (gsize)(slash - name)));
  }
  count_folders(path, known, empty);
  if (!empty->len)
    return TRUE;
  g_autofree char *folder = g_filename_display_name(empty->pdata[0]);
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
              "%s: the folder \"%s\" contains no pictures, expected at least %u of its class", path,
              folder, PICTURES_MIN);
  return FALSE;
}

/* Adds the classes that a line of labels.tsv lists. */
static void add_listed(Pictures *pictures, GHashTable *classes, Picture *picture,
                       const FileLabel *label)
{
  g_auto(GStrv) ids = label->class_id ? g_strsplit(label->class_id, ",", -1) : NULL;
  for (guint i = 0; ids && ids[i]; i++) {
    char *id = clean_label(ids[i], -1);
    if (*id)
      add_class(picture, find_class(pictures, classes, id));
    else
      g_free(id);
  }
  for (guint i = 0; !ids && i < label->class_indices->len; i++) {
    const int index = g_array_index(label->class_indices, int, i);
    if (index >= 0)
      add_class(picture, find_class(pictures, classes, g_strdup_printf("%d", index)));
  }
}

static Picture *picture_new(const Dataset *dataset, guint index)
{
  Picture *picture = g_new0(Picture, 1);
  picture->dataset = dataset;
  picture->index = index;
  picture->path = g_build_filename(dataset->store->path, dataset_get(dataset, index)->name, NULL);
  picture->folder = g_path_get_dirname(picture->path);
  picture->classes = g_array_new(FALSE, FALSE, sizeof(guint));
  picture->time = SHOT_TIME_UNKNOWN;
  return picture;
}

/* Returns: whether the folder of a picture says which class it shows. vitgate collect --sort leaves
 * it to people what the pictures in its folder "doubtful" show. */
static gboolean is_sorted(const char *name, const char *slash)
{
  return slash && (slash - name != strlen(DOUBTFUL) || strncmp(name, DOUBTFUL, strlen(DOUBTFUL)));
}

static void add_pictures(Pictures *pictures, GHashTable *classes, const Dataset *dataset,
                         gsize root, gboolean several)
{
  for (guint i = 0; i < dataset->photographs->len; i++) {
    const Photograph *photograph = dataset_get(dataset, i);
    Picture *picture = picture_new(dataset, i);
    const char *name = photograph->name + root, *slash = strchr(name, '/');
    if (photograph->label)
      add_listed(pictures, classes, picture, photograph->label);
    else if (!dataset->has_labels && is_sorted(name, slash))
      add_class(picture, find_class(pictures, classes, clean_label(name, slash - name)));
    if (picture->classes->len || (several && photograph->label)) {
      g_ptr_array_add(pictures->pictures, picture);
    } else {
      pictures->n_unlabelled++;
      free_picture(picture);
    }
  }
}

static int compare_labels(gconstpointer a, gconstpointer b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_labels(Pictures *pictures)
{
  g_autoptr(GPtrArray) before = g_ptr_array_copy(pictures->labels, NULL, NULL);
  g_autoptr(GHashTable) places = g_hash_table_new(g_str_hash, g_str_equal);
  g_ptr_array_set_free_func(before, NULL); /* only one of both owns the labels */
  g_ptr_array_sort(pictures->labels, compare_labels);
  for (guint i = 0; i < pictures->labels->len; i++)
    g_hash_table_insert(places, pictures->labels->pdata[i], GUINT_TO_POINTER(i));
  for (guint i = 0; i < pictures->pictures->len; i++) {
    GArray *classes = pictures_get(pictures, i)->classes;
    for (guint k = 0; k < classes->len; k++) {
      guint *class = &g_array_index(classes, guint, k);
      *class = GPOINTER_TO_UINT(g_hash_table_lookup(places, before->pdata[*class]));
    }
  }
}

static gboolean check_single(const Pictures *pictures, GError **error)
{
  for (guint i = 0; i < pictures->pictures->len; i++) {
    const Picture *picture = pictures_get(pictures, i);
    if (picture->classes->len > 1)
      return command_fail(error,
                          "%s: labels.tsv gives it %u classes; --multi-label teaches classes that "
                          "do not exclude each other",
                          picture->path, picture->classes->len);
  }
  return TRUE;
}

static Pictures *pictures_new(void)
{
  Pictures *pictures = g_new0(Pictures, 1);
  pictures->datasets = g_ptr_array_new_with_free_func(close_dataset);
  pictures->pictures = g_ptr_array_new_with_free_func(free_picture);
  pictures->labels = g_ptr_array_new_with_free_func(g_free);
  return pictures;
}

/* Returns: (transfer none): the dataset, or NULL with an error */
static Dataset *add_dataset(Pictures *pictures, const char *path, DecodeOrientation orientation,
                            GError **error)
{
  Dataset *dataset = dataset_open(path, error);
  if (!dataset)
    return NULL;
  g_ptr_array_add(pictures->datasets, dataset);
  dataset->orientation = orientation;
  return dataset;
}

Pictures *pictures_open_unlabelled(const char *const *paths, DecodeOrientation orientation,
                                   GError **error)
{
  g_autoptr(Pictures) pictures = pictures_new();
  for (guint i = 0; paths[i]; i++) {
    const Dataset *dataset = add_dataset(pictures, paths[i], orientation, error);
    for (guint k = 0; dataset && k < dataset->photographs->len; k++)
      g_ptr_array_add(pictures->pictures, picture_new(dataset, k));
    if (!dataset)
      return NULL;
  }
  return g_steal_pointer(&pictures);
}

Pictures *pictures_open(const char *const *paths, gboolean several, DecodeOrientation orientation,
                        GError **error)
{
  g_autoptr(Pictures) pictures = pictures_new();
  g_autoptr(GHashTable) classes = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; paths[i]; i++) {
    const Dataset *dataset = add_dataset(pictures, paths[i], orientation, error);
    if (!dataset)
      return NULL;
    pictures->listed = pictures->listed || dataset->has_labels;
    const gsize root = dataset->has_labels ? 0 : find_root(dataset);
    if (!dataset->has_labels && !check_empty_folders(dataset, root, error))
      return NULL;
    add_pictures(pictures, classes, dataset, root, several);
  }
  if (!pictures->labels->len) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                "%s: no picture has a class, expected one folder for each class, or labels.tsv",
                paths[0]);
    return NULL;
  }
  sort_labels(pictures);
  return several || check_single(pictures, error) ? g_steal_pointer(&pictures) : NULL;
}

static guint64 hash_bytes(GBytes *bytes)
{
  guint8 digest[32];
  gsize n = sizeof digest;
  guint64 hash;
  g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
  gsize length;
  const guchar *data = g_bytes_get_data(bytes, &length);
  for (gsize at = 0; at < length; at += G_MAXINT)
    g_checksum_update(checksum, data + at, (gssize)MIN(length - at, G_MAXINT));
  g_checksum_get_digest(checksum, digest, &n);
  memcpy(&hash, digest, sizeof hash);
  hash = GUINT64_FROM_LE(hash);
  return hash ? hash : 1;
}

/* Joins a picture with an earlier one of the same content.
 * Returns: FALSE with an error */
static gboolean join(Pictures *pictures, Picture *first, const Picture *second, gboolean several,
                     GError **error)
{
  const guint class = g_array_index(second->classes, guint, 0);
  if (several) {
    for (guint i = 0; i < second->classes->len; i++)
      add_class(first, g_array_index(second->classes, guint, i));
  } else if (class != g_array_index(first->classes, guint, 0)) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                "%s and %s are the same picture in two classes (--multi-label teaches classes that "
                "do not exclude each other)",
                first->path, second->path);
    return FALSE;
  }
  pictures->n_repeated += !several;
  return TRUE;
}

/* Reads the pictures, for their hashes and times. Ranks share them out. */
static void read_identities(GPtrArray *pictures)
{
  typedef struct {
    guint64 hash;
    gint64 time;
  } Identity;
  g_autofree Identity *found = g_new0(Identity, pictures->len + 1);
  const guint end = ranks_slice(pictures->len, ranks_own() + 1);
  Progress progress = progress_start(end, "files");
  for (guint i = ranks_slice(pictures->len, ranks_own()); i < end; i++) {
    const Picture *picture = pictures->pdata[i];
    g_autoptr(GBytes) bytes = dataset_load(picture->dataset, picture->index, NULL);
    if (bytes && g_bytes_get_size(bytes)) /* empty files are not alike */
      found[i] = (Identity){ hash_bytes(bytes), shot_time_find(bytes, picture->path) };
    progress_update(&progress, i + 1);
  }
  progress_clear(&progress);
  ranks_gather(found, pictures->len, sizeof *found);
  for (guint i = 0; i < pictures->len; i++)
    if (found[i].hash) {
      Picture *picture = pictures->pdata[i];
      picture->hash = found[i].hash;
      picture->time = found[i].time;
    }
}

gboolean pictures_identify(Pictures *pictures, gboolean several, GError **error)
{
  g_autoptr(GHashTable) seen = g_hash_table_new(g_int64_hash, g_int64_equal);
  g_autoptr(GPtrArray) kept = g_ptr_array_new_with_free_func(free_picture);
  g_autoptr(GPtrArray) all = pictures->pictures;
  pictures->pictures = g_ptr_array_new_with_free_func(free_picture);
  gboolean fine = TRUE;
  read_identities(all);
  for (guint i = 0; fine && i < all->len; i++) {
    Picture *picture = all->pdata[i];
    Picture *first = picture->hash ? g_hash_table_lookup(seen, &picture->hash) : NULL;
    if (first) {
      fine = join(pictures, first, picture, several, error);
    } else {
      all->pdata[i] = NULL;
      g_ptr_array_add(kept, picture);
      if (picture->hash)
        g_hash_table_insert(seen, &picture->hash, picture);
    }
  }
  g_ptr_array_set_free_func(all, NULL);
  for (guint i = 0; i < all->len; i++)
    if (all->pdata[i])
      free_picture(all->pdata[i]);
  g_ptr_array_unref(pictures->pictures);
  pictures->pictures = g_steal_pointer(&kept);
  return fine;
}
