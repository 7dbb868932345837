/* The orientation tag of a photograph: which way up the camera was held.
 *
 * It is an EXIF tag in JPEG, PNG and WebP files, and TIFF's own tag of the same name. HEIC, AVIF
 * and JPEG XL files have their own way to turn an image, which their loaders apply. */
#pragma once

#include <gdk-pixbuf/gdk-pixbuf.h>

/* Returns: the tag: 1 (upright) to 8; 1 without a valid tag or in another kind of file */
guint orientation_find(GBytes *file);

/* Turns the pixels of @file upright, as its tag says.
 * @pixels: as decoded by gdk-pixbuf; its option "orientation" may change
 * Returns: (transfer full) (nullable): NULL if out of memory */
GdkPixbuf *orientation_apply(GdkPixbuf *pixels, GBytes *file);

/* Undoes what the loader has already done for the tag, so that the pixels are as stored in @file.
 * Returns: (transfer full) (nullable): NULL if out of memory */
GdkPixbuf *orientation_undo(GdkPixbuf *pixels, GBytes *file);
