/* Copies layers from a model file or another source, one after another, into one block of memory,
 * packed for the kernels. */
#pragma once

#include "file/description.h"
#include "file/tensor-specs.h"
#include "network/linear.h"

/* Reads the values of one tensor.
 * @values: (out caller-allocates): as many as the network expects */
typedef void (*WeightReader)(gconstpointer source, const char *name, float *values);

typedef struct _WeightLoader {
  const Safetensors *file;
  WeightReader read;    /* used instead of a file if set */
  gconstpointer source; /* passed to read */
  VitgatePrecision precision;
  float *next;    /* first free float */
  float *scratch; /* [largest layer] */
  GError **error;
  gboolean failed; /* after an error, nothing more is read */
} WeightLoader;

/* Computes the memory that layers need. Matrices with the suffix ".w" or the
 * prefix "unknown." stay float32.
 * @specs: (element-type TensorSpec)
 * @total: (out): floats of all layers when packed
 * @largest: (out): floats of the largest layer before it is packed */
void vitgate__load_measure(const GArray *specs, VitgatePrecision precision, gsize *total,
                           gsize *largest);

/* Reads tensor "@prefix.@name".
 * @name: (nullable): the tensor is "@prefix"
 * @values: (out caller-allocates) */
void vitgate__load_values(WeightLoader *loader, float *values, const char *prefix,
                          const char *name);

/* Reads tensor "@prefix.@name", or "@prefix" if @name is NULL, into the loader's memory.
 * Returns: (transfer none): its @n values */
float *vitgate__load_vector(WeightLoader *loader, const char *prefix, const char *name, gsize n);

LayerNorm vitgate__load_norm(WeightLoader *loader, const char *name, guint n);

/* Reads a layer's weights into the scratch memory, and its bias right after them.
 * @biased: FALSE: the layer has no bias, so the bias is zeros
 * Returns: (transfer none): the bias */
float *vitgate__load_affine(WeightLoader *loader, const char *name, gboolean biased, guint n_out,
                            guint n_in);

/* Packs weights and a bias into the loader's memory. */
Linear vitgate__load_packed(WeightLoader *loader, VitgatePrecision precision, const float *weight,
                            const float *bias, guint n_out, guint n_in);

/* Reads and packs a layer. */
Linear vitgate__load_linear(WeightLoader *loader, const char *name, gboolean biased, guint n_out,
                            guint n_in);
