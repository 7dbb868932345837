/* Which class of a model each photograph of a set shows. */
#pragma once

#include "data/dataset.h"
#include "vitgate.h"

/* What stands for a class where there is none. */
enum {
  CLASS_NONE = -1,    /* nothing is known of it */
  CLASS_FOREIGN = -2, /* the model does not have it */
};

typedef struct {
  int *of;                 /* [photographs] class, CLASS_NONE or CLASS_FOREIGN */
  guint n_labelled;        /* photographs with a class */
  guint8 *folder_is_class; /* [folders] the top folder itself names a class */
  GPtrArray *unmatched;    /* (element-type filename): folders that name no class, of data where
                              others do */
} Classes;

/* With a labels.tsv its ids count where the model has ids, else its indices. Without one, the
 * innermost folder named by an id or label of the model (the whole label or its first name, "tench"
 * of "tench, Tinca tinca", '_' standing for ' ') gives the class.
 * Returns: (transfer full): or NULL with COMMAND_ERROR_DATA */
Classes *classes_resolve(const Dataset *dataset, const VitgateModelInfo *model, GError **error);

/* Nulls *@classes, which may be NULL. */
void classes_free(Classes **classes);

static inline void classes_cleanup(Classes *classes)
{
  classes_free(&classes);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Classes, classes_cleanup)
