/* A set of photographs: their files, top folders and classes.
 *
 * Photographs are the files listed in labels.tsv and all other files with the suffix of an image.
 * They are sorted by name, so the order does not depend on how they are stored. A dataset is
 * immutable after opening; several threads may load from it at once. */
#pragma once

#include <glib.h>

#include "data/decode.h"
#include "data/labels-tsv.h"
#include "data/store.h"

typedef struct {
  char *name;             /* path below the data's root, as spelled in the file system or archive */
  guint folder;           /* its top folder: index in Dataset.folders */
  int class_index;        /* the first one in labels.tsv; -1: none */
  char *class_id;         /* (nullable): from labels.tsv; may be a list */
  const FileLabel *label; /* (nullable): its line in labels.tsv */
  const StoredFile *file; /* NULL: listed in labels.tsv, but missing */
} Photograph;

typedef struct {
  Store *store;
  GHashTable *labels;            /* (nullable): from labels.tsv, by file */
  GPtrArray *photographs;        /* (element-type Photograph) */
  GPtrArray *folders;            /* (element-type filename): top folders; "." for the root itself */
  gboolean has_labels;           /* there is a labels.tsv; otherwise folders may name classes */
  DecodeOrientation orientation; /* may be set after opening, before other threads load */
} Dataset;

/* Opens a dataset.
 * @path: a folder, or a tar or zip archive
 * Returns: (transfer full): with at least one photograph, or NULL with COMMAND_ERROR_IO or _DATA */
Dataset *dataset_open(const char *path, GError **error);

/* Nulls *@dataset, which may be NULL. */
void dataset_close(Dataset **dataset);

const Photograph *dataset_get(const Dataset *dataset, guint index);

/* Returns: (transfer full): the file's bytes, or NULL with COMMAND_ERROR_IO or _DATA; the message
 * does not name the file */
GBytes *dataset_load(const Dataset *dataset, guint index, GError **error);

/* Loads and decodes a photograph.
 * Returns: (transfer full): its pixels, or NULL like dataset_load() or with COMMAND_ERROR_DATA */
GdkPixbuf *dataset_decode(const Dataset *dataset, guint index, GError **error);

static inline void dataset_cleanup(Dataset *dataset)
{
  dataset_close(&dataset);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Dataset, dataset_cleanup)
