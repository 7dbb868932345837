/* The calibration table: the cost and the quality of the dial's settings, measured on photographs
 * that the network was not trained on. */
#pragma once

#include "train/dial/held-out.h"

typedef struct {
  const HeldOut *held_out;
  guint images;         /* how many of them to measure the table's figures on */
  guint priced_images;  /* how many of them to compare settings on */
  guint batch;          /* at most the trainer's */
  gboolean gates;       /* the network has gates, and their bias is part of the dial */
  gboolean token_gates; /* the same for token gates, in a network without others */
  gboolean merging;     /* merge thresholds are part of the dial; otherwise no tokens merge */
  double least;         /* compute ratio at which the table may end */
  const char *phase;    /* what the table is made for, for display */
} DialTableOptions;

/* Estimates how many images dial_table_make() runs. */
guint dial_table_estimate(const DialTableOptions *options, const Description *description);

/* Makes the table. It starts with everything running. Each step lowers the merge threshold of one
 * block or the gates' bias, whichever adds the least divergence from the teacher for the compute it
 * saves. Compute rises from point to point; agreement is as measured and may fall.
 * @description: (inout): its table is replaced, and default_compute is set to @target or the
 * nearest ratio in the table
 * Returns: the mean divergence from the teacher at the most expensive setting */
double dial_table_make(Trainer *trainer, const DialTableOptions *options, double target,
                       Description *description);
