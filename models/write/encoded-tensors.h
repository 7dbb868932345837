/* Weights encoded as in a model file: matrices in the file's precision, the position embedding and
 * the score for unknown pictures in float16 unless the precision is float32, everything else in
 * float32. A tensor with a value
 * outside the range of its type is also stored in float32. */
#pragma once

#include "file/safetensors.h"
#include "vitgate.h"

typedef struct {
  VitgatePrecision precision; /* not auto */
  GArray *tensors;            /* Tensor */
  GPtrArray *owned;           /* memory that they point to */
} EncodedTensors;

EncodedTensors *encoded_tensors_new(VitgatePrecision precision);

/* Frees *@storage, which may be NULL, and nulls it. */
void encoded_tensors_free(EncodedTensors **storage);

/* Reads the value of --precision.
 * Returns: FALSE with COMMAND_ERROR_USAGE */
gboolean encoded_tensors_parse(const char *name, VitgatePrecision *precision, GError **error);

/* Returns the precision's name in a model file's description. */
const char *encoded_tensors_name(VitgatePrecision precision);

/* Adds a tensor. A tensor of integers is followed by the scales of its rows, chosen so that the
 * largest value of a row becomes 127. bf16 is rounded to nearest, ties to even.
 * @name: must outlive the storage
 * @values: [shape] */
void encoded_tensors_add(EncodedTensors *storage, const char *name, const guint64 *shape,
                         guint n_dims, const float *values);

/* Rounds a tensor's values to those that a file can store. */
void encoded_tensors_round(VitgatePrecision precision, const char *name, const guint64 *shape,
                           guint n_dims, float *values);

static inline void encoded_tensors_cleanup(EncodedTensors *storage)
{
  encoded_tensors_free(&storage);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EncodedTensors, encoded_tensors_cleanup)
