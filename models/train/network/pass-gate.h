/* The gates of a block in training. A gate decides from the class token and the mean of the patch
 * tokens whether a module runs: LayerNorm, Linear, GELU, Linear to a bounded logit. The images of a
 * group share one decision, made by the mean of their logits. */
#pragma once

#include "train/network/activations.h"

/* Decides for each image of the share whether the module runs, and sets its cost. */
void pass_gate(Share *share, guint block, gboolean mlp);

/* Adds the gradient of the gate's logit to its weights and to @share->dx. */
void pass_gate_backward(Share *share, guint block, gboolean mlp);

/* Adds a module's output f to out[rows][dim] for every image whose gate is open.
 * @first: [n + 1] the first row of each image of the share */
void pass_gate_apply(const Share *share, guint module, real *out, const real *f,
                     const guint *first);

/* Sets df[rows][dim] from @share->dx, and adds to the gradient of the decisions. */
void pass_gate_apply_backward(Share *share, guint module, real *df, const real *f,
                              const guint *first);
