/* Tables for antialiased resampling along one axis, as in the Python Imaging Library. When an image
 * shrinks, the filter is stretched by the scale. At the edges of the image it is cut off. Its
 * weights are normalised. */
#pragma once

#include <glib.h>

typedef struct {
  guint taps;     /* weights per output sample */
  guint first;    /* the first input sample that is used */
  guint count;    /* the number of input samples that are used */
  guint *starts;  /* [n_out] first sample of each window, relative to first */
  float *weights; /* [n_out][taps], zero outside a shorter window */
} Resampler;

/* @n_in: input samples along the axis
 * @scale: input samples per output sample
 * @phase: where the grid of output samples begins, in input samples
 * @first_out, @n_out: the output samples wanted
 * Returns: FALSE if out of memory */
gboolean vitgate__resampler_init(Resampler *resampler, guint n_in, double scale, double phase,
                                 gboolean bicubic, guint first_out, guint n_out);

/* Reverses the order of the output samples. */
void vitgate__resampler_mirror(Resampler *resampler, guint n_out);

void vitgate__resampler_clear(Resampler *resampler);
