/* Decides how many units each module keeps within a budget. */
#pragma once

#include "file/description.h"
#include "train/cut/ranking.h"

/* Maximum cost of the cut network, as a share of the dense teacher's; 0: no limit. */
typedef struct {
  double compute, parameters;
  gboolean whole_attention; /* keep all heads */
} Budget;

/* Returns: whether the network is within the budget as it is */
gboolean budget_allows(const Budget *budget, const Description *description);

/* Removes units until the budget is met: each time those that add the least error for the cost they
 * save, in steps of 16 neurons or one head, or several steps at once. Then puts back what still
 * fits.
 * @shapes: (out caller-allocates): [depth]
 * Returns: FALSE with VITGATE_ERROR_ARGUMENT if even the smallest structure costs more */
gboolean allocate_units(const Description *description, Ranking *const *rankings,
                        const Budget *budget, BlockShape *shapes, GError **error);
