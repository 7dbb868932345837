#include "data/collection.h"

#include <string.h>

#include "base/command-error.h"
#include "data/classes.h"
#include "data/split.h"

/* With this, a crop of a third of the area still has longer sides than the network's input. */
#define KEPT_PER_INPUT_SIDE 2

static void free_dataset(gpointer data)
{
  Dataset *dataset = data;
  dataset_close(&dataset);
}

gboolean collection_has_folder(const Collection *collection, const char *folder)
{
  for (guint i = 0; i < collection->datasets->len; i++) {
    const Dataset *dataset = g_ptr_array_index(collection->datasets, i);
    if (g_ptr_array_find_with_equal_func(dataset->folders, folder, g_str_equal, NULL))
      return TRUE;
  }
  return FALSE;
}

static gboolean check_options(const CollectionOptions *options, GError **error)
{
  if (!options->paths || !options->paths[0])
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE, "no photographs given");
  else if (!(options->held_out >= 0 && options->held_out < 1))
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE,
                "the share of photographs held out is %g, expected from 0 to below 1",
                options->held_out);
  else
    return TRUE;
  return FALSE;
}

static gboolean open_datasets(Collection *collection, const CollectionOptions *options,
                              GError **error)
{
  for (const char *const *path = options->paths; *path; path++) {
    Dataset *dataset = dataset_open(*path, error);
    if (!dataset)
      return FALSE;
    dataset->orientation = options->orientation;
    g_ptr_array_add(collection->datasets, dataset);
  }
  for (const char *const *folder = options->folders; folder && *folder; folder++)
    if (!collection_has_folder(collection, *folder)) {
      g_autofree char *name = g_filename_display_name(*folder);
      g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                  "the photographs have no top folder \"%s\"", name);
      return FALSE;
    }
  return TRUE;
}

static gboolean is_wanted(const CollectionOptions *options, const Dataset *dataset,
                          const CollectionItem *item)
{
  const char *folder =
      g_ptr_array_index(dataset->folders, dataset_get(dataset, item->index)->folder);
  if (options->labelled_only && item->label < 0)
    return FALSE;
  return !options->folders || g_strv_contains(options->folders, folder);
}

/* The split comes before the filters, so that they do not move a photograph to the other side. */
static gboolean add_items(Collection *collection, const CollectionOptions *options,
                          const Dataset *dataset, const VitgateModelInfo *model, GError **error)
{
  g_autoptr(Classes) classes = classes_resolve(dataset, model, error);
  if (!classes)
    return FALSE;
  g_autofree guint8 *held_out = g_new(guint8, dataset->photographs->len);
  split_mark(dataset, options->held_out, held_out);
  for (guint i = 0; i < dataset->photographs->len; i++) {
    CollectionItem item = { dataset, i, MAX(classes->of[i], CLASS_NONE), held_out[i] };
    if (!is_wanted(options, dataset, &item))
      continue;
    g_array_append_val(collection->items, item);
    collection->n_held_out += item.held_out;
    collection->n_labelled += item.label >= 0;
  }
  return TRUE;
}

static Preprocessing preprocessing_of(const VitgateModelInfo *model)
{
  Preprocessing p = { .resize = model->resize, .bicubic = model->bicubic, .fit = model->fit };
  memcpy(p.mean, model->mean, sizeof p.mean);
  memcpy(p.std, model->std, sizeof p.std);
  return p;
}

Collection *collection_open(const CollectionOptions *options, const VitgateModelInfo *model,
                            GError **error)
{
  if (!check_options(options, error))
    return NULL;
  g_autoptr(Collection) collection = g_new0(Collection, 1);
  collection->datasets = g_ptr_array_new_with_free_func(free_dataset);
  collection->items = g_array_new(FALSE, FALSE, sizeof(CollectionItem));
  collection->image_size = model->image_size;
  collection->preprocessing = preprocessing_of(model);
  if (!open_datasets(collection, options, error))
    return NULL;
  for (guint i = 0; i < collection->datasets->len; i++)
    if (!add_items(collection, options, g_ptr_array_index(collection->datasets, i), model, error)) {
      g_prefix_error(error, "%s: ", options->paths[i]);
      return NULL;
    }
  if (collection->items->len == 0) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "%s: no photograph %s%s",
                options->paths[0],
                options->labelled_only ? "shows a class of the model" : "is selected",
                options->labelled_only && !model->has_labels
                    ? "; the model has no labels (vitgate import --labels adds them)"
                    : "");
    return NULL;
  }
  collection->pixels = pixel_cache_new(collection->items->len, options->memory,
                                       KEPT_PER_INPUT_SIDE * model->image_size);
  return g_steal_pointer(&collection);
}

void collection_close(Collection **collection)
{
  Collection *closing = g_steal_pointer(collection);
  if (!closing)
    return;
  pixel_cache_free(&closing->pixels);
  g_array_unref(closing->items);
  g_ptr_array_unref(closing->datasets);
  g_free(closing);
}

const char *collection_get_folder(const Collection *collection, guint index)
{
  const CollectionItem *item = collection_get(collection, index);
  return g_ptr_array_index(item->dataset->folders, dataset_get(item->dataset, item->index)->folder);
}

GdkPixbuf *collection_load(const Collection *collection, guint index, gboolean whole)
{
  const CollectionItem *item = collection_get(collection, index);
  return pixel_cache_get(collection->pixels, index, item->dataset, item->index, whole);
}
