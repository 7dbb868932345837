/* The MLP of a block in training: x' = z + open * fc2(mask * gelu(fc1(norm2(z)))). */
#pragma once

#include "train/network/activations.h"

/* Runs the MLP of @block, from its z to the next block's x. */
void pass_mlp(Share *share, guint block);

/* @share->dx holds the gradient of the next block's x on entry and of z on return. */
void pass_mlp_backward(Share *share, guint block);
