/* Measures how fast this machine trains a model. */
#pragma once

#include <glib.h>

typedef struct {
  const char *path; /* model file */
  guint threads, batch_size;
  double seconds;        /* time of counted steps, for each precision of products */
  const char *precision; /* "float32" or "bf16"; NULL: both, if the CPU has bf16 */
  gboolean as_json;
} TrainBenchOptions;

/* Times whole training steps (forward, backward, optimizer) on random images and prints the result.
 * The targets are fixed and random, so no teacher runs.
 * Returns: FALSE with COMMAND_ERROR_USAGE for an unknown precision, VITGATE_ERROR for a model file
 * that cannot be used, or COMMAND_ERROR_TRAINING */
gboolean train_bench(const TrainBenchOptions *options, GError **error);
