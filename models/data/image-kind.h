/* The kind of an image file, from its first bytes. */
#pragma once

#include <glib.h>

typedef enum {
  IMAGE_KIND_OTHER,
  IMAGE_KIND_JPEG,
  IMAGE_KIND_PNG,
  IMAGE_KIND_GIF,
  IMAGE_KIND_TIFF, /* but not BigTIFF */
  IMAGE_KIND_WEBP,
  IMAGE_KIND_HEIC,
  IMAGE_KIND_AVIF,
  IMAGE_KIND_JPEG_XL,
} ImageKind;

ImageKind image_kind_of(GBytes *file);

/* Returns: (nullable): the kind's name, for people, if gdk-pixbuf reads it only with a loader of
 * another package
 * @package: (out) (nullable): Debian's name of that package */
const char *image_kind_get_loader(ImageKind kind, const char **package);
