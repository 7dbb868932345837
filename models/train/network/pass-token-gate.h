/* Token gates in a training pass. Modules run for all tokens; a gate then mixes each patch token's
 * output with its substitute. The decision is straight-through: hard in the forward pass, with the
 * gradient of a sigmoid. */
#pragma once

#include "train/network/activations.h"

/* Returns: the gate of a module where it has an effect, or NULL: no gate, no patch tokens, or all
 * token gates open */
const TokenGateOffsets *pass_token_gate_of(const Share *share, guint block, gboolean mlp);

/* Decides for the tokens of a module whose norm has run, computes the substitutes, and sets the
 * module's cost. Does nothing without a gate. All threads of the team call it, since decisions may
 * depend on other images. */
void pass_token_gate(Share *share, guint block, gboolean mlp);

/* Computes out += d f + (1 - d) s by row, for the module's output f, the substitute s and the
 * decision d. */
void pass_token_gate_apply(const Share *share, guint block, gboolean mlp, real *out, const real *f);

/* Computes df = d share->dx, and keeps the gradients of substitutes and decisions. */
void pass_token_gate_apply_backward(Share *share, guint block, gboolean mlp, real *df,
                                    const real *f);

/* Adds the gradients of the gate's and the substitute's weights, and those of their input to
 * share->dh. Call it once share->dh holds the module's own. */
void pass_token_gate_backward(Share *share, guint block, gboolean mlp);
