/* The options of the sub-commands that train. */
#pragma once

#include "train/run/compressor.h"

typedef struct {
  char *teacher, *from, *classes, *out, *name, *resume, *time_limit;
  char **data, **folders, **weights;
  double rate, labels, mixup;
  gint64 steps, seed;
  int batch, threads;
} TrainingOptions;

#define TRAINING_OPTIONS_DEFAULT                                                                   \
  {                                                                                                \
    .batch = 64, .threads = 2                                                                      \
  }

/* @own: terminated by G_OPTION_ENTRY_NULL: the sub-command's own, those that read teacher, from,
 * classes, rate and labels among them
 * Returns: (transfer full): these, and those that all have */
GOptionEntry *training_options_entries(TrainingOptions *options, const GOptionEntry *own);

/* Returns: FALSE with COMMAND_ERROR_USAGE where what must be there is not, or has no sense */
gboolean training_options_check(const TrainingOptions *options, GError **error);

/* Hands them over to a run, which they must outlive.
 * @weights: (element-type FolderWeight): is filled, and must outlive it too
 * Returns: FALSE with COMMAND_ERROR_USAGE or _IO */
gboolean training_options_apply(TrainingOptions *options, CompressOptions *run, GArray *weights,
                                GError **error);

void training_options_clear(TrainingOptions *options);
