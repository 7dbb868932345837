/* Which units of a module (attention heads, MLP neurons) matter, and how many each module keeps. */
#pragma once

#include "file/description.h"
#include "train/cut/moments.h"

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

/* Ranks the units of all modules of @calibration's network.
 * Returns: (transfer full): [2 depth], NULL where there is no module; NULL with
 * VITGATE_ERROR_ARGUMENT where the network's activations are not finite */
Ranking **rankings_new(Calibration *calibration, double ridge, GError **error);
void rankings_free(Ranking ***rankings, guint depth);

/* What the cut network may cost at most, of the dense teacher's; 0: whatever. */
typedef struct {
  double compute, parameters;
  gboolean whole_attention; /* leave all heads */
} Budget;

/* Whether the network costs no more than that as it is. */
gboolean budget_allows(const Budget *budget, const Description *description);

/* Takes units away, 16 neurons or one head at a time or several at once, where the error grows
 * least for what they cost, until the budget is met; what then still fits is given back.
 * @shapes: (out caller-allocates): [depth]
 * Returns: FALSE with VITGATE_ERROR_ARGUMENT where even the least structure costs more */
gboolean allocate_units(const Description *description, Ranking *const *rankings,
                        const Budget *budget, BlockShape *shapes, GError **error);
