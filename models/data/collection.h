/* The photographs of one or more data sets, with their classes, divided into those to train on and
 * those held out, and their pixels. Several threads may load from one at once. */
#pragma once

#include "data/pixel-cache.h"
#include "file/description.h"

/* Bytes of pixels to keep unless told otherwise. */
#define COLLECTION_MEMORY (G_GUINT64_CONSTANT(6) << 30)

typedef struct {
  const char *const *paths;   /* NULL terminated: folders, and tar or zip archives */
  double held_out;            /* share of the photographs, 0 to below 1, never trained on */
  const char *const *folders; /* (nullable) NULL terminated: only these top folders */
  gboolean labelled_only;     /* only photographs of a class that the model has */
  guint64 memory;             /* bytes of pixels to keep; 0: decode each time */
} CollectionOptions;

typedef struct {
  const Dataset *dataset;
  guint index; /* in the dataset */
  int label;   /* class of the model; -1: none, or unknown */
  gboolean held_out;
} CollectionItem;

typedef struct {
  GPtrArray *datasets; /* (element-type Dataset) */
  GArray *items;       /* CollectionItem: photographs that pass the options' filters, by data set
                          and name */
  guint n_held_out, n_labelled;
  guint image_size; /* pixels of a side of the network's input */
  Preprocessing preprocessing;
  PixelCache *pixels;
} Collection;

/* @model: whose classes and pre-processing count; it may go after the call
 * Returns: (transfer full): with one photograph at least, or NULL with COMMAND_ERROR_IO, _DATA or
 * _USAGE */
Collection *collection_open(const CollectionOptions *options, const VitgateModelInfo *model,
                            GError **error);

/* Nulls *@collection, which may be NULL. */
void collection_close(Collection **collection);

static inline const CollectionItem *collection_get(const Collection *collection, guint index)
{
  return &g_array_index(collection->items, CollectionItem, index);
}

static inline const Photograph *collection_get_photograph(const Collection *collection, guint index)
{
  const CollectionItem *item = collection_get(collection, index);
  return dataset_get(item->dataset, item->index);
}

/* Returns: the name of the photograph's top folder */
const char *collection_get_folder(const Collection *collection, guint index);

/* Returns: whether any data set has a top folder of that name */
gboolean collection_has_folder(const Collection *collection, const char *folder);

/* @whole: not shrunk, whatever its size
 * Returns: (transfer full) (nullable): NULL: it cannot be used, and is named among
 * pixel_cache_take_notes(collection->pixels) */
GdkPixbuf *collection_load(const Collection *collection, guint index, gboolean whole);

static inline void collection_cleanup(Collection *collection)
{
  collection_close(&collection);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Collection, collection_cleanup)
