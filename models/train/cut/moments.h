/* Second moments of a linear layer's inputs and wanted outputs. Importance and compensation follow
 * from them in closed form. */
#pragma once

#include <glib.h>

/* Centred moments of a linear layer's inputs x[n] and wanted outputs y[n_out] over all tokens.
 * Tokens are weighted by their effect on the loss. Sums are divided by the number of images. */
typedef struct {
  guint n, n_out;
  double weight; /* of all tokens of an image */
  double *mean_in, *mean_out;
  double *square; /* [n][n] x x^T */
  double *cross;  /* (nullable) [n_out][n] y x^T; NULL: y is the layer's own output */
} Moments;

/* Creates moments for summing up, all zero.
 * @cross: with cross moments
 * Returns: (transfer full): the moments */
Moments *moments_new(guint n, guint n_out, gboolean cross);
void moments_free(Moments **moments);

/* Adds the sums of @other. */
void moments_add(Moments *moments, const Moments *other);

/* Adds the sums of all ranks, which then have the same. */
void moments_share(Moments *moments);

/* Converts sums over all tokens of @n_images images into moments about the mean. */
void moments_finish(Moments *moments, guint n_images);

/* Returns: the value that ridge regression adds to the diagonal: @ridge times the inputs' mean
 * variance */
double moments_ridge(const Moments *moments, double ridge);
