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
} Resampler;

/* @n_in: samples of the axis
 * @scale: input samples per output sample
 * @phase: where the grid of output samples begins, in input samples
 * @first_out, @n_out: the output samples wanted
 * Returns: FALSE where memory is lacking */
gboolean vitgate__resampler_init(Resampler *resampler, guint n_in, double scale, double phase,
                                 gboolean bicubic, guint first_out, guint n_out);

/* Reverses the order of the output samples. */
void vitgate__resampler_mirror(Resampler *resampler, guint n_out);

void vitgate__resampler_clear(Resampler *resampler);
