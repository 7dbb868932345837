#include "image/placement.h"

#include <math.h>

Turn vitgate__turn_of(VitgateOrientation orientation, gboolean mirrored)
{
  static const Turn turns[] = {
    [VITGATE_ORIENTATION_IDENTITY] = { FALSE, FALSE, FALSE },
    [VITGATE_ORIENTATION_90R] = { FALSE, TRUE, TRUE },
    [VITGATE_ORIENTATION_180] = { TRUE, TRUE, FALSE },
    [VITGATE_ORIENTATION_90L] = { TRUE, FALSE, TRUE },
    [VITGATE_ORIENTATION_HORIZ] = { TRUE, FALSE, FALSE },
    [VITGATE_ORIENTATION_VERT] = { FALSE, TRUE, FALSE },
    [VITGATE_ORIENTATION_UL_LR] = { FALSE, FALSE, TRUE },
    [VITGATE_ORIENTATION_UR_LL] = { TRUE, TRUE, TRUE },
  };
  Turn turn = turns[orientation];
  if (mirrored && turn.transpose)
    turn.mirror_y = !turn.mirror_y;
  else if (mirrored)
    turn.mirror_x = !turn.mirror_x;
  return turn;
}

/* Returns: the output pixels of an axis. Letterbox rounds halves to even, as Python's round()
 * does; crop rounds down.
 * @length, @other: of both axes as displayed, in a common unit */
static guint resized_axis(const Preprocessing *p, guint64 length, guint64 other)
{
  switch (p->fit) {
  case VITGATE_FIT_SQUASH:
    return p->resize;
  case VITGATE_FIT_LETTERBOX:
    return (guint)MAX(lrint(length / ((double)MAX(length, other) / p->resize)), 1);
  default:
    return (guint)(p->resize * length / MIN(length, other));
  }
}

/* @pixels: of the axis as stored
 * @resized: its output pixels
 * @mirrored: the stored axis runs against the displayed one */
static Axis place_axis(guint pixels, guint resized, guint size, gboolean mirrored)
{
  Axis axis = { .scale = (double)pixels / resized, .covered = { 0, size } };
  if (resized >= size) {
    axis.first = (int)lrint((resized - size) / 2.0);
  } else {
    axis.covered.first = (size - resized) / 2;
    axis.covered.end = axis.covered.first + resized;
    axis.first = -(int)axis.covered.first;
  }
  if (mirrored)
    axis.first = (int)resized - (int)size - axis.first;
  return axis;
}

void vitgate__place_image(Axis *x, Axis *y, const VitgateImage *image,
                          const Preprocessing *preprocessing, guint size, const Turn *turn)
{
  const guint w = image->width, h = image->height;
  const guint64 length_x = (guint64)w * MAX(image->pixel_width, 1);
  const guint64 length_y = (guint64)h * MAX(image->pixel_height, 1);
  const gboolean fits = w == size && h == size && image->pixel_width == image->pixel_height;
  *x = place_axis(w, fits ? size : resized_axis(preprocessing, length_x, length_y), size,
                  turn->mirror_x);
  *y = place_axis(h, fits ? size : resized_axis(preprocessing, length_y, length_x), size,
                  turn->mirror_y);
}

/* Sets the stored pixels of an axis that the input shows.
 * @length: pixels of the axis */
static void seen_span(guint *first, guint *extent, const Axis *axis, guint length, guint size)
{
  /* Beyond this, a fraction of a pixel is due to rounding. */
  const double rounding = 1e-6;
  const double begin = axis->first * axis->scale, end = (axis->first + (double)size) * axis->scale;
  *first = axis->first > 0 ? (guint)(begin + rounding) : 0;
  *extent = MIN((guint)ceil(end - rounding), length) - *first;
}

VitgateRectangle vitgate__seen_part(const VitgateImage *image, const Preprocessing *preprocessing,
                                    guint size)
{
  const Turn turn = vitgate__turn_of(image->orientation, FALSE);
  VitgateRectangle part;
  Axis x, y;
  vitgate__place_image(&x, &y, image, preprocessing, size, &turn);
  seen_span(&part.x, &part.width, &x, image->width, size);
  seen_span(&part.y, &part.height, &y, image->height, size);
  return part;
}
