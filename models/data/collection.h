/* The photographs of one or more datasets: their classes, pixels, and whether they are for training
 * or held out. Several threads may load from a collection at once. */
#pragma once

#include "data/pixel-cache.h"
#include "file/description.h"

/* Default limit of the pixels kept in memory, in bytes. */
#define COLLECTION_MEMORY (G_GUINT64_CONSTANT(6) << 30)

typedef struct {
  const char *const *paths;   /* NULL terminated: folders, and tar or zip archives */
  double held_out;            /* share of photographs never used for training, from 0 to below 1 */
  const char *const *folders; /* (nullable) NULL terminated: only these top folders */
  gboolean labelled_only;     /* only photographs with a class of the model */
  guint64 memory;             /* bytes of pixels to keep; 0: decode each time */
  DecodeOrientation orientation;
} CollectionOptions;

typedef struct {
  const Dataset *dataset;
  guint index; /* in the dataset */
  int label;   /* class of the model; -1: none, or unknown */
  gboolean held_out;
} CollectionItem;

typedef struct {
  GPtrArray *datasets; /* (element-type Dataset) */
  GArray
      *items; /* CollectionItem: photographs selected by the options, sorted by dataset and name */
  guint n_held_out, n_labelled;
  guint image_size; /* side of the network's input in pixels */
  Preprocessing preprocessing;
  PixelCache *pixels;
} Collection;

/* Opens the datasets and selects their photographs.
 * @model: supplies classes and pre-processing; not needed after the call
 * Returns: (transfer full): with at least one photograph, or NULL with COMMAND_ERROR_IO, _DATA or
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

/* Returns: whether any dataset has a top folder with that name */
gboolean collection_has_folder(const Collection *collection, const char *folder);

/* Loads the pixels of a photograph.
 * @whole: do not shrink it, whatever its size
 * Returns: (transfer full) (nullable): NULL if it cannot be used;
 * pixel_cache_take_notes(collection->pixels) then names it */
GdkPixbuf *collection_load(const Collection *collection, guint index, gboolean whole);

static inline void collection_cleanup(Collection *collection)
{
  collection_close(&collection);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Collection, collection_cleanup)
