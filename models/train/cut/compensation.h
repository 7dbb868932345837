/* Adapts the weights of a module's last layer when some of its inputs are removed, in closed form
 * (method.md section 2, CORP). The remaining inputs compensate for the removed ones as well as a
 * ridge regression on calibration images can. */
#pragma once

#include "train/cut/probe.h"
#include "train/cut/ranking.h"

/* Computes W_S += R (C_SS + lambda)^-1 with R = cross_S - W_S C_SS, where inputs are centred, S are
 * the kept ones and P the removed ones. R is W_P C_PS if the module's inputs are those that the
 * weights were made for. Weights of removed inputs become zero, and the bias takes up the remaining
 * mean.
 * @weights: [n_out][n], changed in place
 * @bias: [n_out], changed in place
 * @keep: [n] whether an input stays
 * @ridge: lambda over the mean diagonal of C
 * Returns: FALSE if the moments are not finite; weights and bias are then unchanged */
gboolean compensate(const Moments *moments, real *weights, real *bias, const gboolean *keep,
                    double ridge);

/* Removes all but the most important units from every module of the probe's network and
 * compensates, from the first module to the last. Each module is fitted to bring the tokens of the
 * network cut so far to where those of the uncut network are. The network keeps its shape: removed
 * units become columns of zeros. See cut_network().
 * @shapes: [depth] how many units stay
 * Returns: FALSE with VITGATE_ERROR_ARGUMENT if activations are not finite */
gboolean compensate_network(Probe *probe, Ranking *const *rankings, const BlockShape *shapes,
                            double ridge, GError **error);
