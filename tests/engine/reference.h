/* reference.h: the network in plain double precision, as FORMAT.md and merge.h define it. It counts
 * the multiply-adds of matrices as it does them. */
#pragma once

#include "model-file.h"
#include "network/gate.h"

#define REFERENCE_MAX_DEPTH 8

/* How a call decides. */
typedef struct {
  double gate_bias;
  double thresholds[REFERENCE_MAX_DEPTH]; /* by block; 1 or more: no token merges */
  guint group;                            /* neighbours that decide together */
} ReferenceSettings;

/* Of one image. */
typedef struct {
  double *logits; /* [n_classes] */
  double macs;
  guint n_tokens; /* that merging left, up to the last attention */
  guint8 modules[2 * REFERENCE_MAX_DEPTH];
  double gate_logits[2 * REFERENCE_MAX_DEPTH]; /* this image's own, where there is a gate */
  double margin; /* how far the closest of its decisions was from another one */
} ReferenceImage;

/* A model of @description with weights large enough for gates to tell one image from another. */
ModelFile *reference_model(const Description *description, guint32 seed);

/* Moves each gate's bias so that it opens for a good half of these images, and so that no image is
 * close to a decision, where gates decide by sample. */
void reference_balance_gates(ModelFile *file, const Description *description, const float *tensors,
                             guint n_images);

/* Runs the network that @file holds.
 * Returns: (transfer full): [n_images], for reference_free() */
ReferenceImage *reference_forward(ModelFile *file, const Description *description,
                                  const ReferenceSettings *settings, const float *tensors,
                                  guint n_images);

void reference_free(ReferenceImage *images, guint n_images);

/* The engine's results for @n_images are the reference's, none of whose decisions was closer than
 * @least_margin: such a one could fall otherwise in float32.
 * @what: what was run, for messages */
void reference_check(const VitgateResult *found, const ReferenceImage *expected, guint n_images,
                     const Description *description, double least_margin, const char *what);

/* @features: [2 * dim] class token, mean of patch tokens */
double reference_gate_logit(const Gate *gate, const double *features, guint dim, double eps);
