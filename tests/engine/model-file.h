/* Model files that tests change before writing them. */
#pragma once

#include "file/description.h"

typedef struct _ModelFile ModelFile;

/* Returns: (transfer full): a copy of the golden model @name */
ModelFile *model_file_read(const char *name);

/* Returns: (transfer full): a model of @description with weights between -1/4 and 1/4 */
ModelFile *model_file_new(const Description *description);

void model_file_free(ModelFile *file);

/* Returns: (transfer full): the smallest possible model: four patches, no blocks */
ModelFile *model_file_tiny(void);

guint model_file_n_tensors(const ModelFile *file);

/* Returns: tensor number @i, whose data may be written */
Tensor *model_file_tensor(ModelFile *file, guint i);

Tensor *model_file_find(ModelFile *file, const char *name);

void model_file_remove(ModelFile *file, const char *name);

/* Adds a tensor of zeros, which replaces any tensor of that name. */
Tensor *model_file_put(ModelFile *file, const char *name, TensorType type, guint n_dims,
                       const guint64 *shape);

/* Sets a field of the description; "preprocessing.resize" names a field of an inner object.
 * @json: (nullable): the text of the value; NULL: removes the field */
void model_file_set(ModelFile *file, const char *field, const char *json);

/* Sets the metadata key "vitgate" to @text instead of the description; NULL: removes the key. */
void model_file_describe(ModelFile *file, const char *text);

/* Writes the file to the test program's temporary folder.
 * Returns: (transfer full): its path */
char *model_file_write(ModelFile *file, const char *name);

/* Writes the file and opens it.
 * Returns: (transfer full): the model */
VitgateModel *model_file_open(ModelFile *file, const char *name);

/* Writes the file and checks that opening it fails with @code and a message that contains @part and
 * the path. */
void model_file_refuse(ModelFile *file, VitgateError code, const char *part);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ModelFile, model_file_free)
