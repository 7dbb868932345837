/* The container of a model file: safetensors. Opening a file reads and checks its header; tensors
 * are read on request. Nothing is mapped, because another process could truncate the file and so
 * kill this one. FORMAT.md describes the format byte by byte. */
#pragma once

#include "file/identity.h"

typedef enum { TENSOR_F32, TENSOR_F16, TENSOR_BF16, TENSOR_I8, TENSOR_U8 } TensorType;

typedef struct {
  const char *name; /* in the header */
  gsize size;       /* bytes of one element */
} TensorTypeInfo;

/* Indexed by TensorType. */
extern const TensorTypeInfo vitgate__tensor_types[];

#define TENSOR_MAX_DIMS 8

typedef struct _Safetensors Safetensors;

/* A named array, row-major, little-endian, in memory or in its file. */
typedef struct {
  const char *name;
  TensorType type;
  guint n_dims;
  guint64 shape[TENSOR_MAX_DIMS];
  const void *data;        /* NULL: n_bytes of file, from byte place on */
  const Safetensors *file; /* must stay open while the tensor is read */
  guint64 place;
  gsize n_bytes;
} Tensor;

/* Opens @path and checks every offset, size and name in its header.
 * Returns: (transfer full): the file, or NULL with VITGATE_ERROR_NOT_FOUND, _IO, _FORMAT or
 * _UNSUPPORTED */
Safetensors *vitgate__safetensors_open(const char *path, GError **error);

/* Joins several files.
 * @stamp: of the file at @path, which says where the tensors are
 * @parts: (transfer full) (element-type Safetensors): the files; has a free function
 * @tensors: (element-type Tensor): their tensors
 * Returns: (transfer full): the join, or NULL with VITGATE_ERROR_FORMAT if two tensors have the
 * same name */
Safetensors *vitgate__safetensors_join(const char *path, FileStamp stamp, GPtrArray *parts,
                                       const GArray *tensors, GError **error);

/* Closes *@file, which invalidates its tensors, and sets it to NULL. *@file may be NULL. */
void vitgate__safetensors_close(Safetensors **file);

const char *vitgate__safetensors_get_path(const Safetensors *file);

/* Adds the file, or the files that it joins, to @identity, as they were when opened. */
void vitgate__safetensors_identify(const Safetensors *file, Identity *identity);

/* Returns: (nullable): the tensor of that name */
const Tensor *vitgate__safetensors_find(const Safetensors *file, const char *name);

/* Returns: all tensors, in the order of their data
 * @n_tensors: (out) */
const Tensor *vitgate__safetensors_list(const Safetensors *file, guint *n_tensors);

/* Allocates memory that is freed with the file.
 * @name: of the tensor that it is for, for the error
 * Returns: (transfer none): the memory, or NULL with VITGATE_ERROR_MEMORY */
gpointer vitgate__safetensors_allocate(Safetensors *file, const char *name, gsize n_bytes,
                                       GError **error);

/* Returns: (transfer none): a copy of @name that is freed with the file */
const char *vitgate__safetensors_intern(Safetensors *file, const char *name);

/* Returns: (nullable): the tensor of that name in @tensors (element-type Tensor) */
Tensor *vitgate__tensors_find(const GArray *tensors, const char *name);

/* Replaces the tensors of @file, which invalidates the old ones.
 * @tensors: (element-type Tensor): their names and data must live as long as the file
 * Returns: FALSE with VITGATE_ERROR_FORMAT if two have the same name */
gboolean vitgate__safetensors_replace(Safetensors *file, const GArray *tensors, GError **error);

/* Returns: (nullable): the string under @key in the header's __metadata__ */
const char *vitgate__safetensors_get_metadata(const Safetensors *file, const char *key);

/* Checks that the file, or the files that it joins, were not written to since they were opened.
 * Returns: FALSE with VITGATE_ERROR_IO if they were */
gboolean vitgate__safetensors_check_unchanged(const Safetensors *file, GError **error);

gsize vitgate__tensor_n_elements(const Tensor *tensor);

/* Copies the bytes of a tensor, from memory or from its file.
 * @bytes: (out caller-allocates): [n_bytes]
 * Returns: FALSE with VITGATE_ERROR_IO if the file cannot be read or has become shorter */
gboolean vitgate__tensor_copy(gpointer bytes, const Tensor *tensor, GError **error);

/* Copies a tensor and converts its elements to float. Cannot fail for a tensor in memory.
 * @values: (out caller-allocates): [n_elements] */
gboolean vitgate__tensor_to_float(float *values, const Tensor *tensor, GError **error);

/* Returns: (transfer full): "[192, 768]" */
char *vitgate__tensor_describe_shape(const guint64 *shape, guint n_dims);

static inline void vitgate__safetensors_cleanup(Safetensors *file)
{
  vitgate__safetensors_close(&file);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Safetensors, vitgate__safetensors_cleanup)
