/* Tables for antialiased resampling of one axis, as the Python Imaging Library does it: a filter
 * that is stretched by the scale when it shrinks, cut off at the image's edges and normalised. */
#pragma once

#include <glib.h>

typedef struct {
  guint taps;  /* weights per output sample */
  guint first; /* first and number of the input samples that any output needs */
  guint count;
  guint *starts;  /* [n_out] first sample of each window, counted from first */
  float *weights; /* [n_out][taps], zero behind a shorter window */

  guint n_in, n_out;
  gboolean bicubic;
  double *window; /* one output sample's weights before they are normalised */
} Resampler;

/* Allocates tables for an axis of @n_in samples and @n_out output samples.
 * @max_scale: the largest scale that they will be made for
 * Returns: FALSE if out of memory; clear the resampler then, too */
gboolean vitgate__resampler_init(Resampler *resampler, guint n_in, guint n_out, double max_scale,
                                 gboolean bicubic);

/* Makes the tables, in place of earlier ones. Allocates nothing.
 * @scale: input samples per output sample
 * @phase: where the grid of output samples begins, in input samples
 * @first_out: the first of the output samples */
void vitgate__resampler_plan(Resampler *resampler, double scale, double phase, guint first_out);

/* Reverses the order of the output samples. */
void vitgate__resampler_mirror(Resampler *resampler);

void vitgate__resampler_clear(Resampler *resampler);
