/* The dial: turns the average compute ratio that a user asks for into a gate bias and merging
 * thresholds, using the model's calibration table. */
#pragma once

#include "file/description.h"

/* At or above this threshold no tokens merge: only rounding can push a cosine above it. */
#define MERGE_NEVER 1.0f

/* From this bias on, all token gates are open and are not computed. */
#define TOKEN_GATES_OPEN 100.0f

typedef struct {
  double compute;                          /* compute ratio that this setting was calibrated for */
  float gate_bias;                         /* added to the logit of every gate */
  float thresholds[DESCRIPTION_MAX_DEPTH]; /* for each block */
} Dial;

/* Sets the dial by interpolating in the calibration table. A ratio outside the table gets its
 * nearest end. A model without a table has one setting: gates without a bias, and no merging. */
void vitgate__dial_set(Dial *dial, const Description *description, double compute);

/* Returns: whether tokens merge at any setting */
gboolean vitgate__dial_merges(const Description *description);
