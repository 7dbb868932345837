/* blend.h: blends pixels into a part of a frame of any format. */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

/* Pixels and their place on a frame. Parts may lie outside the frame. */
typedef struct {
  GstBuffer *pixels; /* GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, premultiplied, unpadded rows */
  gint x, y, width, height;
} GstVitgatePlacement;

/* Blends the pixels of @placement into @frame.
 * @frame: mapped for reading and writing
 * Returns: FALSE if GStreamer cannot blend into frames of this format. */
gboolean gst_vitgate_blend(const GstVideoFrame *frame, const GstVitgatePlacement *placement);

G_END_DECLS
