/* frame.h: a video frame as the engine wants to see it.
 *
 * gst_vitgate_frame_layout_init() decides once per caps what can be decided without pixels;
 * gst_vitgate_frame_map() fills in the pixels of one buffer, without copying any. */
#pragma once

#include <gst/video/video.h>
#include <vitgate.h>

G_BEGIN_DECLS

/* Most columns and rows of a frame; the engine's own limit. */
#define GST_VITGATE_MAX_SIZE 32767

/* GStreamer's names of all formats that vitgate takes. */
#define GST_VITGATE_FORMATS                                                                        \
  "{ NV12, I420, YV12, NV21, YUY2, UYVY, RGB, BGR, RGBx, BGRx, xRGB, xBGR, RGBA, BGRA, ARGB, "     \
  "ABGR, GRAY8 }"

typedef struct {
  GstVideoInfo info;
  VitgateImage image; /* all of it but planes and strides */
} GstVitgateFrameLayout;

/* A mapped frame. @image points into @frame and is valid until gst_vitgate_frame_unmap(). */
typedef struct {
  GstVideoFrame frame;
  VitgateImage image;
} GstVitgateFrame;

/* Whether @buffer has no content: no bytes, or a GAP flag that says so. */
gboolean gst_vitgate_frame_is_empty(GstBuffer *buffer);

/* Returns: FALSE where @caps are not of a format or size that vitgate takes. */
gboolean gst_vitgate_frame_layout_init(GstVitgateFrameLayout *layout, const GstCaps *caps);

/* Maps @buffer for reading. Padded strides and offsets (GstVideoMeta) and a visible rectangle
 * (GstVideoCropMeta; rounded to whole chroma samples) are honoured. Nothing that @buffer says of
 * itself is believed before it is checked against the memory that is there.
 * @reason: (out): on failure, what is wrong with @buffer, a static string
 * Returns: FALSE where @buffer does not hold a frame of @layout; nothing is mapped then. */
gboolean gst_vitgate_frame_map(GstVitgateFrame *frame, const GstVitgateFrameLayout *layout,
                               GstBuffer *buffer, const char **reason);

void gst_vitgate_frame_unmap(GstVitgateFrame *frame);

/* Columns and rows that a frame of @layout in @buffer shows; no more than it will have once it is
 * mapped. */
void gst_vitgate_frame_get_size(const GstVitgateFrameLayout *layout, GstBuffer *buffer,
                                guint *width, guint *height);

G_END_DECLS
