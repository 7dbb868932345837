/* The linear layers of a training pass. */
#pragma once

#include "train/network/activations.h"

/* Computes y[rows][n_out] = (accumulate ? y : 0) + x W^T + b. */
void pass_linear(const Share *share, guint weight, real *y, const real *x, gboolean accumulate,
                 guint rows);

/* Computes dx[rows][n_in] = (accumulate ? dx : 0) + dy W, and adds to the gradients of weight and
 * bias.
 * @dx: NULL: not needed */
void pass_linear_backward(const Share *share, guint weight, real *dx, const real *dy, const real *x,
                          gboolean accumulate, guint rows);

/* Reserves scratch memory in the share for all products of the linear layers.
 * @rows: maximum number of rows of a share
 * Returns: FALSE if out of memory */
gboolean pass_linear_reserve(Share *share, guint rows);

/* Returns: bytes of a packed weight */
gsize pass_linear_packed_size(const TrainingPass *pass, const MatmulScratch *scratch, guint weight,
                              gboolean backward);

/* Packs a weight. */
void pass_linear_pack(const TrainingPass *pass, const MatmulScratch *scratch, guint weight);
