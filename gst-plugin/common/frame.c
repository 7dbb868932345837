/* frame.c: describes a video frame to the engine. */
#include "common/frame.h"

/* Unlabelled Y'CbCr with more rows counts as high definition, as in GStreamer. */
#define SD_MAX_HEIGHT 576

static gboolean pixel_format(GstVideoFormat format, VitgatePixelFormat *pixels)
{
  static const struct {
    GstVideoFormat format;
    VitgatePixelFormat pixels;
  } table[] = {
    { GST_VIDEO_FORMAT_NV12, VITGATE_PIXELS_NV12 },
    { GST_VIDEO_FORMAT_NV21, VITGATE_PIXELS_NV21 },
    { GST_VIDEO_FORMAT_I420, VITGATE_PIXELS_I420 },
    { GST_VIDEO_FORMAT_YV12, VITGATE_PIXELS_YV12 },
    { GST_VIDEO_FORMAT_YUY2, VITGATE_PIXELS_YUY2 },
    { GST_VIDEO_FORMAT_UYVY, VITGATE_PIXELS_UYVY },
    { GST_VIDEO_FORMAT_RGB, VITGATE_PIXELS_RGB },
    { GST_VIDEO_FORMAT_BGR, VITGATE_PIXELS_BGR },
    { GST_VIDEO_FORMAT_RGBx, VITGATE_PIXELS_RGBX },
    { GST_VIDEO_FORMAT_RGBA, VITGATE_PIXELS_RGBX },
    { GST_VIDEO_FORMAT_BGRx, VITGATE_PIXELS_BGRX },
    { GST_VIDEO_FORMAT_BGRA, VITGATE_PIXELS_BGRX },
    { GST_VIDEO_FORMAT_xRGB, VITGATE_PIXELS_XRGB },
    { GST_VIDEO_FORMAT_ARGB, VITGATE_PIXELS_XRGB },
    { GST_VIDEO_FORMAT_xBGR, VITGATE_PIXELS_XBGR },
    { GST_VIDEO_FORMAT_ABGR, VITGATE_PIXELS_XBGR },
    { GST_VIDEO_FORMAT_GRAY8, VITGATE_PIXELS_GRAY8 },
    { GST_VIDEO_FORMAT_Y42B, VITGATE_PIXELS_Y42B },
    { GST_VIDEO_FORMAT_Y444, VITGATE_PIXELS_Y444 },
    { GST_VIDEO_FORMAT_P010_10LE, VITGATE_PIXELS_P010_10LE },
    { GST_VIDEO_FORMAT_I420_10LE, VITGATE_PIXELS_I420_10LE },
    { GST_VIDEO_FORMAT_I422_10LE, VITGATE_PIXELS_I422_10LE },
    { GST_VIDEO_FORMAT_Y444_10LE, VITGATE_PIXELS_Y444_10LE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    if (table[i].format == format) {
      *pixels = table[i].pixels;
      return TRUE;
    }
  }
  return FALSE;
}

/* Each field that the caps leave open gets its own default, by format and height. GstVideoInfo
 * would replace all fields if it does not understand one of them.
 * Returns: the caps' colorimetry; fields may be unknown, or no values of their types. */
static GstVideoColorimetry read_colorimetry(const GstCaps *caps)
{
  const char *name = gst_structure_get_string(gst_caps_get_structure(caps, 0), "colorimetry");
  GstVideoColorimetry colorimetry = { 0 };

  if (name && !gst_video_colorimetry_from_string(&colorimetry, name))
    colorimetry = (GstVideoColorimetry){ 0 };
  return colorimetry;
}

static VitgateColorMatrix color_matrix(GstVideoColorMatrix matrix, gint height)
{
  switch (matrix) {
  case GST_VIDEO_COLOR_MATRIX_BT601:
  case GST_VIDEO_COLOR_MATRIX_FCC: /* differs from BT.601 by less than 0.3 % of full scale */
    return VITGATE_MATRIX_BT601;
  case GST_VIDEO_COLOR_MATRIX_BT709:
  case GST_VIDEO_COLOR_MATRIX_SMPTE240M: /* BT.709 is the nearest of the engine's */
    return VITGATE_MATRIX_BT709;
  case GST_VIDEO_COLOR_MATRIX_BT2020:
    return VITGATE_MATRIX_BT2020;
  default:
    return height > SD_MAX_HEIGHT ? VITGATE_MATRIX_BT709 : VITGATE_MATRIX_BT601;
  }
}

static gboolean is_full_range(GstVideoColorRange range, const GstVideoFormatInfo *format)
{
  switch (range) {
  case GST_VIDEO_COLOR_RANGE_0_255:
    return TRUE;
  case GST_VIDEO_COLOR_RANGE_16_235:
    return FALSE;
  default:
    return !GST_VIDEO_FORMAT_INFO_IS_YUV(format); /* as in GStreamer: gray is full too */
  }
}

/* The site is read from the caps because GstVideoInfo drops it if the caps have no colorimetry. The
 * default is that of GStreamer 1.22 for frames without either. */
static VitgateChromaSite chroma_site(const GstVideoInfo *info, const GstCaps *caps)
{
  const char *name = gst_structure_get_string(gst_caps_get_structure(caps, 0), "chroma-site");
  const GstVideoChromaSite site =
      name ? gst_video_chroma_site_from_string(name) : GST_VIDEO_CHROMA_SITE_UNKNOWN;

  if (site == GST_VIDEO_CHROMA_SITE_UNKNOWN)
    return info->height > SD_MAX_HEIGHT ? VITGATE_CHROMA_LEFT : VITGATE_CHROMA_CENTER;
  if (!(site & GST_VIDEO_CHROMA_SITE_H_COSITED))
    return VITGATE_CHROMA_CENTER;
  return site & GST_VIDEO_CHROMA_SITE_V_COSITED ? VITGATE_CHROMA_TOP_LEFT : VITGATE_CHROMA_LEFT;
}

/* Sets the shape of a pixel; caps may say that it is unknown (0/1).
 * Returns: FALSE if the picture would be longer than the engine's longest row. */
static gboolean set_pixel_shape(VitgateImage *image, const GstVideoInfo *info)
{
  const guint64 width = (guint64)info->width * MAX(info->par_n, 0);
  const guint64 height = (guint64)info->height * MAX(info->par_d, 0);

  if (width == 0 || height == 0)
    return TRUE;
  image->pixel_width = info->par_n;
  image->pixel_height = info->par_d;
  return width <= height * GST_VITGATE_MAX_SIZE && height <= width * GST_VITGATE_MAX_SIZE;
}

gboolean gst_vitgate_frame_is_empty(GstBuffer *buffer)
{
  return GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP) || gst_buffer_get_size(buffer) == 0;
}

gboolean gst_vitgate_frame_layout_init(GstVitgateFrameLayout *layout, const GstCaps *caps)
{
  const GstVideoInfo *info = &layout->info;
  GstVideoColorimetry colorimetry;
  VitgatePixelFormat format;
  gboolean full_range;

  if (!gst_video_info_from_caps(&layout->info, caps))
    return FALSE;
  if (!pixel_format(GST_VIDEO_INFO_FORMAT(info), &format))
    return FALSE;
  if (info->width < 1 || info->height < 1 || info->width > GST_VITGATE_MAX_SIZE ||
      info->height > GST_VITGATE_MAX_SIZE)
    return FALSE;

  colorimetry = read_colorimetry(caps);
  full_range = is_full_range(colorimetry.range, info->finfo);
  layout->image = (VitgateImage){
    .format = format,
    .matrix = color_matrix(colorimetry.matrix, info->height),
    .chroma_site = chroma_site(info, caps),
    .full_range = full_range,
    .limited_rgb = GST_VIDEO_FORMAT_INFO_IS_RGB(info->finfo) && !full_range,
    .width = info->width,
    .height = info->height,
  };
  return set_pixel_shape(&layout->image, info);
}

const char *gst_vitgate_frame_link_hint(const GstCaps *caps, const GstCaps *accepted)
{
  const GstStructure *s = gst_caps_get_structure(caps, 0);
  const GstCapsFeatures *features = gst_caps_get_features(caps, 0);
  gint width, height;

  if (gst_caps_can_intersect(caps, accepted))
    return NULL;
  if (!gst_structure_has_name(s, "video/x-raw"))
    return "put a decoder before it, such as decodebin";
  if (!gst_caps_features_contains(features, GST_CAPS_FEATURE_MEMORY_SYSTEM_MEMORY))
    return "put an element before it that downloads frames to system memory, such as gldownload";
  if (gst_structure_get_int(s, "width", &width) && gst_structure_get_int(s, "height", &height) &&
      MAX(width, height) > GST_VITGATE_MAX_SIZE)
    return "put videoscale before it: frames are larger than " G_STRINGIFY(GST_VITGATE_MAX_SIZE);
  return "put videoconvert before it";
}

gboolean gst_vitgate_frame_map(GstVitgateFrame *frame, const GstVitgateFrameLayout *layout,
                               GstBuffer *buffer, const char **reason)
{
  const GstVideoFrame *video = &frame->visible.frame;

  /* All formats of the engine have windows. */
  if (!gst_vitgate_visible_map(&frame->visible, &layout->info, buffer, GST_MAP_READ, reason))
    return FALSE;
  frame->image = layout->image;
  frame->x = frame->y = 0;
  frame->image.width = GST_VIDEO_FRAME_WIDTH(video);
  frame->image.height = GST_VIDEO_FRAME_HEIGHT(video);
  for (guint p = 0; p < GST_VIDEO_FRAME_N_PLANES(video); p++) {
    frame->image.planes[p] = GST_VIDEO_FRAME_PLANE_DATA(video, p);
    frame->image.strides[p] = GST_VIDEO_FRAME_PLANE_STRIDE(video, p);
  }
  return TRUE;
}

/* Returns: the first component in plane @p. */
static guint component_of_plane(const GstVideoFormatInfo *format, guint p)
{
  guint c = 0;

  while (GST_VIDEO_FORMAT_INFO_PLANE(format, c) != p)
    c++;
  return c;
}

/* Returns: whether luma samples lie between the chroma samples that they share. */
static gboolean is_interleaved(const GstVideoFormatInfo *format)
{
  return GST_VIDEO_FORMAT_INFO_N_PLANES(format) == 1 &&
         GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format) > 1 &&
         GST_VIDEO_FORMAT_INFO_W_SUB(format, 1) > 0;
}

void gst_vitgate_frame_narrow(GstVitgateFrame *frame, const VitgateRectangle *part)
{
  const GstVideoFormatInfo *format = frame->visible.frame.info.finfo;
  VitgateImage *image = &frame->image;
  const guint before = is_interleaved(format) ? part->x & 1 : 0;
  const guint x = part->x - before;

  for (guint p = 0; p < GST_VIDEO_FORMAT_INFO_N_PLANES(format); p++) {
    const guint c = component_of_plane(format, p);
    const gsize column = x >> GST_VIDEO_FORMAT_INFO_W_SUB(format, c);
    const gsize row = part->y >> GST_VIDEO_FORMAT_INFO_H_SUB(format, c);

    image->planes[p] += row * image->strides[p] + column * GST_VIDEO_FORMAT_INFO_PSTRIDE(format, c);
  }
  image->width = part->width + before;
  image->height = part->height;
  frame->x += x;
  frame->y += part->y;
}

void gst_vitgate_frame_unmap(GstVitgateFrame *frame)
{
  gst_vitgate_visible_unmap(&frame->visible);
}

void gst_vitgate_frame_get_size(const GstVitgateFrameLayout *layout, GstBuffer *buffer,
                                guint *width, guint *height)
{
  const GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(buffer);

  *width = crop ? MIN(layout->image.width, crop->width) : layout->image.width;
  *height = crop ? MIN(layout->image.height, crop->height) : layout->image.height;
}
