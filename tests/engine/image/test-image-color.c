/* Pre-processing: colours, compared with plain C in double precision. Results are in steps of
 * 1/255. */
#include <math.h>

#include "fixture.h"
#include "frame.h"

/* A single colour has only the rounding errors of a float matrix. */
#define FLAT_TOLERANCE 2e-3

/* For a ramp of chroma. The samples and the engine's first pass are rounded to bytes, half a step
 * each, and blue's factor of 1.772 magnifies this. A site that is half a pixel off shifts all
 * values by 2.5. */
#define SITE_MEAN_TOLERANCE 0.5
#define SITE_MAX_TOLERANCE  2.0

/* For a smooth picture as Y'CbCr and as RGB. Each is rounded to bytes three times (samples, first
 * pass, second pass), and the colour matrix magnifies rounding errors of chroma up to 2.2 times. */
#define SMOOTH_MEAN_TOLERANCE 1.0
#define SMOOTH_MAX_TOLERANCE  5.0

/* Pixels at the border of a result that are not compared: the filter is cut off there, and the
 * values beyond the last chroma sample are a guess. */
#define MARGIN 3

#define SIZE 32

typedef struct {
  double r, g, b;
} Color;

static double clamp_byte(double x)
{
  return CLAMP(x, 0, 255);
}

static const double luma_weights[][2] = { /* red, blue: ITU-R BT.601, BT.709, BT.2020 */
                                          { 0.299, 0.114 },
                                          { 0.2126, 0.0722 },
                                          { 0.2627, 0.0593 }
};

/* The textbook formula: Y', Pb and Pr, then red and blue, then green from the rest of Y'. */
static Color to_rgb(double y, double cb, double cr, VitgateColorMatrix matrix, gboolean full)
{
  const double kr = luma_weights[matrix][0], kb = luma_weights[matrix][1];
  const double luma = full ? y / 255 : (y - 16) / 219;
  const double pb = (cb - 128) / (full ? 255 : 224), pr = (cr - 128) / (full ? 255 : 224);
  const double r = luma + 2 * (1 - kr) * pr, b = luma + 2 * (1 - kb) * pb;
  const double g = (luma - kr * r - kb * b) / (1 - kr - kb);
  return (Color){ 255 * r, 255 * g, 255 * b };
}

static double limited_to_full(double value)
{
  return (value - 16) * 255 / 219;
}

/* The inverse: Y', Cb and Cr as stored, not rounded. */
static void to_ycbcr(double ycbcr[3], Color c, VitgateColorMatrix matrix, gboolean full)
{
  const double kr = luma_weights[matrix][0], kb = luma_weights[matrix][1];
  const double y = (kr * c.r + (1 - kr - kb) * c.g + kb * c.b) / 255;
  ycbcr[0] = full ? 255 * y : 16 + 219 * y;
  ycbcr[1] = 128 + (full ? 255 : 224) * (c.b / 255 - y) / (2 * (1 - kb));
  ycbcr[2] = 128 + (full ? 255 : 224) * (c.r / 255 - y) / (2 * (1 - kr));
}

/* ---- One colour ---- */

static void check_flat(const Frame *frame, const guint8 values[3], Color expected)
{
  g_autofree float *steps = frame_convert(&frame->image, SIZE, 36, TRUE);
  const double channels[3] = { clamp_byte(expected.r), clamp_byte(expected.g),
                               clamp_byte(expected.b) };
  for (guint i = 0; i < 3 * SIZE * SIZE; i++)
    assert_each(fabs(steps[i] - channels[i / SIZE / SIZE]) <= FLAT_TOLERANCE,
                "%s of %ux%u, matrix %d, %s range, %u %u %u: channel %u is %.9g, expected %.9g",
                frame_formats[frame->image.format].name, frame->image.width, frame->image.height,
                frame->image.matrix, frame->image.full_range ? "full" : "limited", values[0],
                values[1], values[2], i / SIZE / SIZE, steps[i], channels[i / SIZE / SIZE]);
}

START_TEST(every_matrix_and_range_gives_the_right_colors)
{
  static const guint8 levels[] = { 0, 16, 128, 200, 255 };
  const guint n = G_N_ELEMENTS(levels);
  g_autoptr(Frame) frame = frame_new(_i, 9, 7, 0);
  const gboolean gray = frame_n_components(frame) == 1;
  for (guint i = 0; i < n * (gray ? 1 : n * n); i++) {
    const guint8 values[3] = { levels[i % n], levels[i / n % n], levels[i / n / n] };
    frame_fill(frame, values);
    for (guint matrix = VITGATE_MATRIX_BT601; matrix <= VITGATE_MATRIX_BT2020; matrix++)
      for (guint full = 0; full < 2; full++) {
        frame->image.matrix = matrix;
        frame->image.full_range = full;
        frame->image.limited_rgb = !full;
        Color color = { values[0], values[1], values[2] };
        if (!frame_formats[_i].ycbcr && !full)
          color = (Color){ limited_to_full(color.r), limited_to_full(color.g),
                           limited_to_full(color.b) };
        if (frame_formats[_i].ycbcr)
          color = to_rgb(values[0], gray ? 128 : values[1], gray ? 128 : values[2], matrix, full);
        check_flat(frame, values, color);
      }
  }
}
END_TEST

START_TEST(a_flat_color_is_kept_at_every_size)
{
  static const guint sides[] = { 1, 2, 3, 4, 5, 9, 17, 31, 32, 33, 37, 71 };
  static const guint8 values[3] = { 140, 100, 170 };
  const guint last_site =
      frame_formats[_i].sub_x == 1 ? VITGATE_CHROMA_LEFT : VITGATE_CHROMA_TOP_LEFT;
  for (guint w = 0; w < G_N_ELEMENTS(sides); w++)
    for (guint h = 0; h < G_N_ELEMENTS(sides); h++)
      for (guint site = VITGATE_CHROMA_LEFT; site <= last_site; site++) {
        g_autoptr(Frame) frame = frame_new(_i, sides[w], sides[h], 0);
        frame->image.chroma_site = site;
        frame_fill(frame, values);
        Color color = { values[0], values[1], values[2] };
        if (frame_n_components(frame) == 1)
          color = to_rgb(140, 128, 128, VITGATE_MATRIX_BT601, FALSE);
        else if (frame_formats[_i].ycbcr)
          color = to_rgb(140, 100, 170, VITGATE_MATRIX_BT601, FALSE);
        check_flat(frame, values, color);
      }
}
END_TEST

/* ---- Chroma sites ---- */

/* Returns: the position of sample @i of component @c, in pixels from the edge of the frame */
static double sample_position(const Frame *frame, guint c, guint i, gboolean vertical)
{
  const FrameFormat *format = &frame_formats[frame->image.format];
  const guint sub = !c ? 1 : vertical ? format->sub_y : format->sub_x;
  const VitgateChromaSite site = frame->image.chroma_site;
  const gboolean on_first_pixel =
      vertical ? site == VITGATE_CHROMA_TOP_LEFT : site != VITGATE_CHROMA_CENTER;
  return sub == 1 || on_first_pixel ? i * sub + 0.5 : (i + 0.5) * sub;
}

/* Returns: the position in the frame that pixel @i of the network's input shows */
static double shown_position(guint i, guint pixels, guint resize)
{
  return (i + 0.5 + (resize - SIZE) / 2) * pixels / resize;
}

static void check_site(VitgatePixelFormat format, VitgateChromaSite site, gboolean vertical)
{
  enum { PIXELS = 48 };
  const double start = 56, slope = 2.9; /* of Cb; all colours exist in RGB */
  g_autoptr(Frame) frame = frame_new(format, PIXELS, PIXELS, 0);
  frame->image.chroma_site = site;
  frame->image.full_range = TRUE;
  frame_fill(frame, (const guint8[]){ 128, 128, 128 });
  for (guint y = 0; y < frame_rows(frame, 1); y++)
    for (guint x = 0; x < frame_columns(frame, 1); x++) {
      double at = sample_position(frame, 1, vertical ? y : x, vertical);
      frame_set(frame, 1, x, y, start + slope * at);
    }
  g_autofree float *steps = frame_convert(&frame->image, SIZE, 36, TRUE);
  double sum = 0, max = 0;
  for (guint y = MARGIN; y < SIZE - MARGIN; y++)
    for (guint x = MARGIN; x < SIZE - MARGIN; x++) {
      double cb = start + slope * shown_position(vertical ? y : x, PIXELS, 36);
      double difference =
          steps[(2 * SIZE + y) * SIZE + x] - to_rgb(128, cb, 128, VITGATE_MATRIX_BT601, TRUE).b;
      sum += difference;
      max = MAX(max, fabs(difference));
    }
  const double mean = sum / ((SIZE - 2 * MARGIN) * (SIZE - 2 * MARGIN));
  ck_assert_msg(fabs(mean) <= SITE_MEAN_TOLERANCE && max <= SITE_MAX_TOLERANCE,
                "%s, site %d, %s: blue is off by %g on average, %g at most",
                frame_formats[format].name, site, vertical ? "down" : "across", mean, max);
}

START_TEST(chroma_is_read_at_its_site)
{
  if (frame_formats[_i].sub_x == 1)
    return;
  for (guint site = VITGATE_CHROMA_LEFT; site <= VITGATE_CHROMA_TOP_LEFT; site++) {
    check_site(_i, site, FALSE);
    check_site(_i, site, TRUE);
  }
}
END_TEST

/* ---- One picture in every format ---- */

/* A wave of period 1 between -1 and 1, made of parabolas: sines would take most of the test's time.
 */
static double wave(double x)
{
  x -= floor(x);
  return x < 0.5 ? 16 * x * (0.5 - x) : -16 * (x - 0.5) * (1 - x);
}

/* Returns: the colour of a smooth picture at (x, y), both from 0 to 1 */
static Color picture(double x, double y)
{
  return (Color){
    .r = 128 + 90 * wave(0.8 * x + 0.3 * y),
    .g = 128 + 80 * wave(0.5 * y - 0.4 * x + 0.15),
    .b = 128 + 85 * wave(0.65 * x * y + 0.25 * x + 0.2),
  };
}

static Frame *draw(VitgatePixelFormat format, guint width, guint height, VitgateColorMatrix matrix,
                   VitgateChromaSite site, gboolean full)
{
  Frame *frame = frame_new(format, width, height, 3);
  frame->image.matrix = matrix;
  frame->image.chroma_site = site;
  frame->image.full_range = full;
  for (guint c = 0; c < frame_n_components(frame); c++)
    for (guint y = 0; y < frame_rows(frame, c); y++)
      for (guint x = 0; x < frame_columns(frame, c); x++) {
        Color color = picture(sample_position(frame, c, x, FALSE) / width,
                              sample_position(frame, c, y, TRUE) / height);
        double values[3] = { color.r, color.g, color.b };
        if (frame_formats[format].ycbcr)
          to_ycbcr(values, color, matrix, full);
        frame_set(frame, c, x, y, clamp_byte(values[c]));
      }
  return frame;
}

/* Draws only the luma of the picture, as gray RGB. */
static Frame *draw_gray(guint width, guint height, VitgateColorMatrix matrix)
{
  Frame *frame = frame_new(VITGATE_PIXELS_RGB, width, height, 0);
  for (guint y = 0; y < height; y++)
    for (guint x = 0; x < width; x++) {
      double ycbcr[3];
      to_ycbcr(ycbcr, picture((x + 0.5) / width, (y + 0.5) / height), matrix, TRUE);
      for (guint c = 0; c < 3; c++)
        *frame_sample(frame, c, x, y) = (guint8)lrint(ycbcr[0]);
    }
  return frame;
}

static void compare_pictures(const Frame *frame, const Frame *rgb)
{
  g_autofree float *found = frame_convert(&frame->image, SIZE, 36, TRUE);
  g_autofree float *expected = frame_convert(&rgb->image, SIZE, 36, TRUE);
  double sum = 0, max = 0;
  for (guint c = 0; c < 3; c++)
    for (guint y = MARGIN; y < SIZE - MARGIN; y++)
      for (guint x = MARGIN; x < SIZE - MARGIN; x++) {
        const guint i = (c * SIZE + y) * SIZE + x;
        double difference = fabsf(found[i] - expected[i]);
        sum += difference;
        max = MAX(max, difference);
      }
  const double mean = sum / (3 * (SIZE - 2 * MARGIN) * (SIZE - 2 * MARGIN));
  const gboolean good = frame_formats[frame->image.format].ycbcr
                            ? mean <= SMOOTH_MEAN_TOLERANCE && max <= SMOOTH_MAX_TOLERANCE
                            : max == 0; /* the same bytes in another order */
  assert_each(good, "%s of %ux%u, matrix %d, site %d, %s range: off by %g on average, %g at most",
              frame_formats[frame->image.format].name, frame->image.width, frame->image.height,
              frame->image.matrix, frame->image.chroma_site,
              frame->image.full_range ? "full" : "limited", mean, max);
}

static void check_pictures(VitgatePixelFormat format, guint width, guint height)
{
  const gboolean rgb = !frame_formats[format].ycbcr; /* neither matrix nor sites matter */
  const guint last_matrix = rgb ? VITGATE_MATRIX_BT601 : VITGATE_MATRIX_BT2020;
  const guint last_site = rgb ? VITGATE_CHROMA_LEFT : VITGATE_CHROMA_TOP_LEFT;
  g_autoptr(Frame) colors =
      draw(VITGATE_PIXELS_RGB, width, height, VITGATE_MATRIX_BT601, VITGATE_CHROMA_LEFT, FALSE);
  for (guint matrix = VITGATE_MATRIX_BT601; matrix <= last_matrix; matrix++) {
    g_autoptr(Frame) gray = draw_gray(width, height, matrix);
    for (guint site = VITGATE_CHROMA_LEFT; site <= last_site; site++)
      for (guint full = 0; full < 2; full++) {
        g_autoptr(Frame) frame = draw(format, width, height, matrix, site, full);
        compare_pictures(frame, frame_n_components(frame) == 1 ? gray : colors);
      }
  }
}

START_TEST(a_picture_is_the_same_in_every_format)
{
  static const guint sizes[][2] = { { 64, 48 }, { 61, 47 }, { 33, 97 }, { 80, 107 }, { 32, 32 } };
  for (guint s = 0; s < G_N_ELEMENTS(sizes); s++)
    check_pictures(_i, sizes[s][0], sizes[s][1]);
}
END_TEST

/* Formats with the same samples as an older one, in other places or with more bits. */
static const VitgatePixelFormat twins[][2] = {
  { VITGATE_PIXELS_Y42B, VITGATE_PIXELS_YUY2 },
  { VITGATE_PIXELS_I420_10LE, VITGATE_PIXELS_I420 },
  { VITGATE_PIXELS_P010_10LE, VITGATE_PIXELS_I420 },
  { VITGATE_PIXELS_I422_10LE, VITGATE_PIXELS_YUY2 },
  { VITGATE_PIXELS_Y444_10LE, VITGATE_PIXELS_Y444 },
};

START_TEST(the_same_samples_in_another_layout_make_the_same_tensor)
{
  static const guint sizes[][2] = { { 1, 1 }, { 3, 5 }, { 61, 47 }, { 33, 97 }, { 32, 32 } };
  for (guint s = 0; s < G_N_ELEMENTS(sizes); s++)
    for (guint full = 0; full < 2; full++) {
      float *tensors[2];
      for (guint i = 0; i < 2; i++) {
        g_autoptr(Frame) frame = frame_new(twins[_i][i], sizes[s][0], sizes[s][1], i);
        frame_fill_random(frame, 3 + s, 0);
        frame->image.full_range = full;
        tensors[i] = frame_convert(&frame->image, SIZE, 36, TRUE);
      }
      assert_each(!memcmp(tensors[0], tensors[1], 3 * SIZE * SIZE * sizeof(float)),
                  "%s of %ux%u differs from %s", frame_formats[twins[_i][0]].name, sizes[s][0],
                  sizes[s][1], frame_formats[twins[_i][1]].name);
      g_free(tensors[0]);
      g_free(tensors[1]);
    }
}
END_TEST

int main(void)
{
  TCase *color = tcase_create("color");
  const int n = VITGATE_PIXELS_N_FORMATS;
  tcase_add_loop_test(color, every_matrix_and_range_gives_the_right_colors, 0, n);
  tcase_add_loop_test(color, a_flat_color_is_kept_at_every_size, 0, n);
  tcase_add_loop_test(color, chroma_is_read_at_its_site, 0, n);
  tcase_add_loop_test(color, a_picture_is_the_same_in_every_format, 0, n);
  tcase_add_loop_test(color, the_same_samples_in_another_layout_make_the_same_tensor, 0,
                      G_N_ELEMENTS(twins));
  return fixture_run("image-color", color, NULL);
}
