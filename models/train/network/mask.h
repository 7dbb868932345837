/* The relaxed choice of how many of a module's units stay: a softmax over candidate counts weights
 * nested masks, so that unit r is worth the weight of all candidates that keep more than r. */
#pragma once

#include "train/network/activations.h"

/* @mask: (out caller-allocates): [units * width], every unit's weight @width times */
void mask_make(const Network *network, const Choice *choice, real *mask, guint width);

/* Returns: the expected share of the units that stay, 0 to 1 */
double mask_scale(const Network *network, const Choice *choice);

/* Adds to the gradient of the alphas what the masked activations tell: dmasked[rows][n] is the
 * gradient behind the mask, values[rows][n] what was masked. */
void mask_backward(Share *share, const Choice *choice, const real *dmasked, const real *values,
                   guint rows, guint n, guint width);

/* Adds the gradient that @dscale, that of mask_scale(), means for the alphas. */
void mask_scale_backward(Share *share, const Choice *choice, double dscale);

/* Returns: the candidate with the largest alpha */
guint mask_chosen(const Network *network, const Choice *choice);
