/* Writes a frame, or a part of it, as a JPEG file. */
#pragma once

#include <gst/video/video.h>

/* A part of a frame, in pixels. */
typedef struct {
  guint x, y, width, height;
} PicturePart;

/* Writes the file at once or not at all.
 * @part: of the frame as it is stored
 * @method: how to turn the picture upright
 * Returns: FALSE with an error that names @path */
gboolean picture_write(const char *path, GstSample *sample, const PicturePart *part,
                       GstVideoOrientationMethod method, GError **error);
