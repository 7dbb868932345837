/* The weights of a module's last layer after some of its inputs are gone, in closed form (method.md
 * section 2, CORP): the others make up for them as well as a ridge regression on calibration images
 * can. */
#pragma once

#include "train/cut/probe.h"
#include "train/cut/ranking.h"

/* With x centred inputs, S kept, P removed: W_S += R (C_SS + lambda)^-1, R = cross_S - W_S C_SS,
 * which is W_P C_PS where the module's inputs are those the weights were made for; the inputs that
 * are removed get zeros, and the bias takes what remains in the mean.
 * @weights: [n_out][n], in place
 * @bias: [n_out], in place
 * @keep: [n] whether an input stays
 * @ridge: lambda over the mean diagonal of C
 * Returns: FALSE where the moments are not finite; nothing has changed then */
gboolean compensate(const Moments *moments, real *weights, real *bias, const gboolean *keep,
                    double ridge);

/* Takes all but the most important units out of every module of the probe's network and
 * compensates, from the first module to the last: each is fitted to bring the tokens, which already
 * lack what was cut before, to where those of the uncut network are. The network keeps its shape:
 * columns of zeros stand for what is gone; see cut_network().
 * @shapes: [depth] how many units stay
 * Returns: FALSE with VITGATE_ERROR_ARGUMENT where activations are not finite */
gboolean compensate_network(Probe *probe, Ranking *const *rankings, const BlockShape *shapes,
                            double ridge, GError **error);
