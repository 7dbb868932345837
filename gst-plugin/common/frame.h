/* frame.h: describes a video frame to the engine.
 *
 * gst_vitgate_frame_layout_init() settles, once per caps, everything that does not depend on
 * pixels. gst_vitgate_frame_map() adds the pixels of one buffer, without copying any. */
#pragma once

#include <vitgate.h>

#include "common/visible.h"

G_BEGIN_DECLS

/* GStreamer's names of the formats that vitgate accepts. */
#define GST_VITGATE_FORMATS                                                                        \
  "{ NV12, I420, YV12, NV21, YUY2, UYVY, RGB, BGR, RGBx, BGRx, xRGB, xBGR, RGBA, BGRA, ARGB, "     \
  "ABGR, GRAY8, Y42B, Y444, P010_10LE, I420_10LE, I422_10LE, Y444_10LE }"

typedef struct {
  GstVideoInfo info;
  VitgateImage image; /* complete except for planes and strides */
} GstVitgateFrameLayout;

/* A mapped frame. @image points into @frame and is valid until gst_vitgate_frame_unmap(). */
typedef struct {
  GstVitgateVisible visible;
  VitgateImage image;
  guint x, y; /* where @image lies in the visible frame */
} GstVitgateFrame;

/* Returns: whether @buffer has no content: no bytes, or a GAP flag. */
gboolean gst_vitgate_frame_is_empty(GstBuffer *buffer);

/* Returns: FALSE if @caps have a format, a size or a shape of pixels that vitgate does not accept.
 */
gboolean gst_vitgate_frame_layout_init(GstVitgateFrameLayout *layout, const GstCaps *caps);

/* @accepted: the caps that an element accepts
 * Returns: how to link a stream of @caps to that element, a static string; NULL if it needs
 * nothing.
 */
const char *gst_vitgate_frame_link_hint(const GstCaps *caps, const GstCaps *accepted);

/* Maps the visible part of @buffer for reading, as gst_vitgate_visible_map() does.
 * @reason: (out): on failure, what is wrong with @buffer, a static string
 * Returns: FALSE if @buffer does not hold a frame of @layout; nothing is mapped then. */
gboolean gst_vitgate_frame_map(GstVitgateFrame *frame, const GstVitgateFrameLayout *layout,
                               GstBuffer *buffer, const char **reason);

/* Makes the image of @frame a part of itself, with the same pixels that videocrop would leave: if
 * pixels share chroma samples, luma is exact and chroma begins with the sample of the part's first
 * pixel. In YUY2 and UYVY, whose samples of both kinds lie together, a part that begins at an odd
 * column gets the column before it too.
 * @part: within the image */
void gst_vitgate_frame_narrow(GstVitgateFrame *frame, const VitgateRectangle *part);

void gst_vitgate_frame_unmap(GstVitgateFrame *frame);

/* Gets the visible size of a frame of @layout in @buffer, in pixels. It is never larger than the
 * size of the mapped frame. */
void gst_vitgate_frame_get_size(const GstVitgateFrameLayout *layout, GstBuffer *buffer,
                                guint *width, guint *height);

G_END_DECLS
