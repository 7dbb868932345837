/* How many units each module keeps within a budget. */
#pragma once

#include "file/description.h"
#include "train/cut/ranking.h"

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
