/* blend.c: lays pixels over a part of a frame, whatever its format. */
#include "overlay/blend.h"

#include <gst/video/video-blend.h>

/* No format's components are shared by more than 4 columns or rows. */
#define ALIGN_DOWN(value) ((value) & ~3)

/* Whether a part of a frame of @format is found by adding to pointers. */
static gboolean has_windows(const GstVideoFormatInfo *format)
{
  if (GST_VIDEO_FORMAT_INFO_IS_TILED(format) || GST_VIDEO_FORMAT_INFO_HAS_PALETTE(format))
    return FALSE;
  for (guint i = 0; i < GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format); i++)
    if (GST_VIDEO_FORMAT_INFO_PSTRIDE(format, i) <= 0)
      return FALSE;
  return TRUE;
}

/* Moves *@frame to the part of it that reaches from *@x, *@y over @placement, as far as the frame
 * goes, and *@x, *@y to their place in that. gst_video_blend() converts whole rows of what it is
 * given, there and back: of a wide frame, each time, for a narrow piece. */
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
  if (has_windows(frame->info.finfo))
    window(&part, placement, &x, &y);
  blended = gst_video_blend(&part, &pixels, x, y, 1.0f);
  gst_video_frame_unmap(&pixels);
  return blended;
}
