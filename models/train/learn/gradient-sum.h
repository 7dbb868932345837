/* Sums a gradient over the threads and ranks of a run while the backward pass goes on. The gradient
 * is divided into buckets: one for each block, and those before and after them. A bucket is summed
 * once all threads of the rank have gone through its block. */
#pragma once

#include "train/network/network.h"

typedef struct _GradientSum GradientSum;

/* @gradients: [n_threads] of the threads; must outlive the sum
 * Returns: (transfer full) */
GradientSum *gradient_sum_new(const Network *network, real *const *gradients, guint n_threads);
void gradient_sum_free(GradientSum **sum);

/* Starts a new gradient. Called by one thread before the backward pass. */
void gradient_sum_begin(GradientSum *sum);

/* Called by each thread when its backward pass has gone through a stage: see TrainingPass.passed,
 * which has the same arguments.
 * @sum: a GradientSum */
void gradient_sum_passed(gpointer sum, guint member, int stage);

/* Waits until gradients[0] has the sum of all threads and ranks. Called by the first thread, after
 * all threads have passed stage -1. */
void gradient_sum_finish(GradientSum *sum);
