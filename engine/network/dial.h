/* The dial: from the average compute ratio that a user asks for to gate bias and merge
 * thresholds, by the model's calibration table. */
#pragma once

#include "file/description.h"

/* At or above it no tokens merge: a cosine exceeds it by rounding only. */
#define MERGE_NEVER 1.0f

typedef struct {
  double compute;                          /* the ratio that this setting was calibrated to */
  float gate_bias;                         /* added to every gate's logit */
  float thresholds[DESCRIPTION_MAX_DEPTH]; /* of each block */
} Dial;

/* Interpolates the table; a ratio outside of it gives its nearest end. A model without a table has
 * one setting: gates by their logits alone, no merging. */
void vitgate__dial_set(Dial *dial, const Description *description, double compute);

/* Returns: whether tokens merge at any setting */
gboolean vitgate__dial_merges(const Description *description);
