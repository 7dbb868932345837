/* How fast this machine trains a model. */
#pragma once

#include <glib.h>

typedef struct {
  const char *path; /* model file */
  guint threads, batch_size;
  double seconds;        /* of steps that count, for each precision of products */
  const char *precision; /* "float32" or "bf16"; NULL: both where the CPU has instructions for it */
  gboolean as_json;
} TrainBenchOptions;

/* Times whole steps of training (forward, backward, optimizer) on random images, distilled from
 * fixed random targets, so that no teacher runs; prints the result.
 * Returns: FALSE with COMMAND_ERROR_USAGE for a precision that there is not, VITGATE_ERROR for a
 * model file that cannot be used, or COMMAND_ERROR_TRAINING */
gboolean train_bench(const TrainBenchOptions *options, GError **error);
