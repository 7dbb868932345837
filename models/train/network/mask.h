/* The relaxed choice of how many of a module's units to keep. A softmax over candidate counts
 * weights nested masks, so unit r is multiplied by the total weight of all candidates that keep
 * more than r units. */
#pragma once

#include "train/network/activations.h"

/* Computes the mask.
 * @mask: (out caller-allocates): [units * width], every unit's weight @width times */
void mask_make(const Network *network, const Choice *choice, real *mask, guint width);

/* Returns: the expected share of units kept, 0 to 1 */
double mask_scale(const Network *network, const Choice *choice);

/* Adds the contribution of the masked activations to the gradient of the alphas.
 * @dmasked: [rows][n] gradient after the mask
 * @values: [rows][n] activations before the mask */
void mask_backward(Share *share, const Choice *choice, const real *dmasked, const real *values,
                   guint rows, guint n, guint width);

/* Adds the contribution of @dscale, the gradient of mask_scale(), to the gradient of the alphas. */
void mask_scale_backward(Share *share, const Choice *choice, double dscale);

/* Returns: the candidate with the largest alpha */
guint mask_chosen(const Network *network, const Choice *choice);
