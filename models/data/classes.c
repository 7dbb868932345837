#include "data/classes.h"

#include <string.h>

#include "base/command-error.h"

/* A value in the table of names that is not a class + 1. */
#define AMBIGUOUS GINT_TO_POINTER(-1)

static char *fold_name(const char *name, gssize length)
{
  g_autofree char *valid = g_utf8_make_valid(name, length);
  g_strdelimit(valid, "_", ' ');
  return g_utf8_casefold(g_strstrip(valid), -1);
}

static void add_name(GHashTable *names, const char *name, gssize length, guint class)
{
  char *folded = fold_name(name, length);
  gpointer value = GINT_TO_POINTER((int)class + 1);
  gpointer before = g_hash_table_lookup(names, folded);
  g_hash_table_replace(names, folded, before && before != value ? AMBIGUOUS : value);
}

/* Returns: (transfer full) (element-type utf8 int): class + 1, by each possible name of a folder */
static GHashTable *collect_names(const VitgateModelInfo *model)
{
  GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  for (guint class = 0; class < model->n_classes; class ++) {
    const char *label = model->labels[class];
    const char *comma = strchr(label, ',');
    add_name(names, label, -1, class);
    if (comma)
      add_name(names, label, comma - label, class);
  }
  /* If an id is spelled like the label of another class, people mean the id. */
  for (guint class = 0; model->label_ids && class < model->n_classes; class ++)
    g_hash_table_replace(names, fold_name(model->label_ids[class], -1),
                         GINT_TO_POINTER((int)class + 1));
  return names;
}

static int find_folder_class(GHashTable *names, const char *folder, gssize length)
{
  g_autofree char *folded = fold_name(folder, length);
  gpointer found = g_hash_table_lookup(names, folded);
  return found && found != AMBIGUOUS ? GPOINTER_TO_INT(found) - 1 : -1;
}

/* Returns the class of the innermost folder that is named after a class, or -1. */
static int find_path_class(GHashTable *names, const char *path)
{
  const char *end = strrchr(path, '/');
  while (end) {
    const char *start = g_strrstr_len(path, end - path, "/");
    const char *part = start ? start + 1 : path;
    int class = find_folder_class(names, part, end - part);
    if (class >= 0)
      return class;
    end = start;
  }
  return -1;
}

/* Records the folder of a photograph without a class, once. */
static void note_unmatched(Classes *classes, GHashTable *seen, const char *path)
{
  const char *slash = strrchr(path, '/');
  if (!slash)
    return;
  char *folder = g_strndup(path, (gsize)(slash - path));
  if (!g_hash_table_add(seen, folder))
    return;
  g_ptr_array_add(classes->unmatched, g_strdup(folder));
}

static void resolve_folders(Classes *classes, const Dataset *dataset, const VitgateModelInfo *model)
{
  g_autoptr(GHashTable) names = collect_names(model);
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < dataset->photographs->len; i++) {
    const Photograph *photograph = dataset_get(dataset, i);
    classes->of[i] = find_path_class(names, photograph->name);
    if (classes->of[i] < 0)
      note_unmatched(classes, seen, photograph->name);
    else
      classes->n_labelled++;
  }
  for (guint i = 0; i < dataset->folders->len; i++)
    classes->folder_is_class[i] =
        find_folder_class(names, g_ptr_array_index(dataset->folders, i), -1) >= 0;
  /* If no folder is named after a class, the data is not labelled, which is no mistake. */
  if (classes->n_labelled == 0)
    g_ptr_array_set_size(classes->unmatched, 0);
}

/* Returns: (transfer container) (element-type utf8 int): class + 1, by id; empty if the model has
 * no ids */
static GHashTable *collect_ids(const VitgateModelInfo *model)
{
  GHashTable *ids = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint class = 0; model->label_ids && class < model->n_classes; class ++)
    g_hash_table_insert(ids, (gpointer)model->label_ids[class], GINT_TO_POINTER((int)class + 1));
  return ids;
}

static int find_id(GHashTable *ids, const char *id)
{
  return GPOINTER_TO_INT(g_hash_table_lookup(ids, id)) - 1;
}

static gboolean check_index(const Photograph *photograph, int class, const VitgateModelInfo *model,
                            GError **error)
{
  if (class < (int)model->n_classes)
    return TRUE;
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
              "labels.tsv gives %s the class %d, but the model has %u classes%s", photograph->name,
              class, model->n_classes,
              model->label_ids ? "" : " and no ids (vitgate import --labels adds them)");
  return FALSE;
}

/* A list of classes would otherwise count as one class that the model does not have. */
static gboolean check_single(const Photograph *photograph, gboolean by_id, int class,
                             GError **error)
{
  const FileLabel *label = photograph->label;
  if (!label ||
      (by_id ? class >= 0 || !strchr(label->class_id, ',') : label->class_indices->len < 2))
    return TRUE;
  g_set_error(
      error, COMMAND_ERROR, COMMAND_ERROR_DATA,
      "labels.tsv gives %s several classes, but the classes of the model exclude each other",
      photograph->name);
  return FALSE;
}

static gboolean resolve_labels(Classes *classes, const Dataset *dataset,
                               const VitgateModelInfo *model, GError **error)
{
  g_autoptr(GHashTable) ids = collect_ids(model);
  for (guint i = 0; i < dataset->photographs->len; i++) {
    const Photograph *photograph = dataset_get(dataset, i);
    const gboolean by_id = model->label_ids && photograph->class_id;
    int class = by_id ? find_id(ids, photograph->class_id) : photograph->class_index;
    if (!check_single(photograph, by_id, class, error) ||
        !check_index(photograph, class, model, error))
      return FALSE;
    if (class < 0)
      class = photograph->class_id || photograph->class_index >= 0 ? CLASS_FOREIGN : CLASS_NONE;
    classes->of[i] = class;
    classes->n_labelled += class >= 0;
  }
  return TRUE;
}

/* ---- Models whose classes have a probability of their own ---- */

static void set_add(GArray *set, int class)
{
  const guint number = (guint) class;
  if (class >= 0)
    g_array_append_val(set, number);
}

/* Adds the classes of an id, or of a list of ids. An id may contain commas itself. */
static void set_add_ids(GArray *set, GHashTable *ids, const char *text)
{
  const int whole = find_id(ids, text);
  g_auto(GStrv) parts = g_strsplit(whole < 0 ? text : "", ",", -1);
  set_add(set, whole);
  for (guint i = 0; parts[i]; i++)
    set_add(set, find_id(ids, g_strstrip(parts[i])));
}

static gboolean resolve_listed(Classes *classes, const Dataset *dataset,
                               const VitgateModelInfo *model, GError **error)
{
  g_autoptr(GHashTable) ids = collect_ids(model);
  for (guint i = 0; i < dataset->photographs->len; i++) {
    const Photograph *photograph = dataset_get(dataset, i);
    const FileLabel *label = photograph->label;
    /* Ids alone say nothing to a model without ids. */
    if (!label || (!model->label_ids && label->class_id && !label->class_indices->len))
      continue;
    classes->sets[i] = g_array_new(FALSE, FALSE, sizeof(guint));
    classes->n_labelled++;
    if (model->label_ids && label->class_id) {
      set_add_ids(classes->sets[i], ids, label->class_id);
      continue;
    }
    for (guint k = 0; k < label->class_indices->len; k++) {
      const int class = g_array_index(label->class_indices, int, k);
      if (!check_index(photograph, class, model, error))
        return FALSE;
      set_add(classes->sets[i], class);
    }
  }
  return TRUE;
}

/* Turns the classes of folders into sets. */
static void take_folders(Classes *classes, guint n)
{
  const gboolean labelled = classes->n_labelled > 0;
  for (guint i = 0; labelled && i < n; i++) {
    classes->sets[i] = g_array_new(FALSE, FALSE, sizeof(guint));
    set_add(classes->sets[i], classes->of[i]);
  }
  classes->n_labelled = labelled ? n : 0;
}

static gboolean resolve_sets(Classes *classes, const Dataset *dataset,
                             const VitgateModelInfo *model, GError **error)
{
  const guint n = dataset->photographs->len;
  classes->sets = g_new0(GArray *, n);
  classes->n_photographs = n;
  if (!dataset->has_labels) {
    resolve_folders(classes, dataset, model);
    take_folders(classes, n);
  } else if (!resolve_listed(classes, dataset, model, error)) {
    return FALSE;
  }
  for (guint i = 0; i < n; i++)
    classes->of[i] = classes->sets[i] && classes->sets[i]->len
                         ? (int)g_array_index(classes->sets[i], guint, 0)
                         : CLASS_NONE;
  return TRUE;
}

/* ---- All models ---- */

Classes *classes_resolve(const Dataset *dataset, const VitgateModelInfo *model, GError **error)
{
  g_autoptr(Classes) classes = g_new0(Classes, 1);
  classes->of = g_new(int, dataset->photographs->len);
  classes->folder_is_class = g_new0(guint8, dataset->folders->len);
  classes->unmatched = g_ptr_array_new_with_free_func(g_free);
  if (model->activation == VITGATE_ACTIVATION_SIGMOID)
    return resolve_sets(classes, dataset, model, error) ? g_steal_pointer(&classes) : NULL;
  if (!dataset->has_labels)
    resolve_folders(classes, dataset, model);
  else if (!resolve_labels(classes, dataset, model, error))
    return NULL;
  return g_steal_pointer(&classes);
}

void classes_free(Classes **classes)
{
  Classes *freeing = g_steal_pointer(classes);
  if (!freeing)
    return;
  for (guint i = 0; i < freeing->n_photographs; i++)
    if (freeing->sets[i])
      g_array_unref(freeing->sets[i]);
  g_free(freeing->sets);
  g_free(freeing->of);
  g_free(freeing->folder_is_class);
  g_ptr_array_unref(freeing->unmatched);
  g_free(freeing);
}

guint8 **classes_find_present(const Dataset *dataset, const Classes *classes, guint n_classes)
{
  guint n_folders = dataset->folders->len;
  guint8 **present = g_new0(guint8 *, n_folders + 1);
  guint8 *all = g_new0(guint8, n_classes);
  for (guint i = 0; i < n_folders; i++)
    present[i] = classes->folder_is_class[i] ? all : g_new0(guint8, n_classes);
  present[n_folders] = all;
  for (guint i = 0; i < dataset->photographs->len; i++) {
    if (classes->of[i] < 0)
      continue;
    all[classes->of[i]] = 1;
    present[dataset_get(dataset, i)->folder][classes->of[i]] = 1;
  }
  return present;
}

void classes_free_present(guint8 **present, guint n_folders)
{
  if (!present)
    return;
  for (guint i = 0; i < n_folders; i++)
    if (present[i] != present[n_folders])
      g_free(present[i]);
  g_free(present[n_folders]);
  g_free(present);
}
