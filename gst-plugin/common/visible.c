/* visible.c: maps the visible part of a video frame. */
#include "common/visible.h"

#include <string.h>

typedef struct {
  guint x, y, width, height;
} Area;

gboolean gst_vitgate_format_has_windows(const GstVideoFormatInfo *format)
{
  if (GST_VIDEO_FORMAT_INFO_IS_TILED(format) || GST_VIDEO_FORMAT_INFO_HAS_PALETTE(format))
    return FALSE;
  for (guint c = 0; c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format); c++)
    if (GST_VIDEO_FORMAT_INFO_PSTRIDE(format, c) <= 0)
      return FALSE;
  return TRUE;
}

/* ---- Metadata ------------------------------------------------------------------------------ */

/* Checks metadata that gst_video_frame_map() would treat as a programming error.
 * Returns: what is wrong, a static string, or NULL. */
static const char *check_metas(const GstVideoInfo *info, GstBuffer *buffer)
{
  const GstVideoMeta *video = gst_buffer_get_video_meta(buffer);
  const GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(buffer);
  guint width = info->width, height = info->height;

  if (video) {
    if (video->format != GST_VIDEO_INFO_FORMAT(info))
      return "the format in its video meta differs from the caps";
    if (video->n_planes != GST_VIDEO_INFO_N_PLANES(info))
      return "its video meta has the wrong number of planes";
    if (video->width < width || video->height < height)
      return "the frame size in its video meta is smaller than in the caps";
    if (video->width > MAX(width, GST_VITGATE_MAX_SIZE) ||
        video->height > MAX(height, GST_VITGATE_MAX_SIZE))
      return "the frame size in its video meta is above " G_STRINGIFY(GST_VITGATE_MAX_SIZE);
    width = video->width;
    height = video->height;
  }
  if (crop && (crop->width < 1 || crop->height < 1 || crop->x >= width || crop->y >= height ||
               crop->width > width - crop->x || crop->height > height - crop->y))
    return "the rectangle of its crop meta lies outside the frame";
  return NULL;
}

static Area visible_area(const GstVideoInfo *info, GstBuffer *buffer)
{
  const GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(buffer);

  if (crop)
    return (Area){ crop->x, crop->y, crop->width, crop->height };
  return (Area){ 0, 0, info->width, info->height };
}

/* ---- Memory -------------------------------------------------------------------------------- */

static gpointer default_map(gpointer unused)
{
  GstBuffer *buffer = gst_buffer_new();
  const GstVideoMeta *meta =
      gst_buffer_add_video_meta(buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8, 1, 1);
  gpointer map = (gpointer)meta->map;

  gst_buffer_unref(buffer);
  return map;
}

/* Returns: the bytes from the start of plane @p to the end of its mapping; 0 if the start lies
 * outside it. Hardware decoders map planes with functions of their own, which do not report a size;
 * these are trusted. */
static gsize bytes_of_plane(const GstVideoFrame *frame, guint p)
{
  static GOnce once = G_ONCE_INIT;
  const GstVideoMeta *meta = frame->meta;
  const guint8 *data = GST_VIDEO_FRAME_PLANE_DATA(frame, p);
  /* With GstVideoMeta each plane has its own mapping; without it they share one. */
  const GstMapInfo *map = meta ? &frame->map[p] : &frame->map[0];

  if (!data)
    return 0;
  if (meta && (gpointer)meta->map != g_once(&once, default_map, NULL))
    return G_MAXSIZE;
  if (data < map->data || data > map->data + map->size)
    return 0;
  return map->data + map->size - data;
}

/* ---- Formats with windows ------------------------------------------------------------------ */

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

/* Makes plane @p begin with the first pixel of @area.
 * Returns: FALSE if the area's pixels do not lie within the mapping. */
static gboolean narrow_plane(GstVideoFrame *frame, guint p, const Area *area)
{
  const GstVideoFormatInfo *format = frame->info.finfo;
  const gint stride = GST_VIDEO_FRAME_PLANE_STRIDE(frame, p);
  const gsize row = row_bytes(format, p, area->width);
  guint c = 0;

  while (GST_VIDEO_FORMAT_INFO_PLANE(format, c) != p)
    c++;
  if (stride <= 0 || (gsize)stride < row)
    return FALSE;
  const gsize rows = GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(format, c, area->height);
  const gsize column = area->x >> GST_VIDEO_FORMAT_INFO_W_SUB(format, c);
  const gsize first = (gsize)(area->y >> GST_VIDEO_FORMAT_INFO_H_SUB(format, c)) * stride +
                      column * GST_VIDEO_FORMAT_INFO_PSTRIDE(format, c);
  if (first + (rows - 1) * stride + row > bytes_of_plane(frame, p))
    return FALSE;
  frame->data[p] = (guint8 *)frame->data[p] + first;
  return TRUE;
}

static gboolean narrow(GstVideoFrame *frame, Area area)
{
  const GstVideoFormatInfo *format = frame->info.finfo;
  guint w_sub = 0, h_sub = 0;

  for (guint c = 0; c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format); c++) {
    w_sub = MAX(w_sub, GST_VIDEO_FORMAT_INFO_W_SUB(format, c));
    h_sub = MAX(h_sub, GST_VIDEO_FORMAT_INFO_H_SUB(format, c));
  }
  area.x = area.x >> w_sub << w_sub;
  area.y = area.y >> h_sub << h_sub;
  for (guint p = 0; p < GST_VIDEO_FORMAT_INFO_N_PLANES(format); p++)
    if (!narrow_plane(frame, p, &area))
      return FALSE;
  frame->info.width = area.width;
  frame->info.height = area.height;
  return TRUE;
}

/* ---- Formats without windows --------------------------------------------------------------- */

/* Returns: the number of pixels that a format stores together. GStreamer reads and writes whole
 * groups, even where the last one of a row reaches beyond the row. */
static gint group_of(GstVideoFormat format)
{
  switch (format) {
  case GST_VIDEO_FORMAT_UYVP:
    return 2;
  case GST_VIDEO_FORMAT_GRAY10_LE32:
    return 3;
  case GST_VIDEO_FORMAT_IYU1:
  case GST_VIDEO_FORMAT_NV12_10LE40:
    return 4;
  case GST_VIDEO_FORMAT_NV12_10LE32:
  case GST_VIDEO_FORMAT_NV16_10LE32:
    return 6;
  default:
    return 12; /* a multiple of all others */
  }
}

/* Returns: the bytes that a plane of tiles takes. The stride holds the numbers of tiles. */
static gsize tiled_bytes(const GstVideoInfo *tight, guint p, gsize bytes, gint stride)
{
  const gsize x = GST_VIDEO_TILE_X_TILES(stride), y = GST_VIDEO_TILE_Y_TILES(stride);
  const gsize least_x = GST_VIDEO_TILE_X_TILES(tight->stride[p]);
  const gsize least_y = GST_VIDEO_TILE_Y_TILES(tight->stride[p]);

  /* GStreamer's own layout has eight bits for each sample of this format, but it reads ten. */
  if (GST_VIDEO_INFO_FORMAT(tight) == GST_VIDEO_FORMAT_NV12_10BE_8L128)
    bytes = bytes / 8 * 10;
  return stride < 0 || x < least_x || y < least_y ? G_MAXSIZE : bytes / (least_x * least_y) * x * y;
}

/* @tight: GStreamer's own layout of the frame
 * @wide: the same, with whole groups of pixels
 * Returns: the bytes of plane @p with @stride; G_MAXSIZE if the stride is too short. */
static gsize plane_bytes(const GstVideoInfo *tight, const GstVideoInfo *wide, guint p, gint stride)
{
  const gsize end = p + 1 < GST_VIDEO_INFO_N_PLANES(tight) ? tight->offset[p + 1] : tight->size;
  const gsize bytes = end - tight->offset[p], least = tight->stride[p];

  if (GST_VIDEO_FORMAT_INFO_HAS_PALETTE(tight->finfo) && p == GST_VIDEO_COMP_PALETTE)
    return bytes;
  if (GST_VIDEO_FORMAT_INFO_IS_TILED(tight->finfo))
    return tiled_bytes(tight, p, bytes, stride);
  if (stride < 0 || (gsize)stride < least)
    return G_MAXSIZE;
  return (bytes / least - 1) * stride + MAX((gsize)wide->stride[p], least);
}

/* Returns: whether the first @height rows lie within the mapping. */
static gboolean rows_fit(const GstVideoFrame *frame, gint height)
{
  const GstVideoFormat format = GST_VIDEO_FRAME_FORMAT(frame);
  const gint width = GST_VIDEO_FRAME_WIDTH(frame), group = group_of(format);
  GstVideoInfo tight, wide;

  if (!gst_video_info_set_format(&tight, format, width, height) ||
      !gst_video_info_set_format(&wide, format, (width + group - 1) / group * group, height))
    return FALSE;
  for (guint p = 0; p < GST_VIDEO_INFO_N_PLANES(&tight); p++) {
    const gsize available = bytes_of_plane(frame, p);
    if (available < G_MAXSIZE &&
        plane_bytes(&tight, &wide, p, GST_VIDEO_FRAME_PLANE_STRIDE(frame, p)) > available)
      return FALSE;
  }
  return TRUE;
}

/* If the last group of the last row does not fit, the last rows are left out: two, since chroma may
 * have half the rows. */
static gboolean check_planes(GstVideoFrame *frame)
{
  const gint height = GST_VIDEO_FRAME_HEIGHT(frame);

  if (rows_fit(frame, height))
    return TRUE;
  if (height <= 2 || !rows_fit(frame, height - 2))
    return FALSE;
  frame->info.height = height - 2;
  return TRUE;
}

/* ---- Alignment ----------------------------------------------------------------------------- */

/* Returns: FALSE if GStreamer's functions for pixels, which may use vectors, cannot address those
 * of @frame: a sample or pixel of 2, 4 or 8 bytes must lie at a multiple of its size. */
static gboolean is_aligned(const GstVideoFrame *frame)
{
  const GstVideoFormatInfo *format = frame->info.finfo;

  for (guint c = 0; c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format); c++) {
    const guint step = MAX(GST_VIDEO_FORMAT_INFO_PSTRIDE(format, c), 1);
    const guint p = GST_VIDEO_FORMAT_INFO_PLANE(format, c), size = step & -step;
    if (((gsize)GST_VIDEO_FRAME_PLANE_DATA(frame, p) |
         (gsize)GST_VIDEO_FRAME_PLANE_STRIDE(frame, p)) %
        size)
      return FALSE;
  }
  return TRUE;
}

/* ---- Mapping ------------------------------------------------------------------------------- */

gboolean gst_vitgate_visible_map(GstVitgateVisible *visible, const GstVideoInfo *info,
                                 GstBuffer *buffer, GstMapFlags flags, const char **reason)
{
  const gboolean windows = gst_vitgate_format_has_windows(info->finfo);
  GstVideoFrame *frame = &visible->frame;
  gboolean fits;
  Area area;

  *reason = check_metas(info, buffer);
  if (*reason)
    return FALSE;
  /* Map functions of hardware decoders do not write all of it, but unmapping reads it. */
  memset(frame->map, 0, sizeof frame->map);
  if (!gst_video_frame_map(frame, info, buffer, flags)) {
    *reason = "it holds fewer bytes than its caps require, or they cannot be accessed";
    return FALSE;
  }
  area = visible_area(info, buffer);
  visible->x = visible->y = 0;
  if (windows) {
    fits = narrow(frame, area);
  } else {
    visible->x = area.x;
    visible->y = area.y;
    fits = check_planes(frame);
  }
  if (!fits)
    *reason = "its strides or offsets reach beyond its memory";
  else if ((flags & GST_MAP_WRITE) && windows && !is_aligned(frame))
    *reason = "its pixels are not aligned in memory";
  if (*reason)
    gst_video_frame_unmap(frame);
  return !*reason;
}

void gst_vitgate_visible_unmap(GstVitgateVisible *visible)
{
  gst_video_frame_unmap(&visible->frame);
}
