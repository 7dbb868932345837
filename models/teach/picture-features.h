/* Runs the network over the pictures. */
#pragma once

#include "teach/examples.h"
#include "teach/pictures.h"

typedef struct {
  VitgateModel *model;
  VitgateFit fit;
  guint threads;
  GHashTable *known;   /* (nullable) (element-type guint64): hashes of pictures to leave out */
  const guint *places; /* (nullable): the classes of the pictures in the examples; NULL: of none */
} FeaturesOptions;

/* Adds an example for each picture. Those that cannot be decoded are left out, with a note on
 * stderr.
 * @sources: (element-type Picture): appends the picture of each example
 * @unusable: (element-type utf8): appends the path of each that is left out
 * Returns: FALSE with VITGATE_ERROR_* */
gboolean features_run(Examples *examples, const Pictures *pictures, const FeaturesOptions *options,
                      GPtrArray *sources, GPtrArray *unusable, GError **error);
