#include "page/pictures/jfif-colours.h"

#define BITS 16 /* of a coefficient's fraction */

/* Coefficients of Y, Cb and Cr, times 2^BITS. Y has no part in the new Cb and Cr, since gray stays
 * gray. */
typedef struct {
  int y_offset;
  int y[3], cb[2], cr[2];
} Colours;

static int fixed(double value)
{
  const double scaled = value * (1 << BITS);
  return (int)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

/* BT.601: Y = 0.299 R + 0.587 G + 0.114 B; Cb = (B - Y) / 1.772; Cr = (R - Y) / 1.402. */
static Colours make_colours(const GstVideoInfo *info)
{
  double kr = 0.299, kb = 0.114;
  int offsets[GST_VIDEO_MAX_COMPONENTS], scales[GST_VIDEO_MAX_COMPONENTS];
  gst_video_color_matrix_get_Kr_Kb(info->colorimetry.matrix, &kr, &kb);
  gst_video_color_range_offsets(info->colorimetry.range, info->finfo, offsets, scales);

  const double blue = 2 * (1 - kb), red = 2 * (1 - kr), kg = 1 - kr - kb;
  const double y_of_cb = 0.114 * blue - 0.587 * kb * blue / kg;
  const double y_of_cr = 0.299 * red - 0.587 * kr * red / kg;
  const double y_scale = 255.0 / scales[0], c_scale = 255.0 / scales[1];
  return (Colours){
    .y_offset = offsets[0],
    .y = { fixed(y_scale), fixed(y_of_cb * c_scale), fixed(y_of_cr * c_scale) },
    .cb = { fixed((blue - y_of_cb) / 1.772 * c_scale), fixed(-y_of_cr / 1.772 * c_scale) },
    .cr = { fixed(-y_of_cb / 1.402 * c_scale), fixed((red - y_of_cr) / 1.402 * c_scale) },
  };
}

static guint8 to_byte(int value)
{
  const int rounded = (value + (1 << (BITS - 1))) >> BITS;
  return (guint8)CLAMP(rounded, 0, 255);
}

static gboolean changes_nothing(const Colours *colours)
{
  const int one = 1 << BITS;
  return colours->y[0] == one && colours->cb[0] == one && colours->cr[1] == one &&
         colours->y_offset == 0;
}

/* @top, @bottom: two lines of Y */
static void change_lines(const Colours *colours, guint8 *top, guint8 *bottom, guint8 *blue,
                         guint8 *red, gsize n)
{
  for (gsize i = 0; i < n; i++) {
    const int cb = blue[i] - 128, cr = red[i] - 128;
    const int more = colours->y[1] * cb + colours->y[2] * cr - colours->y[0] * colours->y_offset;
    for (gsize j = 2 * i; j < 2 * i + 2; j++) {
      top[j] = to_byte(colours->y[0] * top[j] + more);
      bottom[j] = to_byte(colours->y[0] * bottom[j] + more);
    }
    blue[i] = to_byte(colours->cb[0] * cb + colours->cb[1] * cr + (128 << BITS));
    red[i] = to_byte(colours->cr[0] * cb + colours->cr[1] * cr + (128 << BITS));
  }
}

void jfif_colours_apply(GstVideoFrame *frame)
{
  const Colours colours = make_colours(&frame->info);
  guint8 *planes[3];
  gsize strides[3];
  if (changes_nothing(&colours))
    return;
  for (guint i = 0; i < 3; i++) {
    planes[i] = GST_VIDEO_FRAME_COMP_DATA(frame, i);
    strides[i] = (gsize)GST_VIDEO_FRAME_COMP_STRIDE(frame, i);
  }
  const gsize n_rows = (gsize)GST_VIDEO_FRAME_COMP_HEIGHT(frame, 1);
  const gsize n_columns = (gsize)GST_VIDEO_FRAME_COMP_WIDTH(frame, 1);
  for (gsize row = 0; row < n_rows; row++)
    change_lines(&colours, planes[0] + 2 * row * strides[0], planes[0] + (2 * row + 1) * strides[0],
                 planes[1] + row * strides[1], planes[2] + row * strides[2], n_columns);
}
