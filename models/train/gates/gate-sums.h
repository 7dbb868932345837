/* What the gates of a network do over many images. */
#pragma once

#include <json-glib/json-glib.h>

#include "train/network/training-pass.h"

/* Sums over images, of one module. */
typedef struct {
  guint n;
  double open, logit, square; /* decisions; logits of the images alone, and their squares */
} GateSum;

/* Adds the images of a pass.
 * @sums: (inout): [2 * depth] */
void gate_sums_add(GateSum *sums, const TrainingPass *pass);

/* Returns: the share of the gates' decisions that were open; 1 without gates */
double gate_sums_open(const GateSum *sums, const Description *description);

/* Standard deviation of the logit over the images: nil where a gate treats all of them alike. */
double gate_sum_spread(const GateSum *sum);

/* Returns: (transfer full): [2 * depth]: share of images for which a module ran, or, instead,
 * its gate's spread; null for what is not there */
JsonArray *gate_sums_usage(const GateSum *sums, const Description *description);
JsonArray *gate_sums_spreads(const GateSum *sums, const Description *description);
