/* blend.h: lays pixels over a part of a frame, whatever its format. */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

/* Pixels and the place on a frame at which they belong; parts may lie outside. */
typedef struct {
  GstBuffer *pixels; /* GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, premultiplied, rows tight */
  gint x, y, width, height;
} GstVitgatePlacement;

/* @frame: mapped to be read and written
 * Returns: FALSE where GStreamer cannot blend into frames of this format. */
gboolean gst_vitgate_blend(const GstVideoFrame *frame, const GstVitgatePlacement *placement);

G_END_DECLS
