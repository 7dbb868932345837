/* Times the pre-processing of a camera's frame to the network's input, on one core.
 * usage: preprocess MODEL */
#include <stdio.h>

#include "vitgate.h"

#define RUNS 300

static const struct {
  const char *name;
  VitgatePixelFormat format;
  guint width, height, bytes; /* of a pixel in the first plane */
} frames[] = {
  { "NV12 1920x1080", VITGATE_PIXELS_NV12, 1920, 1080, 1 },
  { "I420 1920x1080", VITGATE_PIXELS_I420, 1920, 1080, 1 },
  { "YUY2 1920x1080", VITGATE_PIXELS_YUY2, 1920, 1080, 2 },
  { "RGBx 1920x1080", VITGATE_PIXELS_RGBX, 1920, 1080, 4 },
  { "P010_10LE 1920x1080", VITGATE_PIXELS_P010_10LE, 1920, 1080, 2 },
  { "RGB 640x480", VITGATE_PIXELS_RGB, 640, 480, 3 },
  { "I420 768x432", VITGATE_PIXELS_I420, 768, 432, 1 },
};

static int compare(gconstpointer a, gconstpointer b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* In every format, all planes lie within three times the bytes of the first. Their contents do not
 * matter. */
static gboolean measure(VitgateSession *session, guint f, const guint8 *bytes, float *tensor,
                        GError **error)
{
  const gsize stride = (gsize)frames[f].width * frames[f].bytes, plane = stride * frames[f].height;
  const VitgateImage image = {
    .format = frames[f].format,
    .width = frames[f].width,
    .height = frames[f].height,
    .planes = { bytes, bytes + plane, bytes + 2 * plane },
    .strides = { stride, stride, stride },
  };
  double ms[RUNS];
  for (guint i = 0; i < RUNS; i++) {
    const gint64 start = g_get_monotonic_time();
    if (!vitgate_session_preprocess(session, &image, tensor, error))
      return FALSE;
    ms[i] = (double)(g_get_monotonic_time() - start) / 1e3;
  }
  qsort(ms, RUNS, sizeof *ms, compare);
  printf("%-19s min %.3f, median %.3f, p95 %.3f ms\n", frames[f].name, ms[0], ms[RUNS / 2],
         ms[RUNS * 95 / 100]);
  return TRUE;
}

int main(int argc, char **argv)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(VitgateModel) model = argc == 2 ? vitgate_model_open(argv[1], &error) : NULL;
  g_autoptr(VitgateSession) session = model ? vitgate_session_new(model, NULL, &error) : NULL;
  if (!session) {
    fprintf(stderr, "preprocess: %s\n", error ? error->message : "usage: preprocess MODEL");
    return 1;
  }
  const guint size = vitgate_model_get_info(model)->image_size;
  const gsize n_bytes = (gsize)3 * 4 * 1920 * 1080;
  g_autofree guint8 *bytes = g_malloc(n_bytes);
  g_autofree float *tensor = g_new(float, (gsize)3 * size * size);
  for (gsize i = 0; i < n_bytes; i++)
    bytes[i] = (guint8)(i * 7 + i / 1920);
  for (guint f = 0; f < G_N_ELEMENTS(frames); f++)
    if (!measure(session, f, bytes, tensor, &error)) {
      fprintf(stderr, "preprocess: %s\n", error->message);
      return 1;
    }
  return 0;
}
