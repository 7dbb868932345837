/* Second moments of what a linear layer reads and of what it should give, from which importance and
 * compensation follow in closed form. */
#pragma once

#include <glib.h>

/* Of a linear layer's inputs x[n] and wanted outputs y[n_out] over all tokens, centred, tokens
 * weighted by what they count for the loss; sums divided by the number of images. */
typedef struct {
  guint n, n_out;
  double weight; /* of all tokens of an image */
  double *mean_in, *mean_out;
  double *square; /* [n][n] x x^T */
  double *cross;  /* (nullable) [n_out][n] y x^T; NULL: y is what the layer itself gives */
} Moments;

/* Returns: (transfer full): sums of nothing yet. @cross: with cross moments */
Moments *moments_new(guint n, guint n_out, gboolean cross);
void moments_free(Moments **moments);

/* Adds the sums of @other. */
void moments_add(Moments *moments, const Moments *other);

/* Turns sums over all tokens of @n_images images into moments about the mean. */
void moments_finish(Moments *moments, guint n_images);

/* What ridge regression adds to the diagonal: @ridge of the inputs' mean variance. */
double moments_ridge(const Moments *moments, double ridge);
