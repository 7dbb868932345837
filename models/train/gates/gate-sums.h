/* Statistics of a network's gates over many images. */
#pragma once

#include <json-glib/json-glib.h>

#include "train/network/training-pass.h"

/* Sums over images, for one module. */
typedef struct {
  guint n;                    /* images */
  double open, logit, square; /* decisions; logits of single images, and their squares */
} GateSum;

/* Adds the images of a pass.
 * @sums: (inout): [2 * depth] */
void gate_sums_add(GateSum *sums, const TrainingPass *pass);

/* Returns: the share of decisions that were open; 1 if there are no gates */
double gate_sums_open(const GateSum *sums, const Description *description);

/* Returns: the standard deviation of the logit over the images; 0 if the gate treats all of them
 * alike */
double gate_sum_spread(const GateSum *sum);

/* Return, for each module, the share of images for which it ran, or the spread of its gate.
 * Returns: (transfer full): [2 * depth]; null where there is no module or gate */
JsonArray *gate_sums_usage(const GateSum *sums, const Description *description);
JsonArray *gate_sums_spreads(const GateSum *sums, const Description *description);
