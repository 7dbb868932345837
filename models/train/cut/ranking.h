/* The units of a module (attention heads, MLP neurons) in order of importance. */
#pragma once

#include "train/cut/moments.h"
#include "train/network/real.h"

/* The units of one module from the most to the least important. The first k are kept. */
typedef struct {
  guint n_units, width; /* inputs of the module's last layer that belong to one unit */
  guint *order;         /* [n_units] */
  double *errors;       /* [n_units + 1] error if only the first k stay and compensate for the
                           others: the expected divergence of the network's classes */
} Ranking;

/* Ranks units by removing them one by one (optimal brain surgeon). Each time it removes the unit
 * with the smallest loss after the remaining ones compensate for it as well as they can. That loss
 * is w_u (M_uu)^-1 w_u^T, with M = (moments + ridge)^-1 over the remaining inputs and W the weights
 * adapted so far.
 * @weights: [n_out][n] of the layer that reads the units
 * @metric: (nullable) [n_out][n_out] cost of an error in the outputs; NULL: its square
 * @ridge: relative to the moments' mean diagonal
 * Returns: (transfer full): the ranking, or NULL if the moments are not finite */
Ranking *ranking_new(const Moments *moments, const real *weights, const double *metric, guint width,
                     double ridge);
void ranking_free(Ranking **ranking);

/* Returns: (transfer full): [n_units * width] TRUE for inputs of the first @n_kept units */
gboolean *ranking_mark(const Ranking *ranking, guint n_kept);
