/* frame.c: describes a video frame to the engine. */
#include "common/frame.h"

#include <string.h>

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

/* The site is read from the caps because GstVideoInfo drops it if the caps have no colorimetry. */
static VitgateChromaSite chroma_site(const GstVideoInfo *info, const GstCaps *caps)
{
  const char *name = gst_structure_get_string(gst_caps_get_structure(caps, 0), "chroma-site");
  const GstVideoChromaSite site =
      name ? gst_video_chroma_site_from_string(name) : info->chroma_site;

  if (site == GST_VIDEO_CHROMA_SITE_UNKNOWN)
    return VITGATE_CHROMA_LEFT; /* the default of H.264 and H.265 */
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

/* Checks metadata from other elements that gst_video_frame_map() would treat as a programming
 * error.
 * Returns: what is wrong, a static string, or NULL. */
static const char *check_metas(const GstVitgateFrameLayout *layout, GstBuffer *buffer)
{
  const GstVideoMeta *video = gst_buffer_get_video_meta(buffer);
  const GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(buffer);
  guint width = layout->info.width, height = layout->info.height;

  if (video) {
    if (video->format != GST_VIDEO_INFO_FORMAT(&layout->info))
      return "the format in its video meta differs from the caps";
    if (video->n_planes != GST_VIDEO_INFO_N_PLANES(&layout->info))
      return "its video meta has the wrong number of planes";
    if (video->width < width || video->height < height)
      return "the frame size in its video meta is smaller than in the caps";
    if (video->width > GST_VITGATE_MAX_SIZE || video->height > GST_VITGATE_MAX_SIZE)
      return "the frame size in its video meta is above " G_STRINGIFY(GST_VITGATE_MAX_SIZE);
    width = video->width;
    height = video->height;
  }
  if (crop && (crop->width < 1 || crop->height < 1 || crop->x >= width || crop->y >= height ||
               crop->width > width - crop->x || crop->height > height - crop->y))
    return "the rectangle of its crop meta lies outside the frame";
  return NULL;
}

/* Returns: the bytes that a row of @width pixels takes in @plane. */
static gsize row_bytes(const GstVideoFormatInfo *format, guint plane, guint width)
{
  gsize bytes = 0;

  for (guint c = 0; c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format); c++) {
    if (GST_VIDEO_FORMAT_INFO_PLANE(format, c) != plane)
      continue;
    const gsize step = GST_VIDEO_FORMAT_INFO_PSTRIDE(format, c);
    const gsize samples = GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(format, c, width);
    bytes = MAX(bytes, samples * step);
  }
  return bytes;
}

static gpointer default_map(gpointer unused)
{
  GstBuffer *buffer = gst_buffer_new();
  const GstVideoMeta *meta =
      gst_buffer_add_video_meta(buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8, 1, 1);
  gpointer map = (gpointer)meta->map;

  gst_buffer_unref(buffer);
  return map;
}

/* Returns: the bytes from @data to the end of the mapping of plane @p; 0 if @data lies outside it.
 * Hardware decoders map planes with functions of their own, which do not report a size; these are
 * trusted. */
static gsize bytes_left(const GstVideoFrame *video, guint p, const guint8 *data)
{
  static GOnce once = G_ONCE_INIT;
  const GstVideoMeta *meta = video->meta;
  /* With GstVideoMeta each plane has its own mapping; without it they share one. */
  const GstMapInfo *map = meta ? &video->map[p] : &video->map[0];

  if (meta && (gpointer)meta->map != g_once(&once, default_map, NULL))
    return G_MAXSIZE;
  if (data < map->data || data > map->data + map->size)
    return 0;
  return map->data + map->size - data;
}

/* Points plane @p of the image to the pixel at @x, @y.
 * Returns: FALSE if the plane does not lie within the mapping. */
static gboolean set_plane(GstVitgateFrame *frame, guint p, guint x, guint y)
{
  const GstVideoFrame *video = &frame->frame;
  const GstVideoFormatInfo *format = video->info.finfo;
  VitgateImage *image = &frame->image;
  const guint8 *data = GST_VIDEO_FRAME_PLANE_DATA(video, p);
  const gint stride = GST_VIDEO_FRAME_PLANE_STRIDE(video, p);
  const gsize row = row_bytes(format, p, image->width);
  guint c = 0;

  while (GST_VIDEO_FORMAT_INFO_PLANE(format, c) != p)
    c++;
  if (!data || stride <= 0 || (gsize)stride < row)
    return FALSE;
  const gsize rows = GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(format, c, image->height);
  const gsize column = x >> GST_VIDEO_FORMAT_INFO_W_SUB(format, c);
  const gsize first = (gsize)(y >> GST_VIDEO_FORMAT_INFO_H_SUB(format, c)) * stride +
                      column * GST_VIDEO_FORMAT_INFO_PSTRIDE(format, c);
  if (first + (rows - 1) * stride + row > bytes_left(video, p, data))
    return FALSE;
  image->planes[p] = data + first;
  image->strides[p] = stride;
  return TRUE;
}

/* Sets all planes, checked against the memory: GStreamer does not check that the last plane ends
 * within it. */
static gboolean set_planes(GstVitgateFrame *frame, GstBuffer *buffer)
{
  const GstVideoFormatInfo *format = frame->frame.info.finfo;
  const GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(buffer);
  guint x = 0, y = 0, w_sub = 0, h_sub = 0;

  if (crop) {
    for (guint c = 0; c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format); c++) {
      w_sub = MAX(w_sub, GST_VIDEO_FORMAT_INFO_W_SUB(format, c));
      h_sub = MAX(h_sub, GST_VIDEO_FORMAT_INFO_H_SUB(format, c));
    }
    x = crop->x >> w_sub << w_sub;
    y = crop->y >> h_sub << h_sub;
    frame->image.width = crop->width;
    frame->image.height = crop->height;
  }
  for (guint p = 0; p < GST_VIDEO_FORMAT_INFO_N_PLANES(format); p++)
    if (!set_plane(frame, p, x, y))
      return FALSE;
  return TRUE;
}

gboolean gst_vitgate_frame_map(GstVitgateFrame *frame, const GstVitgateFrameLayout *layout,
                               GstBuffer *buffer, const char **reason)
{
  *reason = check_metas(layout, buffer);
  if (*reason)
    return FALSE;
  /* Map functions of hardware decoders do not write all of it, but unmapping reads it. */
  memset(frame->frame.map, 0, sizeof frame->frame.map);
  if (!gst_video_frame_map(&frame->frame, &layout->info, buffer, GST_MAP_READ)) {
    *reason = "it holds fewer bytes than its caps require, or they cannot be read";
    return FALSE;
  }
  frame->image = layout->image;
  if (!set_planes(frame, buffer)) {
    *reason = "its strides or offsets reach beyond its memory";
    gst_video_frame_unmap(&frame->frame);
    return FALSE;
  }
  return TRUE;
}

void gst_vitgate_frame_unmap(GstVitgateFrame *frame)
{
  gst_video_frame_unmap(&frame->frame);
}

void gst_vitgate_frame_get_size(const GstVitgateFrameLayout *layout, GstBuffer *buffer,
                                guint *width, guint *height)
{
  const GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(buffer);

  *width = crop ? MIN(layout->image.width, crop->width) : layout->image.width;
  *height = crop ? MIN(layout->image.height, crop->height) : layout->image.height;
}
