#include "page/teach/still.h"

#include <string.h>

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <gio/gio.h>

#define QUALITY  "85"
#define MAX_SIDE 8192 /* pixels: a larger picture is scaled while it is read */

static gboolean fail(GError **error, const char *path, const GError *reason)
{
  g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "cannot read %s: %s", path,
              reason ? reason->message : "no memory");
  return FALSE;
}

/* @width, @height: maximum
 * Returns: (transfer full) (nullable) */
static GdkPixbuf *load(const char *path, gint width, gint height, GError **error)
{
  g_autoptr(GError) reason = NULL;
  gint own_width = 0, own_height = 0;
  gdk_pixbuf_get_file_info(path, &own_width, &own_height);
  /* Smaller pictures are not enlarged. */
  g_autoptr(GdkPixbuf) stored =
      own_width <= width && own_height <= height
          ? gdk_pixbuf_new_from_file(path, &reason)
          : gdk_pixbuf_new_from_file_at_scale(path, width, height, TRUE, &reason);
  GdkPixbuf *pixels = stored ? gdk_pixbuf_apply_embedded_orientation(stored) : NULL;
  if (!pixels)
    fail(error, path, reason);
  return pixels;
}

GstSample *still_load(const char *path, GError **error)
{
  g_autoptr(GdkPixbuf) pixels = load(path, MAX_SIDE, MAX_SIDE, error);
  if (!pixels)
    return NULL;
  const guint width = (guint)gdk_pixbuf_get_width(pixels);
  const guint height = (guint)gdk_pixbuf_get_height(pixels);
  gsize offsets[GST_VIDEO_MAX_PLANES] = { 0 };
  gint strides[GST_VIDEO_MAX_PLANES] = { gdk_pixbuf_get_rowstride(pixels) };
  const gboolean alpha = gdk_pixbuf_get_has_alpha(pixels);
  const GstVideoFormat format = alpha ? GST_VIDEO_FORMAT_RGBA : GST_VIDEO_FORMAT_RGB;
  const gsize size = gdk_pixbuf_get_byte_length(pixels);
  GstBuffer *buffer =
      gst_buffer_new_wrapped_full(GST_MEMORY_FLAG_READONLY, gdk_pixbuf_get_pixels(pixels), size, 0,
                                  size, g_object_ref(pixels), g_object_unref);
  gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, format, width, height, 1,
                                 offsets, strides);
  g_autoptr(GstCaps) caps = gst_caps_new_simple(
      "video/x-raw", "format", G_TYPE_STRING, alpha ? "RGBA" : "RGB", "width", G_TYPE_INT, width,
      "height", G_TYPE_INT, height, "framerate", GST_TYPE_FRACTION, 0, 1, "pixel-aspect-ratio",
      GST_TYPE_FRACTION, 1, 1, NULL);
  GstSample *sample = gst_sample_new(buffer, caps, NULL, NULL);
  gst_buffer_unref(buffer);
  return sample;
}

GBytes *still_load_jpeg(const char *path, guint width, GError **error)
{
  g_autoptr(GdkPixbuf) pixels =
      load(path, width ? (gint)MIN(width, MAX_SIDE) : MAX_SIDE, MAX_SIDE, error);
  g_autoptr(GError) reason = NULL;
  char *data = NULL;
  gsize size;
  if (!pixels)
    return NULL;
  if (gdk_pixbuf_save_to_buffer(pixels, &data, &size, "jpeg", &reason, "quality", QUALITY, NULL))
    return g_bytes_new_take(data, size);
  fail(error, path, reason);
  return NULL;
}
