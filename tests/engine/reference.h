/* A reference of the network in double precision, as FORMAT.md and merge.h define it. It counts
 * multiply-adds of matrices as it computes them. */
#pragma once

#include "network/gate.h"
#include "reference-cache.h"

/* Settings of one call. With a cache, it has one image and merges no tokens. */
typedef struct {
  double gate_bias;
  double thresholds[REFERENCE_MAX_DEPTH]; /* by block; 1 or more: no tokens merge */
  guint group;                            /* neighbours that decide together */
  const float *embedded; /* (nullable) [n_images][n_tokens][dim] tokens before the first block, for
                            a family with a stem, which the reference does not compute */
  ReferenceCache *cache; /* (nullable) */
  const guint *rows;     /* (nullable) [n_rows] the tokens to compute; the others are in the cache.
                            NULL: all, and the cache is filled */
  guint n_rows;
} ReferenceSettings;

/* The result for one image. */
typedef struct {
  double *logits;   /* [n_classes] */
  double *features; /* [n_prefix][dim] input of the heads */
  double unknown;   /* score, 0 without one */
  double macs;
  guint n_tokens; /* that remain after merging, up to the last attention */
  guint8 modules[2 * REFERENCE_MAX_DEPTH];
  guint module_tokens[2 * REFERENCE_MAX_DEPTH];
  guint8 *patches;                             /* [2 * depth][patches] VitgatePatchFlags */
  double gate_logits[2 * REFERENCE_MAX_DEPTH]; /* of this image alone, for modules with a gate */
  double margin; /* distance of its closest decision from the opposite decision */
} ReferenceImage;

/* Runs the network that @file holds.
 * Returns: (transfer full): [n_images], for reference_free() */
ReferenceImage *reference_forward(ModelFile *file, const Description *description,
                                  const ReferenceSettings *settings, const float *tensors,
                                  guint n_images);

/* The same for the first @n_blocks blocks, followed by the head. */
ReferenceImage *reference_run_blocks(ModelFile *file, const Description *description,
                                     const ReferenceSettings *settings, const float *tensors,
                                     guint n_images, guint n_blocks);

void reference_free(ReferenceImage *images, guint n_images);

/* Checks that the engine's results for @n_images match the reference.
 * @min_margin: fails if a decision of the reference has a smaller margin, since float32 could
 * decide differently
 * @what: what was run, for messages */
void reference_check(const VitgateResult *found, const ReferenceImage *expected, guint n_images,
                     const Description *description, double min_margin, const char *what);

/* @features: [2 * dim] class token, then mean of patch tokens */
double reference_gate_logit(const Gate *gate, const double *features, guint dim, double eps);
