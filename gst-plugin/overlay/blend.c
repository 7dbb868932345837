/* blend.c: blends pixels into a part of a frame of any format. */
#include "overlay/blend.h"

#include <gst/video/video-blend.h>

#include "common/visible.h"

/* In no format do more than 4 columns or rows share a sample. */
#define ALIGN_DOWN(value) ((value) & ~3)

/* Narrows *@frame to the part covered by @placement at *@x, *@y, clipped to the frame, and makes
 * *@x, *@y relative to that part. Without this, gst_video_blend() would convert whole rows of the
 * frame, there and back, for each narrow piece. */
static void window(GstVideoFrame *frame, const GstVitgatePlacement *placement, gint *x, gint *y)
{
  const GstVideoFormatInfo *format = frame->info.finfo;
  const gint left = MAX(ALIGN_DOWN(*x), 0), top = MAX(ALIGN_DOWN(*y), 0);
  gboolean moved[GST_VIDEO_MAX_PLANES] = { FALSE };

  for (guint i = 0; i < GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format); i++) {
    const guint plane = GST_VIDEO_FORMAT_INFO_PLANE(format, i);
    guint8 *data = frame->data[plane];

    if (moved[plane])
      continue;
    moved[plane] = TRUE;
    data += (gssize)GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(format, i, top) *
            GST_VIDEO_FRAME_PLANE_STRIDE(frame, plane);
    data += (gssize)GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(format, i, left) *
            GST_VIDEO_FORMAT_INFO_PSTRIDE(format, i);
    frame->data[plane] = data;
  }
  frame->info.width = MIN(*x + placement->width, frame->info.width) - left;
  frame->info.height = MIN(*y + placement->height, frame->info.height) - top;
  *x -= left;
  *y -= top;
}

gboolean gst_vitgate_blend(const GstVideoFrame *frame, const GstVitgatePlacement *placement)
{
  gint x = placement->x, y = placement->y;
  GstVideoFrame part = *frame, pixels;
  GstVideoInfo info;
  gboolean blended;

  if (x >= frame->info.width || y >= frame->info.height || x + placement->width <= 0 ||
      y + placement->height <= 0)
    return TRUE;
  gst_video_info_set_format(&info, GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, placement->width,
                            placement->height);
  info.flags |= GST_VIDEO_FLAG_PREMULTIPLIED_ALPHA;
  if (!gst_video_frame_map(&pixels, &info, placement->pixels, GST_MAP_READ))
    return FALSE;
  if (gst_vitgate_format_has_windows(frame->info.finfo))
    window(&part, placement, &x, &y);
  blended = gst_video_blend(&part, &pixels, x, y, 1.0f);
  gst_video_frame_unmap(&pixels);
  return blended;
}
