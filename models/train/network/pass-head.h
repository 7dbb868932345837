/* The classification head in training. It computes logits from the last block's class token, from
 * its class and distillation tokens (the mean of two heads), or from the mean of all patches. */
#pragma once

#include "train/network/activations.h"

/* Computes the share's pooled tokens and logits. */
void pass_classify(Share *share);

/* Computes the gradient of the last block's output, in @share->dx, from dlogits and dclass. */
void pass_classify_backward(Share *share);
