/* A gate decides from an image's tokens whether a module runs on them: LayerNorm of [class token ‖
 * mean of patch tokens], Linear, GELU, Linear to a logit; bounded, so that it had a gradient
 * everywhere in training. */
#pragma once

#include "file/description.h"

#define GATE_BOUND 6.0

/* All fields point into the model's memory. */
typedef struct {
  float *norm_scale, *norm_shift; /* [2 * dim] */
  float *fc1_weight, *fc1_bias;   /* [GATE_HIDDEN][2 * dim], [GATE_HIDDEN] */
  float *fc2_weight, *fc2_bias;   /* [GATE_HIDDEN], [1] */
} Gate;

/* @work: [4 * dim]
 * @tokens: [n_tokens][dim]; @size: [n_tokens] patches that each stands for
 * Returns: the logit */
float vitgate__gate_logit(const Gate *gate, float *work, const float *tokens, const float *size,
                          guint n_tokens, guint n_prefix, guint dim, float eps);
