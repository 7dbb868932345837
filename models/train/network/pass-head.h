/* From the last block's tokens to the logits, in training: by the class token, by the mean over the
 * heads of the class and the distillation token, or by the mean of all patches. */
#pragma once

#include "train/network/activations.h"

/* Sets the share's pooled tokens and logits. */
void pass_classify(Share *share);

/* Starts from dlogits and dclass; leaves the gradient of the last block's output in @share->dx. */
void pass_classify_backward(Share *share);
