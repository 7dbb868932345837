/* The calibration table: what the dial's settings cost and what they are worth, measured on
 * photographs that the network was not trained on. */
#pragma once

#include "train/dial/held-out.h"

typedef struct {
  const HeldOut *held_out;
  guint images;        /* of these, for the table's figures */
  guint priced_images; /* of these, for the choice between settings */
  guint batch;         /* at most the trainer's */
  gboolean gates;      /* the network has gates, and their bias is part of the dial */
  gboolean merging;    /* so are the thresholds of merging; else no token merges */
  double least;        /* compute ratio where the table may end */
} DialTableOptions;

/* Walks from the dense end down: each step lowers the merge threshold of one block or the gates'
 * bias, whichever costs least divergence from the teacher for the compute it saves. Compute rises
 * from point to point; agreement is what was measured and may fall.
 * @description: (inout): gets the table, in place of the one it may have, and default_compute:
 * @target, or the nearest that there is
 * Returns: the mean divergence from the teacher at the dear end */
double dial_table_make(Trainer *trainer, const DialTableOptions *options, double target,
                       Description *description);
