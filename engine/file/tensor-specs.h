/* Lists of the tensors that a network must have, and look-ups by name and shape. */
#pragma once

#include "file/safetensors.h"

/* Name and shape of a tensor. */
typedef struct {
  char name[64];
  guint n_dims;
  guint64 shape[4];
} TensorSpec;

/* Append to @specs (element-type TensorSpec).
 * @columns: 0: a vector */
void vitgate__add_spec(GArray *specs, const char *name, guint64 rows, guint64 columns);

/* Appends NAME.weight, the weight of a linear map without a bias. */
void vitgate__add_weight(GArray *specs, const char *name, guint64 rows, guint64 columns);

/* Appends NAME.weight and NAME.bias: a linear layer or, with @columns 0, the scale and shift of a
 * LayerNorm. */
void vitgate__add_affine(GArray *specs, const char *name, guint64 rows, guint64 columns);

/* Returns: the tensor of that name with @n_dims dimensions, or NULL with VITGATE_ERROR_TENSOR or,
 * if there is none, _UNSUPPORTED */
const Tensor *vitgate__find_shaped(const Safetensors *file, const char *name, guint n_dims,
                                   GError **error);

/* Returns: the side of a square of @n_patches; 0 if they form no square of at most 4096 a side */
guint vitgate__side_of(guint64 n_patches);
