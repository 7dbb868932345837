#include "pick/picture.h"

#include <gdk-pixbuf/gdk-pixbuf.h>

#define QUALITY "95"

/* Returns: (transfer full) (nullable): the pixels of @sample, which are in RGB */
static GdkPixbuf *copy_part(GstSample *sample, const PicturePart *part)
{
  GstVideoInfo info;
  GstVideoFrame frame;
  if (!gst_video_info_from_caps(&info, gst_sample_get_caps(sample)) ||
      !gst_video_frame_map(&frame, &info, gst_sample_get_buffer(sample), GST_MAP_READ))
    return NULL;
  const guint width = (guint)info.width, height = (guint)info.height;
  const guint x = MIN(part->x, width - 1), y = MIN(part->y, height - 1);
  const guchar *first = (const guchar *)GST_VIDEO_FRAME_PLANE_DATA(&frame, 0) +
                        (gsize)y * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0) + 3 * (gsize)x;
  g_autoptr(GdkPixbuf) pixels = gdk_pixbuf_new_from_data(
      first, GDK_COLORSPACE_RGB, FALSE, 8, (gint)MIN(part->width, width - x),
      (gint)MIN(part->height, height - y), GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0), NULL, NULL);
  GdkPixbuf *copy = gdk_pixbuf_copy(pixels);
  gst_video_frame_unmap(&frame);
  return copy;
}

/* @pixels: (transfer full)
 * Returns: (transfer full) */
static GdkPixbuf *turn(GdkPixbuf *pixels, GstVideoOrientationMethod method)
{
  static const struct {
    GdkPixbufRotation rotation; /* counter-clockwise */
    gboolean flip;              /* left and right, before it is rotated */
  } turns[] = {
    [GST_VIDEO_ORIENTATION_IDENTITY] = { GDK_PIXBUF_ROTATE_NONE, FALSE },
    [GST_VIDEO_ORIENTATION_90R] = { GDK_PIXBUF_ROTATE_CLOCKWISE, FALSE },
    [GST_VIDEO_ORIENTATION_180] = { GDK_PIXBUF_ROTATE_UPSIDEDOWN, FALSE },
    [GST_VIDEO_ORIENTATION_90L] = { GDK_PIXBUF_ROTATE_COUNTERCLOCKWISE, FALSE },
    [GST_VIDEO_ORIENTATION_HORIZ] = { GDK_PIXBUF_ROTATE_NONE, TRUE },
    [GST_VIDEO_ORIENTATION_VERT] = { GDK_PIXBUF_ROTATE_UPSIDEDOWN, TRUE },
    [GST_VIDEO_ORIENTATION_UL_LR] = { GDK_PIXBUF_ROTATE_COUNTERCLOCKWISE, TRUE },
    [GST_VIDEO_ORIENTATION_UR_LL] = { GDK_PIXBUF_ROTATE_CLOCKWISE, TRUE },
  };
  g_autoptr(GdkPixbuf) before = pixels;
  if ((guint)method >= G_N_ELEMENTS(turns))
    return g_steal_pointer(&before);
  g_autoptr(GdkPixbuf) flipped =
      turns[method].flip ? gdk_pixbuf_flip(before, TRUE) : g_object_ref(before);
  return gdk_pixbuf_rotate_simple(flipped, turns[method].rotation);
}

/* Scales @part from a frame of @from to one of @to. */
static PicturePart scale_part(const PicturePart *part, const GstVideoInfo *from,
                              const GstVideoInfo *to)
{
  return (PicturePart){
    .x = (guint)((guint64)part->x * to->width / from->width),
    .y = (guint)((guint64)part->y * to->height / from->height),
    .width = MAX((guint)((guint64)part->width * to->width / from->width), 1),
    .height = MAX((guint)((guint64)part->height * to->height / from->height), 1),
  };
}

gboolean picture_write(const char *path, GstSample *sample, const PicturePart *part,
                       GstVideoOrientationMethod method, GError **error)
{
  g_autoptr(GError) reason = NULL;
  /* Pixels are square in a JPEG file. */
  g_autoptr(GstCaps) caps = gst_caps_from_string("video/x-raw, format=RGB, pixel-aspect-ratio=1/1");
  g_autoptr(GstSample) rgb = gst_video_convert_sample(sample, caps, GST_CLOCK_TIME_NONE, &reason);
  g_autoptr(GdkPixbuf) pixels = NULL;
  g_autofree char *data = NULL;
  GstVideoInfo from, to;
  gsize size;

  if (rgb && gst_video_info_from_caps(&from, gst_sample_get_caps(sample)) &&
      gst_video_info_from_caps(&to, gst_sample_get_caps(rgb))) {
    const PicturePart scaled = scale_part(part, &from, &to);
    pixels = copy_part(rgb, &scaled);
  }
  if (pixels)
    pixels = turn(g_steal_pointer(&pixels), method);
  if (pixels &&
      gdk_pixbuf_save_to_buffer(pixels, &data, &size, "jpeg", &reason, "quality", QUALITY, NULL) &&
      g_file_set_contents(path, data, (gssize)size, &reason))
    return TRUE;
  g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "cannot write %s: %s", path,
              reason ? reason->message : "the frame cannot be read");
  return FALSE;
}
