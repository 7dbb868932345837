/* What a head is taught from: the features of pictures and their classes. */
#pragma once

#include <glib.h>

/* Maximum number of views of a picture: see views.h. */
#define EXAMPLES_MAX_VIEWS 2

typedef struct {
  guint64 hash;    /* of the picture's file; orders examples, so that their order does not depend
                      on names or on when they were added */
  guint group;     /* pictures of a group are alike: taken one after the other */
  char *path;      /* (nullable): NULL: a picture that the model was taught before */
  guint8 *shown;   /* [n_classes] 1: it shows the class */
  float *features; /* [n_views][n_features]; the first view is the picture itself */
} Example;

typedef struct {
  GPtrArray *labels; /* (element-type utf8): of the classes */
  guint n_features, n_views;
  GPtrArray *list; /* (element-type Example) */
  guint n_groups;
} Examples;

/* @labels: (element-type utf8): copied
 * Returns: (transfer full): without examples */
Examples *examples_new(const GPtrArray *labels, guint n_features, guint n_views);

/* Frees *@examples, which may be NULL, and nulls it. */
void examples_free(Examples **examples);

/* Adds an example that shows nothing and whose features are not set.
 * Returns: (transfer none): it */
Example *examples_add(Examples *examples, guint64 hash, guint group, const char *path);

/* Returns: the number of examples that show the class */
guint examples_count(const Examples *examples, guint class);

/* Returns: the first class that the example shows, or -1 */
int examples_class(const Examples *examples, guint index);

/* Computes the mean of an example's features over its first @n_views.
 * @mean: (out caller-allocates): [n_features] */
void examples_average(const Examples *examples, guint index, guint n_views, double *mean);

/* Sorts the examples by their hashes, and numbers the groups from 0 in that order. */
void examples_sort(Examples *examples);

static inline Example *examples_get(const Examples *examples, guint index)
{
  return g_ptr_array_index(examples->list, index);
}

static inline void examples_cleanup(Examples *examples)
{
  examples_free(&examples);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Examples, examples_cleanup)
