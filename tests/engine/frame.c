#include "frame.h"

#include <math.h>

#include "fixture.h"

const FrameFormat frame_formats[VITGATE_PIXELS_N_FORMATS] = {
  [VITGATE_PIXELS_RGB] = { "RGB", { "RGB" }, 1, FALSE, 1, 1 },
  [VITGATE_PIXELS_BGR] = { "BGR", { "BGR" }, 1, FALSE, 1, 1 },
  [VITGATE_PIXELS_RGBX] = { "RGBx", { "RGBx" }, 1, FALSE, 1, 1 },
  [VITGATE_PIXELS_BGRX] = { "BGRx", { "BGRx" }, 1, FALSE, 1, 1 },
  [VITGATE_PIXELS_XRGB] = { "xRGB", { "xRGB" }, 1, FALSE, 1, 1 },
  [VITGATE_PIXELS_XBGR] = { "xBGR", { "xBGR" }, 1, FALSE, 1, 1 },
  [VITGATE_PIXELS_GRAY8] = { "GRAY8", { "Y" }, 1, TRUE, 1, 1 },
  [VITGATE_PIXELS_I420] = { "I420", { "Y", "U", "V" }, 3, TRUE, 2, 2 },
  [VITGATE_PIXELS_YV12] = { "YV12", { "Y", "V", "U" }, 3, TRUE, 2, 2 },
  [VITGATE_PIXELS_NV12] = { "NV12", { "Y", "UV" }, 2, TRUE, 2, 2 },
  [VITGATE_PIXELS_NV21] = { "NV21", { "Y", "VU" }, 2, TRUE, 2, 2 },
  [VITGATE_PIXELS_YUY2] = { "YUY2", { "YUYV" }, 1, TRUE, 2, 1 },
  [VITGATE_PIXELS_UYVY] = { "UYVY", { "UYVY" }, 1, TRUE, 2, 1 },
  [VITGATE_PIXELS_Y42B] = { "Y42B", { "Y", "U", "V" }, 3, TRUE, 2, 1 },
  [VITGATE_PIXELS_Y444] = { "Y444", { "Y", "U", "V" }, 3, TRUE, 1, 1 },
  [VITGATE_PIXELS_I420_10LE] = { "I420_10LE", { "Y", "U", "V" }, 3, TRUE, 2, 2, 10 },
  [VITGATE_PIXELS_I422_10LE] = { "I422_10LE", { "Y", "U", "V" }, 3, TRUE, 2, 1, 10 },
  [VITGATE_PIXELS_Y444_10LE] = { "Y444_10LE", { "Y", "U", "V" }, 3, TRUE, 1, 1, 10 },
  [VITGATE_PIXELS_P010_10LE] = { "P010_10LE", { "Y", "UV" }, 2, TRUE, 2, 2, 10, TRUE },
};

const Preprocessing frame_preprocessing = {
  .resize = 36,
  .bicubic = TRUE,
  .std = { 1 / 255.0f, 1 / 255.0f, 1 / 255.0f },
};

static const FrameFormat *format_of(const Frame *frame)
{
  return &frame_formats[frame->image.format];
}

static char letter(const Frame *frame, guint c)
{
  return (format_of(frame)->ycbcr ? "YUV" : "RGB")[c];
}

guint frame_sample_bytes(const Frame *frame)
{
  return format_of(frame)->bits ? 2 : 1;
}

static guint count(const char *pattern, char c)
{
  guint n = 0;
  for (; *pattern; pattern++)
    n += *pattern == c;
  return n;
}

guint frame_n_components(const Frame *frame)
{
  return frame->image.format == VITGATE_PIXELS_GRAY8 ? 1 : 3;
}

guint frame_columns(const Frame *frame, guint c)
{
  guint per = c ? format_of(frame)->sub_x : 1;
  return (frame->image.width + per - 1) / per;
}

guint frame_rows(const Frame *frame, guint c)
{
  guint per = c ? format_of(frame)->sub_y : 1;
  return (frame->image.height + per - 1) / per;
}

/* Returns: the first component that has samples in the plane */
static guint component_of(const Frame *frame, guint plane)
{
  guint c = 0;
  while (!count(format_of(frame)->patterns[plane], letter(frame, c)))
    c++;
  return c;
}

gsize frame_row_bytes(const Frame *frame, guint plane)
{
  const char *pattern = format_of(frame)->patterns[plane];
  guint c = component_of(frame, plane), each = count(pattern, letter(frame, c));
  return (frame_columns(frame, c) + each - 1) / each * strlen(pattern) * frame_sample_bytes(frame);
}

gsize frame_plane_bytes(const Frame *frame, guint plane)
{
  gsize rows = frame_rows(frame, component_of(frame, plane));
  return (rows - 1) * frame->image.strides[plane] + frame_row_bytes(frame, plane);
}

Frame *frame_new(VitgatePixelFormat format, guint width, guint height, gsize gap)
{
  Frame *frame = g_new0(Frame, 1);
  frame->image = (VitgateImage){ .format = format, .width = width, .height = height };
  for (guint p = 0; p < frame_formats[format].n_planes; p++) {
    frame->image.strides[p] = frame_row_bytes(frame, p) + gap;
    frame->planes[p] = g_malloc0(frame_plane_bytes(frame, p));
    frame->image.planes[p] = frame->planes[p];
  }
  return frame;
}

void frame_free(Frame *frame)
{
  for (guint p = 0; p < 3; p++)
    g_free(frame->planes[p]);
  g_free(frame);
}

guint8 *frame_sample(const Frame *frame, guint c, guint x, guint y)
{
  const FrameFormat *format = format_of(frame);
  const char name = letter(frame, c);
  guint plane = 0;
  while (!count(format->patterns[plane], name))
    plane++;
  const char *pattern = format->patterns[plane];
  const guint each = count(pattern, name);
  gsize at = x / each * strlen(pattern), skip = x % each;
  for (; *pattern != name || skip-- > 0; pattern++)
    at++;
  return frame->planes[plane] + y * frame->image.strides[plane] + at * frame_sample_bytes(frame);
}

void frame_set(const Frame *frame, guint c, guint x, guint y, double value)
{
  const FrameFormat *format = format_of(frame);
  guint8 *sample = frame_sample(frame, c, x, y);
  if (!format->bits) {
    *sample = (guint8)lrint(value);
    return;
  }
  const guint number = (guint)lrint(value * (1 << (format->bits - 8)))
                       << (format->upper ? 16 - format->bits : 0);
  sample[0] = (guint8)number;
  sample[1] = (guint8)(number >> 8);
}

void frame_fill(Frame *frame, const guint8 values[3])
{
  for (guint c = 0; c < frame_n_components(frame); c++)
    for (guint y = 0; y < frame_rows(frame, c); y++)
      for (guint x = 0; x < frame_columns(frame, c); x++)
        frame_set(frame, c, x, y, values[c]);
}

void frame_fill_random(Frame *frame, guint32 seed, guint8 poison)
{
  for (guint p = 0; p < format_of(frame)->n_planes; p++)
    memset(frame->planes[p], poison, frame_plane_bytes(frame, p));
  for (guint c = 0; c < frame_n_components(frame); c++)
    for (guint y = 0; y < frame_rows(frame, c); y++)
      for (guint x = 0; x < frame_columns(frame, c); x++)
        frame_set(frame, c, x, y, (guint8)(fixture_random(&seed) >> 16));
}

float *frame_tensor(const VitgateImage *image, guint size, const Preprocessing *preprocessing)
{
  g_autoptr(GError) error = NULL;
  float *tensor = g_new(float, (gsize)3 * size * size);
  ImageConverter *converter = vitgate__image_converter_new(size, preprocessing);
  gboolean converted = vitgate__image_convert(converter, tensor, image, &error);
  vitgate__image_converter_free(&converter);
  assert_success(converted, error);
  return tensor;
}

float *frame_convert(const VitgateImage *image, guint size, guint resize, gboolean bicubic)
{
  Preprocessing preprocessing = frame_preprocessing;
  preprocessing.resize = resize;
  preprocessing.bicubic = bicubic;
  return frame_tensor(image, size, &preprocessing);
}
