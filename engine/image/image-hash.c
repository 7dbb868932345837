#define XXH_INLINE_ALL /* nothing to link with, and no state to allocate */
#include <xxhash.h>

#include "image/format.h"
#include "image/image.h"

/* The fields of an image that tell how its pixels are read. Two images that differ in nothing else
 * than where they lie in memory have the same. */
static void hash_fields(XXH3_state_t *state, const VitgateImage *image)
{
  const guint32 fields[] = {
    (guint32)image->format, (guint32)image->matrix, (guint32)image->chroma_site,
    image->full_range,      image->width,           image->height,
    image->part.x,          image->part.y,          image->part.width,
    image->part.height,     image->limited_rgb,     (guint32)image->orientation,
    image->pixel_width,     image->pixel_height,
  };
  XXH3_64bits_update(state, fields, sizeof fields);
}

static void hash_plane(XXH3_state_t *state, const VitgateImage *image, guint plane)
{
  const Format *format = &vitgate__formats[image->format];
  const gsize n = vitgate__format_row_samples(format, plane, image->width) * format->bytes;
  const guint rows = vitgate__subsample(image->height, plane ? format->sub_y : 0);
  for (guint row = 0; row < rows; row++)
    XXH3_64bits_update(state, image->planes[plane] + row * image->strides[plane], n);
}

guint64 vitgate_image_hash(const VitgateImage *image)
{
  XXH3_state_t state;
  if (!vitgate__image_check(image, NULL))
    return 0;
  XXH3_64bits_reset(&state);
  hash_fields(&state, image);
  for (guint plane = 0; plane < vitgate__formats[image->format].n_planes; plane++)
    hash_plane(&state, image, plane);
  return XXH3_64bits_digest(&state);
}
