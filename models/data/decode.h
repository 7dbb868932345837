/* Decodes image files with gdk-pixbuf.
 *
 * The pixels equal those of PIL's ImageOps.exif_transpose() and convert("RGB"): an image is turned
 * as its orientation tag says, grey becomes three equal components, and alpha is ignored instead of
 * blended. Of an animation, the first frame is decoded; what it does not cover is black. Files are
 * not trusted: the size is checked before anything of that size is allocated. */
#pragma once

#include <gdk-pixbuf/gdk-pixbuf.h>

#include "vitgate.h"

/* Limit above which PIL calls an image a decompression bomb. */
#define DECODE_MAX_PIXELS (G_GUINT64_CONSTANT(178956970))
#define DECODE_MAX_SIDE   32767

/* Maximum size of an image file in bytes. */
#define DECODE_MAX_FILE (G_GUINT64_CONSTANT(256) << 20)

typedef enum {
  DECODE_UPRIGHT,
  DECODE_AS_STORED, /* ignore the orientation tag */
} DecodeOrientation;

/* Returns: (transfer full): the pixels, or NULL with COMMAND_ERROR_DATA; the message does not name
 * the file */
GdkPixbuf *decode_pixels(GBytes *file, DecodeOrientation orientation, GError **error);

/* Returns @pixels as an image for the engine, valid as long as @pixels. */
VitgateImage decode_as_image(const GdkPixbuf *pixels);

/* Returns whether gdk-pixbuf may be able to read a file with this name. */
gboolean decode_name_is_image(const char *name);
