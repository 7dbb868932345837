/* Pictures in files, as frames. Any thread may call these functions. */
#pragma once

#include <gst/video/video.h>

/* Returns: (transfer full) (nullable): NULL with an error that names the file */
GstSample *still_load(const char *path, GError **error);

/* @width: maximum width, pixels; 0: as the file
 * Returns: (transfer full) (nullable): the picture as JPEG; NULL with an error that names the file
 */
GBytes *still_load_jpeg(const char *path, guint width, GError **error);
