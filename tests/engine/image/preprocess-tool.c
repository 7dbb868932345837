/* preprocess-tool FORMAT WIDTH HEIGHT MATRIX RANGE MODEL FIT < frame > tensor
 *
 * Pre-processes one frame with the engine. It reads raw planes, in GStreamer's layout without
 * padding, from standard input and writes float32 [3][size][size] to standard output.
 * FORMAT: a GStreamer format name; MATRIX: bt601, bt709 or bt2020; RANGE: full or limited; FIT:
 * model, crop, squash or letterbox. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vitgate.h"

static const struct {
  const char *name;
  VitgatePixelFormat format;
  guint bytes;    /* per pixel, in the first plane */
  guint n_chroma; /* planes of a quarter of the size after it */
  guint chroma_bytes;
} formats[] = {
  { "RGB", VITGATE_PIXELS_RGB, 3, 0, 0 },     { "BGR", VITGATE_PIXELS_BGR, 3, 0, 0 },
  { "RGBx", VITGATE_PIXELS_RGBX, 4, 0, 0 },   { "BGRx", VITGATE_PIXELS_BGRX, 4, 0, 0 },
  { "xRGB", VITGATE_PIXELS_XRGB, 4, 0, 0 },   { "xBGR", VITGATE_PIXELS_XBGR, 4, 0, 0 },
  { "GRAY8", VITGATE_PIXELS_GRAY8, 1, 0, 0 }, { "I420", VITGATE_PIXELS_I420, 1, 2, 1 },
  { "YV12", VITGATE_PIXELS_YV12, 1, 2, 1 },   { "NV12", VITGATE_PIXELS_NV12, 1, 1, 2 },
  { "NV21", VITGATE_PIXELS_NV21, 1, 1, 2 },   { "YUY2", VITGATE_PIXELS_YUY2, 2, 0, 0 },
  { "UYVY", VITGATE_PIXELS_UYVY, 2, 0, 0 },
};

static int fail(const char *message)
{
  fprintf(stderr, "preprocess-tool: %s\n", message);
  return 1;
}

int main(int argc, char **argv)
{
  if (argc != 8)
    return fail("usage: preprocess-tool FORMAT WIDTH HEIGHT MATRIX RANGE MODEL FIT");
  guint f = 0;
  while (f < G_N_ELEMENTS(formats) && strcmp(formats[f].name, argv[1]))
    f++;
  if (f == G_N_ELEMENTS(formats))
    return fail("unknown format");
  VitgateImage image = {
    .format = formats[f].format,
    .width = (guint)atoi(argv[2]),
    .height = (guint)atoi(argv[3]),
    .matrix = !strcmp(argv[4], "bt601")   ? VITGATE_MATRIX_BT601
              : !strcmp(argv[4], "bt709") ? VITGATE_MATRIX_BT709
                                          : VITGATE_MATRIX_BT2020,
    .full_range = !strcmp(argv[5], "full"),
  };
  gboolean paired = image.format == VITGATE_PIXELS_YUY2 || image.format == VITGATE_PIXELS_UYVY;
  gsize row = (gsize)formats[f].bytes * (paired ? (image.width + 1) / 2 * 2 : image.width);
  gsize luma = row * image.height, chroma_row = (image.width + 1) / 2 * formats[f].chroma_bytes;
  gsize chroma = chroma_row * ((image.height + 1) / 2);
  g_autofree guint8 *frame = g_malloc(luma + 2 * chroma + 1);
  if (fread(frame, 1, luma + formats[f].n_chroma * chroma, stdin) !=
      luma + formats[f].n_chroma * chroma)
    return fail("the frame on standard input is too short");
  for (guint p = 0; p <= formats[f].n_chroma; p++) {
    image.planes[p] = p ? frame + luma + (p - 1) * chroma : frame;
    image.strides[p] = p ? chroma_row : row;
  }

  g_autoptr(GError) error = NULL;
  g_autoptr(VitgateModel) model = vitgate_model_open(argv[6], &error);
  VitgateSessionOptions options = { 0 };
  g_autoptr(VitgateSession) session = model && vitgate_fit_parse(argv[7], &options.fit, &error)
                                          ? vitgate_session_new(model, &options, &error)
                                          : NULL;
  if (!session)
    return fail(error->message);
  guint size = vitgate_model_get_info(model)->image_size;
  g_autofree float *tensor = g_new(float, (gsize)3 * size * size);
  if (!vitgate_session_preprocess(session, &image, tensor, &error))
    return fail(error->message);
  fwrite(tensor, sizeof *tensor, (gsize)3 * size * size, stdout);
  return 0;
}
