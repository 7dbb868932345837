/* The gates of a block in training. A gate decides whether a module runs, from the class token and
 * the mean of the patch tokens: LayerNorm, Linear, GELU, Linear to a bounded logit. Images of one
 * group decide together, by the mean of their logits. */
#pragma once

#include "train/network/activations.h"

/* Decides for each image of the share whether the module runs, and sets what it costs. */
void pass_gate(Share *share, guint block, gboolean mlp);

/* Adds the gradient of the gate's logit to its weights and to @share->dx. */
void pass_gate_backward(Share *share, guint block, gboolean mlp);
