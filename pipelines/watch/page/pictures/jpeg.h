/* Encodes frames as JPEG. May be called from any thread. */
#pragma once

#include <gio/gio.h>
#include <gst/video/video.h>

/* Encodes in the calling thread, which takes a few milliseconds.
 * @sample: raw video of any format
 * @region: (nullable): pixels of the frame; NULL: all of it. What is beyond the frame is cut off
 * @width: maximum width of the picture in square pixels; the picture is never larger than the
 * frame. 0: as the frame
 * @quality: 1 to 100
 * Returns: (transfer full) (nullable): NULL with an error of GST_STREAM_ERROR */
GBytes *jpeg_encode_now(GstSample *sample, const GstVideoRectangle *region, guint width,
                        guint quality, GError **error);

/* As above, in a thread of GTask's.
 * @sample: (transfer none) */
void jpeg_encode(GstSample *sample, const GstVideoRectangle *region, guint width, guint quality,
                 GAsyncReadyCallback callback, gpointer user_data);
GBytes *jpeg_encode_finish(GAsyncResult *result, GError **error);

/* Adds a comment of at most 65533 bytes, or cuts it off there.
 * @jpeg: as encoded above
 * Returns: (transfer full) */
GBytes *jpeg_add_comment(GBytes *jpeg, const char *comment);
