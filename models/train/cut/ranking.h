/* The units of a module (attention heads, MLP neurons) in order of importance. */
#pragma once

#include "train/cut/moments.h"
#include "train/network/real.h"

/* The units of one module from the most to the least important: the k first are kept. */
typedef struct {
  guint n_units, width; /* inputs of the module's last layer that belong to one unit */
  guint *order;         /* [n_units] */
  double *errors;       /* [n_units + 1] that remains when the k first stay and make up for the
                           others: the expected divergence of the network's classes */
} Ranking;

/* Removes units one by one, each time the one whose loss, after the remaining ones made up for it
 * as well as they can, is least: with M = (moments + ridge)^-1 over the remaining inputs and W the
 * weights so far adapted, w_u (M_uu)^-1 w_u^T (optimal brain surgeon).
 * @weights: [n_out][n] of the layer that reads the units
 * @metric: (nullable) [n_out][n_out] what an error in the outputs costs; NULL: its square
 * @ridge: of the moments' mean diagonal
 * Returns: (transfer full): NULL where the moments are not finite */
Ranking *ranking_new(const Moments *moments, const real *weights, const double *metric, guint width,
                     double ridge);
void ranking_free(Ranking **ranking);

/* Returns: (transfer full): [n_units * width] the inputs of the @n_kept most important units */
gboolean *ranking_mark(const Ranking *ranking, guint n_kept);
