/* A set of photographs: their files, their top folders, and the classes they show.
 *
 * Photographs are the files that labels.tsv lists, and all others whose name ends as an image's
 * does, sorted by name: the order does not depend on how they are stored. Immutable after opening;
 * several threads may load from one at once. */
#pragma once

#include <glib.h>

#include "data/store.h"

typedef struct {
  char *name;             /* below the data's root; as the file system or archive spells it */
  guint folder;           /* its top folder: index for dataset_get_folder() */
  int class_index;        /* as labels.tsv says; -1: none */
  char *class_id;         /* (nullable): as labels.tsv says */
  const StoredFile *file; /* NULL: labels.tsv lists it, but it is not there */
} Photograph;

typedef struct {
  Store *store;
  GPtrArray *photographs; /* (element-type Photograph) */
  GPtrArray *folders;     /* (element-type filename): top folders; "." for the root itself */
  gboolean has_labels;    /* there is a labels.tsv; else folders may name classes */
} Dataset;

/* @path: a folder, or a tar or zip archive
 * Returns: (transfer full): with one photograph at least, or NULL with COMMAND_ERROR_IO or _DATA */
Dataset *dataset_open(const char *path, GError **error);

/* Nulls *@dataset, which may be NULL. */
void dataset_close(Dataset **dataset);

const Photograph *dataset_get(const Dataset *dataset, guint index);

/* Returns: (transfer full): the file's bytes, or NULL with COMMAND_ERROR_IO or _DATA, the message
 * without the file's name */
GBytes *dataset_load(const Dataset *dataset, guint index, GError **error);

static inline void dataset_cleanup(Dataset *dataset)
{
  dataset_close(&dataset);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Dataset, dataset_cleanup)
