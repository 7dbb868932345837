/* The forward pass of a vision transformer. */
#pragma once

#include "network/kv-cache.h"
#include "network/logit-control.h"

/* Settings of one call. With a cache, it has one image, and the dial merges no tokens. */
typedef struct {
  const Dial *dial;
  guint group; /* neighbouring images in the batch that share each gate's decision; 1: none do */
  LogitControl *control; /* (nullable) */
  KvCache *cache;        /* (nullable) */
  const guint *rows; /* (nullable) [n_rows] the tokens to compute, ascending, all those before the
                        patches among them; the others are in the cache. NULL: all, and the
                        cache is filled */
  guint n_rows;
} VitSettings;

/* Runs the network on every member of @team.
 * @logits: (out caller-allocates): [n_images][n_classes]
 * @tensors: [n_images][3][image_size][image_size]
 * Returns: (transfer none): [n_images], valid until the next call */
const VitOutcome *vitgate__vit_forward(const Vit *vit, VitWork *work, Team *team,
                                       const VitSettings *settings, float *logits,
                                       const float *tensors, guint n_images);

/* Copies the class token and the distillation token of an image of the last call, after the final
 * norm.
 * @tokens: (out caller-allocates): [n_prefix][dim] */
void vitgate__vit_get_tokens(const Vit *vit, const VitWork *work, guint image, float *tokens);
