/* The memory layout of each pixel format. */
#pragma once

#include "vitgate.h"

/* Location of one component's samples: plane, first sample, samples from one to the next. Samples
 * that share a plane count together. */
typedef struct {
  guint8 plane, offset, step;
} Component;

/* Components are R, G, B or Y, U, V; chroma (the second and third) may be subsampled. */
typedef struct {
  const char *name;
  guint n_planes, n_components;
  gboolean ycbcr;
  guint sub_x, sub_y; /* log2 of pixels per chroma sample */
  Component components[3];
  guint bytes; /* of a sample: 1, or 2, low byte first */
  float scale; /* of a sample of 2 bytes, so that it counts as one of 8 bits */
} Format;

extern const Format vitgate__formats[VITGATE_PIXELS_N_FORMATS];

/* Returns: the number of samples for @pixels, of which 2^@log2 share one */
guint vitgate__subsample(guint pixels, guint log2);

/* Returns: the number of samples in a row of @plane that is @width pixels wide */
gsize vitgate__format_row_samples(const Format *format, guint plane, guint width);
