/* The model's class for each photograph of a dataset. */
#pragma once

#include "data/dataset.h"
#include "vitgate.h"

/* Values for photographs without a class of the model. */
enum {
  CLASS_NONE = -1,    /* the class is unknown */
  CLASS_FOREIGN = -2, /* a class that the model does not have */
};

typedef struct {
  int *of;                 /* [photographs] class, CLASS_NONE or CLASS_FOREIGN */
  GArray **sets;           /* (nullable) [n_photographs] (element-type guint): the classes that a
                              photograph shows; NULL: unknown. Only for a model whose classes have a
                              probability of their own; @of then holds the first */
  guint n_photographs;     /* with @sets */
  guint n_labelled;        /* photographs with a class or, with @sets, those whose set is known */
  guint8 *folder_is_class; /* [folders] whether the top folder is named after a class */
  GPtrArray *unmatched; /* (element-type filename): folders not named after a class, in data where
                           others are */
} Classes;

/* Finds the class of each photograph. If the data has a labels.tsv, classes are found by id if the
 * model has ids, otherwise by index. Without labels.tsv, the class is that of the innermost folder
 * named after an id or label of the model: the whole label or its first name ("tench" for "tench,
 * Tinca tinca"), with '_' for ' '.
 *
 * If each class of the model has a probability of its own, a line of labels.tsv may list several
 * classes; those that the model does not have do not count, so that a photograph may show none. A
 * photograph in a folder shows the folder's class and no other, or none if no folder is named after
 * a class but others are.
 * Returns: (transfer full): or NULL with COMMAND_ERROR_DATA */
Classes *classes_resolve(const Dataset *dataset, const VitgateModelInfo *model, GError **error);

/* Nulls *@classes, which may be NULL. */
void classes_free(Classes **classes);

/* Finds the classes among which to take the best one. For a folder, these are the classes that
 * occur in it. For a folder that is named after a class, these are the classes in all the data,
 * since a single class would always be right. The last row is for all the data.
 * Returns: (transfer full): [folders + 1][n_classes], for classes_free_present() */
guint8 **classes_find_present(const Dataset *dataset, const Classes *classes, guint n_classes);
void classes_free_present(guint8 **present, guint n_folders);

static inline void classes_cleanup(Classes *classes)
{
  classes_free(&classes);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Classes, classes_cleanup)
