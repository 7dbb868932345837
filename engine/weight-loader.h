/* Copies layers out of a model file, one after another, into one block of memory, packed for the
 * kernels. */
#pragma once

#include "linear.h"
#include "safetensors.h"

typedef struct {
  const Safetensors *file;
  VitgatePrecision precision;
  float *next;    /* free memory */
  float *scratch; /* [largest layer] */
  GError **error;
  gboolean failed; /* then nothing is read any more */
} WeightLoader;

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
