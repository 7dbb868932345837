/* model-file.h: model files to change before they are written. */
#pragma once

#include "file/description.h"

typedef struct _ModelFile ModelFile;

/* The golden model @name. */
ModelFile *model_file_read(const char *name);

/* A model of this description, with weights between -1/4 and 1/4. */
ModelFile *model_file_new(const Description *description);

void model_file_free(ModelFile *file);

/* The smallest model there is: four patches, no block; to be freed. */
ModelFile *model_file_tiny(void);

guint model_file_n_tensors(const ModelFile *file);

/* Tensor number @i; its data may be written to. */
Tensor *model_file_tensor(ModelFile *file, guint i);

Tensor *model_file_find(ModelFile *file, const char *name);

void model_file_remove(ModelFile *file, const char *name);

/* Adds a tensor of zeros, in place of one of that name. */
Tensor *model_file_put(ModelFile *file, const char *name, TensorType type, guint n_dims,
                       const guint64 *shape);

/* Sets a field of the description; "preprocessing.resize" is one inside another.
 * @json: the value's text; NULL: the field is left out */
void model_file_set(ModelFile *file, const char *field, const char *json);

/* Makes the metadata key "vitgate" hold @text instead of the description; NULL: none at all. */
void model_file_describe(ModelFile *file, const char *text);

/* Returns: (transfer full): the path of the file, written into the program's own folder */
char *model_file_write(ModelFile *file, const char *name);

/* Returns: (transfer full): the model that is written there */
VitgateModel *model_file_open(ModelFile *file, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ModelFile, model_file_free)
