/* Collects different pictures of a source into a folder. */
#pragma once

#include "input.h"

typedef struct {
  InputOptions input;
  const char *folder;
  gboolean sorted;  /* into one folder for each label */
  double threshold; /* score of a label below which a picture is doubtful */
  double similar;   /* cosine of features from which two pictures are the same */
  guint max;        /* pictures; 0: no limit */
  double duration;  /* seconds of playing; 0: no limit */
} CollectorOptions;

/* Runs until the source ends, a limit is reached, or *@stop becomes TRUE, and prints what was
 * collected.
 * Returns: FALSE with an error; what was collected before stays */
gboolean collector_run(const CollectorOptions *options, const volatile gint *stop, GError **error);
