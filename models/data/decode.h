/* An image file's bytes to pixels, by gdk-pixbuf.
 *
 * The pixels are those of PIL's convert("RGB"): grey becomes three equal components, alpha is
 * ignored rather than blended, orientation tags are not applied. Files are not trusted: the size is
 * known before anything of that size is allocated. */
#pragma once

#include <gdk-pixbuf/gdk-pixbuf.h>

#include "vitgate.h"

/* As many pixels as PIL takes before it calls an image a decompression bomb. */
#define DECODE_MAX_PIXELS (G_GUINT64_CONSTANT(178956970))
#define DECODE_MAX_SIDE   32767

/* Largest image file, in bytes. */
#define DECODE_MAX_FILE (G_GUINT64_CONSTANT(256) << 20)

/* Returns: (transfer full): or NULL with COMMAND_ERROR_DATA, the message without the file's name */
GdkPixbuf *decode_pixels(GBytes *file, GError **error);

/* @pixels seen as the engine takes images; valid as long as @pixels is. */
VitgateImage decode_as_image(const GdkPixbuf *pixels);

/* Whether gdk-pixbuf may know what to do with a file of this name. */
gboolean decode_name_is_image(const char *name);
