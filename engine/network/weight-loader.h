/* Copies layers out of a model file, or from elsewhere, one after another, into one block of
 * memory, packed for the kernels. */
#pragma once

#include "file/description.h"
#include "file/tensor-specs.h"
#include "network/linear.h"

/* @values: (out caller-allocates): of the tensor of that name, with the shape that it has to have
 */
typedef void (*WeightReader)(gconstpointer source, const char *name, float *values);

typedef struct _WeightLoader {
  const Safetensors *file;
  WeightReader read;    /* where there is no file */
  gconstpointer source; /* of the reader */
  VitgatePrecision precision;
  float *next;    /* free memory */
  float *scratch; /* [largest layer] */
  GError **error;
  gboolean failed; /* then nothing is read any more */
} WeightLoader;

/* Tells how many floats layers take when packed, and the largest before it is packed; float32
 * matrices named ".w" stay so.
 * @specs: (element-type TensorSpec) */
void vitgate__load_measure(const GArray *specs, VitgatePrecision precision, gsize *total,
                           gsize *largest);

/* Reads tensor "@prefix.@name".
 * @name: (nullable): the tensor is "@prefix"
 * @values: (out caller-allocates) */
void vitgate__load_values(WeightLoader *loader, float *values, const char *prefix,
                          const char *name);

/* Returns: (transfer none): the values of such a tensor */
float *vitgate__load_vector(WeightLoader *loader, const char *prefix, const char *name, gsize n);

LayerNorm vitgate__load_norm(WeightLoader *loader, const char *name, guint n);

/* Reads weights, and behind them their bias, into the scratch memory.
 * @biased: else the bias is zeros
 * Returns: (transfer none): the bias */
float *vitgate__load_affine(WeightLoader *loader, const char *name, gboolean biased, guint n_out,
                            guint n_in);

/* Packs such weights. */
Linear vitgate__load_packed(WeightLoader *loader, VitgatePrecision precision, const float *weight,
                            const float *bias, guint n_out, guint n_in);

/* Both. */
Linear vitgate__load_linear(WeightLoader *loader, const char *name, gboolean biased, guint n_out,
                            guint n_in);
