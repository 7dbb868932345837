/* A module gate: decides from an image's tokens whether a module runs on them. LayerNorm of [class
 * token ‖ mean of patch tokens], Linear, GELU, Linear to a logit, which is bounded so that it has a
 * gradient everywhere in training. */
#pragma once

#include "file/description.h"

#define GATE_BOUND 6.0

/* All fields point into the model's memory. */
typedef struct {
  float *norm_scale, *norm_shift; /* [2 * dim] */
  float *fc1_weight, *fc1_bias;   /* [GATE_HIDDEN][2 * dim], [GATE_HIDDEN] */
  float *fc2_weight, *fc2_bias;   /* [GATE_HIDDEN], [1] */
} Gate;

/* @work: [4 * dim]; starts with the class token and the mean of the patch tokens; overwritten
 * Returns: the logit */
float vitgate__gate_logit(const Gate *gate, float *work, guint dim, float eps);
