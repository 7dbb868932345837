/* The linear layers of a training pass. */
#pragma once

#include "train/network/activations.h"

/* y[rows][n_out] = (accumulate ? y : 0) + x W^T + b */
void pass_linear(const Share *share, guint weight, real *y, const real *x, gboolean accumulate,
                 guint rows);

/* dx[rows][n_in] = (accumulate ? dx : 0) + dy W; the weight's and bias' gradients +=.
 * dx: NULL: not wanted */
void pass_linear_backward(const Share *share, guint weight, real *dx, const real *dy, const real *x,
                          gboolean accumulate, guint rows);

/* Makes room in the share's scratch for all products of the linear layers.
 * @rows: at most of a share
 * Returns: FALSE if out of memory */
gboolean pass_linear_reserve(Share *share, guint rows);

/* Packed weights: bytes of one, and the packing of one. */
gsize pass_linear_packed_size(const TrainingPass *pass, const MatmulScratch *scratch, guint weight,
                              gboolean backward);
void pass_linear_pack(const TrainingPass *pass, const MatmulScratch *scratch, guint weight);
