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
  guint n_labelled;        /* photographs with a class */
  guint8 *folder_is_class; /* [folders] whether the top folder is named after a class */
  GPtrArray *unmatched; /* (element-type filename): folders not named after a class, in data where
                           others are */
} Classes;

/* Finds the class of each photograph. If the data has a labels.tsv, classes are found by id if the
 * model has ids, otherwise by index. Without labels.tsv, the class is that of the innermost folder
 * named after an id or label of the model: the whole label or its first name ("tench" for "tench,
 * Tinca tinca"), with '_' for ' '.
 * Returns: (transfer full): or NULL with COMMAND_ERROR_DATA */
Classes *classes_resolve(const Dataset *dataset, const VitgateModelInfo *model, GError **error);

/* Nulls *@classes, which may be NULL. */
void classes_free(Classes **classes);

static inline void classes_cleanup(Classes *classes)
{
  classes_free(&classes);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Classes, classes_cleanup)
