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

  guint n_in, n_out;
  gboolean bicubic;
  double *window; /* the weights of one output sample before they are normalised */
} Resampler;

/* Allocates tables for an axis of @n_in input samples and @n_out output samples.
 * @max_scale: the largest scale to plan for
 * Returns: FALSE if out of memory; clear the resampler then, too */
gboolean vitgate__resampler_init(Resampler *resampler, guint n_in, guint n_out, double max_scale,
                                 gboolean bicubic);

/* Computes the tables and replaces earlier ones. Allocates nothing.
 * @scale: input samples per output sample
 * @phase: where the grid of output samples begins, in input samples
 * @first_out: the first of the output samples wanted; those beyond the ends of the grid get the
 * values nearest to them */
void vitgate__resampler_plan(Resampler *resampler, double scale, double phase, int first_out);

/* Reverses the order of the output samples. */
void vitgate__resampler_mirror(Resampler *resampler);

void vitgate__resampler_clear(Resampler *resampler);
