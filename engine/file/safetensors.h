/* The container of a model file: safetensors. Opening a file reads and checks its header; tensors
 * stay in the file until they are asked for. Nothing is mapped: another process may truncate the
 * file at any time, which would kill this one. FORMAT.md describes the format byte by byte. */
#pragma once

#include "file/identity.h"

typedef enum { TENSOR_F32, TENSOR_F16, TENSOR_BF16, TENSOR_I8, TENSOR_U8 } TensorType;

typedef struct {
  const char *name; /* as the header writes it */
  gsize size;       /* bytes of one element */
} TensorTypeInfo;

/* Indexed by TensorType. */
extern const TensorTypeInfo vitgate__tensor_types[];

#define TENSOR_MAX_DIMS 8

typedef struct _Safetensors Safetensors;

/* One named array, row-major, little-endian: in memory, or in the file it comes from. */
typedef struct {
  const char *name;
  TensorType type;
  guint n_dims;
  guint64 shape[TENSOR_MAX_DIMS];
  const void *data;        /* NULL: @n_bytes of @file, from byte @place on */
  const Safetensors *file; /* must be open while the tensor is read */
  guint64 place;
  gsize n_bytes;
} Tensor;

/* Opens @path and checks every offset, size and name in its header before returning.
 * Returns: (transfer full): or NULL with VITGATE_ERROR_NOT_FOUND, _IO, _FORMAT or _UNSUPPORTED */
Safetensors *vitgate__safetensors_open(const char *path, GError **error);

/* One file of several.
 * @stamp: of the file at @path, which tells where the tensors are
 * @parts: (transfer full) (element-type Safetensors): with a function that closes them
 * @tensors: (element-type Tensor): theirs
 * Returns: (transfer full): or NULL with VITGATE_ERROR_FORMAT where two have one name */
Safetensors *vitgate__safetensors_join(const char *path, FileStamp stamp, GPtrArray *parts,
                                       const GArray *tensors, GError **error);

/* Closes the file; every Tensor of it ends here. Nulls *@file, which may be NULL. */
void vitgate__safetensors_close(Safetensors **file);

const char *vitgate__safetensors_get_path(const Safetensors *file);

/* Adds the file, and those that it is a join of, to @identity, as they were when they were opened.
 */
void vitgate__safetensors_identify(const Safetensors *file, Identity *identity);

/* Returns: (nullable): the tensor of that name */
const Tensor *vitgate__safetensors_find(const Safetensors *file, const char *name);

/* All tensors in the order of their data.
 * @n_tensors: (out) */
const Tensor *vitgate__safetensors_list(const Safetensors *file, guint *n_tensors);

/* Memory that lives as long as the file does.
 * @name: of the tensor that it is for, which names it in the error
 * Returns: (transfer none): or NULL with VITGATE_ERROR_MEMORY */
gpointer vitgate__safetensors_allocate(Safetensors *file, const char *name, gsize n_bytes,
                                       GError **error);

/* Returns: (transfer none): a copy of @name that lives as long as the file does */
const char *vitgate__safetensors_intern(Safetensors *file, const char *name);

/* Returns: (nullable): the tensor of that name in @tensors (element-type Tensor) */
Tensor *vitgate__tensors_find(const GArray *tensors, const char *name);

/* Makes these the tensors of @file; every Tensor of before ends here.
 * @tensors: (element-type Tensor): whose names and data live as long as the file
 * Returns: FALSE with VITGATE_ERROR_FORMAT where two have one name */
gboolean vitgate__safetensors_replace(Safetensors *file, const GArray *tensors, GError **error);

/* Returns: (nullable): the string under @key in the header's __metadata__ */
const char *vitgate__safetensors_get_metadata(const Safetensors *file, const char *key);

/* Checks that nobody has written to the file, or to the files it is a join of, since it was opened.
 * Returns: FALSE with VITGATE_ERROR_IO if somebody has */
gboolean vitgate__safetensors_check_unchanged(const Safetensors *file, GError **error);

/* Writes a file beside @path and renames it to @path when it is complete.
 * @metadata: (nullable): char * → char *, written as the header's __metadata__
 * Returns: FALSE with VITGATE_ERROR_IO or _MEMORY, and @path untouched */
gboolean vitgate__safetensors_write(const char *path, const Tensor *tensors, guint n_tensors,
                                    GHashTable *metadata, GError **error);

gsize vitgate__tensor_n_elements(const Tensor *tensor);

/* Copies the bytes of a tensor, from memory or from its file.
 * @bytes: (out caller-allocates): [n_bytes]
 * Returns: FALSE with VITGATE_ERROR_IO if the file cannot be read or has become shorter */
gboolean vitgate__tensor_copy(gpointer bytes, const Tensor *tensor, GError **error);

/* The same, with the elements of any type converted to float. Cannot fail for a tensor in memory.
 * @values: (out caller-allocates): [n_elements] */
gboolean vitgate__tensor_to_float(float *values, const Tensor *tensor, GError **error);

/* Returns: (transfer full): "[192, 768]" */
char *vitgate__tensor_describe_shape(const guint64 *shape, guint n_dims);

static inline void vitgate__safetensors_cleanup(Safetensors *file)
{
  vitgate__safetensors_close(&file);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Safetensors, vitgate__safetensors_cleanup)
