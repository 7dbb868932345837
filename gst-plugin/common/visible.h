/* visible.h: maps the visible part of a video frame. All metadata of the buffer comes from other
 * elements and is checked against the buffer's memory first, so that no byte beyond it is used. */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

/* Maximum width and height of a frame in pixels; the engine's own limit. */
#define GST_VITGATE_MAX_SIZE 32767

/* A mapped frame. If its format has windows, @frame is the visible part: its planes begin there and
 * its size ends there. Otherwise it is the whole frame, with the visible part at @x, @y. */
typedef struct {
  GstVideoFrame frame;
  guint x, y;
} GstVitgateVisible;

/* Returns: whether a part of a frame of @format can be addressed by moving the plane pointers. */
gboolean gst_vitgate_format_has_windows(const GstVideoFormatInfo *format);

/* Maps a buffer whose caps are @info. Padded strides and offsets (GstVideoMeta) and a visible
 * rectangle (GstVideoCropMeta) are honoured. If the format has windows, the rectangle's place is
 * rounded down to whole chroma samples. For GST_MAP_WRITE, which needs a writable buffer, pixels
 * must be aligned, since GStreamer's functions draw on them.
 * @reason: (out): on failure, what is wrong with @buffer, a static string
 * Returns: FALSE if @buffer does not hold such a frame; nothing is mapped then. */
gboolean gst_vitgate_visible_map(GstVitgateVisible *visible, const GstVideoInfo *info,
                                 GstBuffer *buffer, GstMapFlags flags, const char **reason);

void gst_vitgate_visible_unmap(GstVitgateVisible *visible);

G_END_DECLS
