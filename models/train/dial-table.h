/* The calibration table: what the dial's settings cost and what they are worth, measured on
 * photographs that the network was not trained on. */
#pragma once

#include "samples.h"
#include "teacher.h"
#include "trainer.h"

typedef struct {
  const Collection *collection; /* its held-out part is measured on */
  guint max_images;
  guint batch; /* at most the trainer's */
} DialTableOptions;

/* Walks from the dense end down: each step lowers the merge threshold or the gates' bias, whichever
 * costs less divergence from the teacher for the compute it saves. Compute and agreement rise from
 * point to point.
 * @description: (inout): gets the table, and default_compute: @target, or the nearest that there is
 * Returns: FALSE with the samples' or the teacher's error */
gboolean dial_table_make(Trainer *trainer, Teacher *teacher, const DialTableOptions *options,
                         double target, Description *description, GError **error);
