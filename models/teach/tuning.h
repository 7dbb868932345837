/* Trains the last blocks of a network with the pictures, and finds by cross-validation whether that
 * helps: a fold that is held out takes no part in the training that it judges. */
#pragma once

#include "file/source.h"
#include "teach/cross.h"
#include "teach/entry-tokens.h"
#include "teach/outcome.h"
#include "teach/tail.h"

/* Blocks that are trained. */
#define TUNING_BLOCKS 2

typedef struct {
  const Examples *examples; /* of the network as it is */
  const Pictures *pictures;
  FeaturesOptions features;
  const Safetensors *file;
  const Description *description;
  gboolean sigmoid;
  double limit;            /* seconds, for all of it and for what follows */
  double seconds_pictures; /* that the network takes for all pictures */
} TuningOptions;

/* Of cross-validations with the same folds. */
typedef struct {
  double top1, loss;
} TuningScore;

typedef struct {
  char *left_out; /* (nullable): why the blocks stay as they were; then, what follows may be 0 */
  guint first;    /* block */
  guint n_blocks, n_folds, steps;
  TuningScore before, after;
  Cross *cross;   /* of the trained blocks; the tuning must outlive it */
  Examples *seen; /* of the network as it was, with the views that are used */
  Examples **by_fold;
  EntrySet *entries;
  Tail *tail; /* trained with all pictures */
} Tuning;

/* Returns: (transfer full): or NULL with VITGATE_ERROR_* or COMMAND_ERROR_* */
Tuning *tuning_run(const TuningOptions *options, GError **error);

/* Frees *@tuning, which may be NULL, and nulls it. */
void tuning_free(Tuning **tuning);
