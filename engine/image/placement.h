/* Where a whole image lies in the network's input: turned upright, with pixels as displayed, fitted
 * as the model expects it. */
#pragma once

#include "file/description.h"

/* What turns an image upright: first mirroring along its stored axes, then swapping these. */
typedef struct {
  gboolean mirror_x, mirror_y, transpose;
} Turn;

/* Pixels from first up to, not including, end. */
typedef struct {
  guint first, end;
} Span;

/* One stored axis: the scale of the resized image and where the input begins in it. */
typedef struct {
  double scale; /* pixels per output pixel */
  double phase; /* pixels before the first output pixel */
  int first;    /* of the input, in output pixels; below 0: so many are added before them */
  Span covered; /* output pixels of the input that the image covers, after mirroring */
} Axis;

/* @mirrored: left and right of the upright image are swapped, too */
Turn vitgate__turn_of(VitgateOrientation orientation, gboolean mirrored);

/* Plans both axes of @image.
 * @size: side of the input in pixels */
void vitgate__place_image(Axis *x, Axis *y, const VitgateImage *image,
                          const Preprocessing *preprocessing, guint size, const Turn *turn);

/* Returns: the part of @image that vitgate__place_image() places in the input, as stored. Pixels of
 * which only a fraction is seen count. */
VitgateRectangle vitgate__seen_part(const VitgateImage *image, const Preprocessing *preprocessing,
                                    guint size);
