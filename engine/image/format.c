#include "image/format.h"

#define RGB_OF(name, step, r, g, b)                                                                \
  {                                                                                                \
    name, 1, 3, FALSE, 0, 0, { { 0, r, step }, { 0, g, step }, { 0, b, step } }, 1, 1              \
  }

/* Three planes; the arguments after @sub_y are those of U and V. */
#define PLANAR(name, sub_x, sub_y, u, v, bytes, scale)                                             \
  {                                                                                                \
    name, 3, 3, TRUE, sub_x, sub_y, { { 0, 0, 1 }, { u, 0, 1 }, { v, 0, 1 } }, bytes, scale        \
  }

/* U and V take turns in the second plane; the arguments are their places. */
#define SEMIPLANAR(name, u, v, bytes, scale)                                                       \
  {                                                                                                \
    name, 2, 3, TRUE, 1, 1, { { 0, 0, 1 }, { 1, u, 2 }, { 1, v, 2 } }, bytes, scale                \
  }

#define PACKED(name, y, u, v)                                                                      \
  {                                                                                                \
    name, 1, 3, TRUE, 1, 0, { { 0, y, 2 }, { 0, u, 4 }, { 0, v, 4 } }, 1, 1                        \
  }

#define LOWER_10 (1 / 4.0f)   /* ten bits, the lower ones of sixteen */
#define UPPER_10 (1 / 256.0f) /* ten bits, the upper ones of sixteen */

const Format vitgate__formats[VITGATE_PIXELS_N_FORMATS] = {
  [VITGATE_PIXELS_RGB] = RGB_OF("RGB", 3, 0, 1, 2),
  [VITGATE_PIXELS_BGR] = RGB_OF("BGR", 3, 2, 1, 0),
  [VITGATE_PIXELS_RGBX] = RGB_OF("RGBx", 4, 0, 1, 2),
  [VITGATE_PIXELS_BGRX] = RGB_OF("BGRx", 4, 2, 1, 0),
  [VITGATE_PIXELS_XRGB] = RGB_OF("xRGB", 4, 1, 2, 3),
  [VITGATE_PIXELS_XBGR] = RGB_OF("xBGR", 4, 3, 2, 1),
  [VITGATE_PIXELS_GRAY8] = { "GRAY8", 1, 1, TRUE, 0, 0, { { 0, 0, 1 } }, 1, 1 },
  [VITGATE_PIXELS_I420] = PLANAR("I420", 1, 1, 1, 2, 1, 1),
  [VITGATE_PIXELS_YV12] = PLANAR("YV12", 1, 1, 2, 1, 1, 1),
  [VITGATE_PIXELS_NV12] = SEMIPLANAR("NV12", 0, 1, 1, 1),
  [VITGATE_PIXELS_NV21] = SEMIPLANAR("NV21", 1, 0, 1, 1),
  [VITGATE_PIXELS_YUY2] = PACKED("YUY2", 0, 1, 3),
  [VITGATE_PIXELS_UYVY] = PACKED("UYVY", 1, 0, 2),
  [VITGATE_PIXELS_Y42B] = PLANAR("Y42B", 1, 0, 1, 2, 1, 1),
  [VITGATE_PIXELS_Y444] = PLANAR("Y444", 0, 0, 1, 2, 1, 1),
  [VITGATE_PIXELS_I420_10LE] = PLANAR("I420_10LE", 1, 1, 1, 2, 2, LOWER_10),
  [VITGATE_PIXELS_I422_10LE] = PLANAR("I422_10LE", 1, 0, 1, 2, 2, LOWER_10),
  [VITGATE_PIXELS_Y444_10LE] = PLANAR("Y444_10LE", 0, 0, 1, 2, 2, LOWER_10),
  [VITGATE_PIXELS_P010_10LE] = SEMIPLANAR("P010_10LE", 0, 1, 2, UPPER_10),
};

guint vitgate__subsample(guint pixels, guint log2)
{
  return (pixels + (1u << log2) - 1) >> log2;
}

gsize vitgate__format_row_samples(const Format *format, guint plane, guint width)
{
  gsize samples = 0;
  for (guint c = 0; c < format->n_components; c++) {
    const Component *component = &format->components[c];
    if (component->plane == plane)
      samples =
          MAX(samples, (gsize)vitgate__subsample(width, c ? format->sub_x : 0) * component->step);
  }
  return samples;
}
