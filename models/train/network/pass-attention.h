/* The attention of a block in training, followed by token merging:
 * y = x + open * proj(mask * attention(norm1(x))); z = y with tokens merged. */
#pragma once

#include "train/network/activations.h"

/* Reserves scratch memory in the share for the products of an image's attention.
 * Returns: FALSE if out of memory */
gboolean pass_attention_reserve(Share *share);

/* Runs the attention of @block, from its x to its z. */
void pass_attention(Share *share, guint block);

/* @share->dx holds the gradient of z on entry and of x on return. */
void pass_attention_backward(Share *share, guint block);
