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
  gboolean alone;      /* only one rank of several calls features_run() */
} FeaturesOptions;

/* Sees a picture: @tensors are its @n_views views, as views_make() makes them.
 * Returns: FALSE with an error */
typedef gboolean (*FeaturesVisit)(gpointer data, const Picture *picture, const float *tensors,
                                  GError **error);

/* Decodes the pictures and makes their views, without running the network. Those that cannot be
 * decoded are left out silently.
 * @unit: what is counted, for the display of progress
 * Returns: FALSE with VITGATE_ERROR_* or the visitor's error */
gboolean features_visit(const Pictures *pictures, const FeaturesOptions *options, guint n_views,
                        const char *unit, FeaturesVisit visit, gpointer data, GError **error);

/* Adds an example for each picture. Those that cannot be decoded are left out, with a note on
 * stderr. If there are several ranks, each runs its slice of the pictures, and all get the same
 * examples.
 * @sources: (element-type Picture): appends the picture of each example
 * @unusable: (nullable) (element-type utf8): NULL: no notes either; appends the path of each that
 * is left out
 * Returns: FALSE with VITGATE_ERROR_*, on all ranks if it fails on one */
gboolean features_run(Examples *examples, const Pictures *pictures, const FeaturesOptions *options,
                      GPtrArray *sources, GPtrArray *unusable, GError **error);
