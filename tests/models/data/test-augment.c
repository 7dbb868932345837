/* Tests views of an image (position, mirroring, colours) and how they are drawn. */
#include "data/augment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fixtures.h"

/* In steps of 1/255: rounding when normalising and composing colours in float. */
#define FLOAT_TOLERANCE 2e-3

/* In steps of 1/255. The engine rounds to bytes after the pass along x, which the filter along y
 * amplifies (at most by 1.3), and rounds once more. */
#define RESAMPLING_TOLERANCE 1.2

#define SIZE 32 /* side of the network's input, unless stated otherwise */

static const Preprocessing in_steps = { .resize = SIZE,
                                        .bicubic = TRUE,
                                        .std = { 1 / 255.0f, 1 / 255.0f, 1 / 255.0f } };

static const double luma[3] = { 0.299, 0.587, 0.114 };

static guint8 *noise(gsize n)
{
  guint8 *bytes = g_malloc(n);
  Random random = { 5 };
  for (gsize i = 0; i < n; i++)
    bytes[i] = (guint8)random_below(&random, 256);
  return bytes;
}

static VitgateImage rgb_image(const guint8 *pixels, guint width, guint height)
{
  return (VitgateImage){ .format = VITGATE_PIXELS_RGB,
                         .full_range = TRUE,
                         .width = width,
                         .height = height,
                         .planes = { pixels },
                         .strides = { (gsize)3 * width } };
}

static ImageView plain_view(double x, double y, double width, double height)
{
  return (ImageView){ x, y, width, height, FALSE, { { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 } } };
}

/* @view: NULL: the centre crop
 * Returns: (transfer full): [3][size][size] in steps */
static float *convert(guint size, const VitgateImage *image, const ImageView *view)
{
  g_autoptr(GError) error = NULL;
  Preprocessing preprocessing = in_steps;
  preprocessing.resize = size;
  ImageConverter *converter = vitgate__image_converter_new(size, &preprocessing);
  float *tensor = g_new(float, (gsize)3 * size * size);
  gboolean converted = view ? vitgate__image_convert_view(converter, tensor, image, view, &error)
                            : vitgate__image_convert(converter, tensor, image, &error);
  ck_assert_msg(converted, "%s", error ? error->message : "");
  vitgate__image_converter_free(&converter);
  return tensor;
}

static void assert_same(const float *a, const float *b, guint size)
{
  ck_assert_mem_eq(a, b, sizeof(float) * 3 * size * size);
}

/* ---- Position ---- */

START_TEST(a_view_of_the_whole_square_is_the_centre_crop)
{
  static const guint sides[] = { SIZE, 48, 65, 20, 1 };
  const guint side = sides[_i];
  g_autofree guint8 *pixels = noise((gsize)3 * side * side);
  const VitgateImage image = rgb_image(pixels, side, side);
  const ImageView view = plain_view(0, 0, side, side);
  g_autofree float *expected = convert(SIZE, &image, NULL);
  g_autofree float *found = convert(SIZE, &image, &view);
  assert_same(found, expected, SIZE);
}
END_TEST

/* Keys' cubic convolution with a = -1/2, like in the resampler. */
static double cubic(double x)
{
  x = fabs(x);
  if (x < 1)
    return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/* Weights of one output sample over all samples of an axis. */
static double *filter(guint n_in, double start, double extent, guint size, guint out)
{
  double *weights = g_new0(double, n_in), sum = 0;
  const double scale = extent / size, stretch = MAX(scale, 1);
  const double center = start + (out + 0.5) * scale;
  for (guint i = 0; i < n_in; i++)
    sum += weights[i] = cubic((i + 0.5 - center) / stretch);
  for (guint i = 0; i < n_in; i++)
    weights[i] /= sum;
  return weights;
}

static double resample(const VitgateImage *image, guint c, const double *across, const double *down)
{
  double sum = 0;
  for (guint y = 0; y < image->height; y++)
    for (guint x = 0; x < image->width; x++)
      sum += down[y] * across[x] * image->planes[0][y * image->strides[0] + 3 * x + c];
  return CLAMP(sum, 0, 255);
}

static const ImageView parts[] = {
  { .x = 3.25, .y = 7.5, .width = 20.75, .height = 11.5 }, /* enlarged */
  { .x = 0, .y = 10.1, .width = 71, .height = 36.9 },      /* to both edges */
  { .x = 30.4, .y = 0.3, .width = 33.1, .height = 45.6 },  /* shrunk a little */
  { .x = 70.5, .y = 46.5, .width = 0.5, .height = 0.5 },   /* half a pixel in the corner */
  { .x = 12, .y = 4, .width = 32, .height = 32 },          /* pixel by pixel */
};

START_TEST(a_crop_is_resampled_like_a_plain_filter)
{
  g_autofree guint8 *pixels = noise(3 * 71 * 47);
  /* Stronger noise would leave the range of bytes, 0 … 255, between the passes. */
  for (guint i = 0; i < 3 * 71 * 47; i++)
    pixels[i] = (guint8)(96 + pixels[i] / 4);
  const VitgateImage image = rgb_image(pixels, 71, 47);
  const ImageView *part = &parts[_i];
  const ImageView view = plain_view(part->x, part->y, part->width, part->height);
  g_autofree float *found = convert(SIZE, &image, &view);
  for (guint x = 0; x < SIZE; x++) {
    g_autofree double *across = filter(71, part->x, part->width, SIZE, x);
    for (guint y = 0; y < SIZE; y++) {
      g_autofree double *down = filter(47, part->y, part->height, SIZE, y);
      for (guint c = 0; c < 3; c++) {
        double expected = resample(&image, c, across, down);
        float value = found[(c * SIZE + y) * SIZE + x];
        ck_assert_msg(fabs(value - expected) <= RESAMPLING_TOLERANCE,
                      "colour %u at %u, %u is %g, expected %g", c, x, y, value, expected);
      }
    }
  }
}
END_TEST

/* Cubic convolution does not change a slope, so a slope in the chroma shows where a sample was
 * taken. */
START_TEST(subsampled_chroma_moves_with_the_crop)
{
  enum { WIDTH = 128, HEIGHT = 64, SLOPE = 2 };
  static const double starts[] = { 8, 9, 10.5 };
  static const struct {
    VitgateChromaSite site;
    double center; /* of the first chroma sample, in pixels */
  } sites[] = { { VITGATE_CHROMA_CENTER, 1 }, { VITGATE_CHROMA_LEFT, 0.5 } };
  g_autofree guint8 *luma_plane = g_malloc(WIDTH * HEIGHT), *red = g_malloc(WIDTH * HEIGHT / 4);
  g_autofree guint8 *blue = g_malloc(WIDTH * HEIGHT / 4);
  memset(luma_plane, 100, WIDTH * HEIGHT);
  memset(red, 128, WIDTH * HEIGHT / 4);
  for (guint i = 0; i < WIDTH * HEIGHT / 4; i++)
    blue[i] = (guint8)(64 + SLOPE * (i % (WIDTH / 2)));
  VitgateImage image = { .format = VITGATE_PIXELS_I420,
                         .full_range = TRUE,
                         .chroma_site = sites[_i % 2].site,
                         .width = WIDTH,
                         .height = HEIGHT,
                         .planes = { luma_plane, blue, red },
                         .strides = { WIDTH, WIDTH / 2, WIDTH / 2 } };
  const double start = starts[_i / 2];
  const ImageView view = plain_view(start, 5, SIZE, SIZE);
  g_autofree float *found = convert(SIZE, &image, &view);
  for (guint x = 0; x < SIZE; x++) {
    double sample = (start + x + 0.5 - sites[_i % 2].center) / 2;
    double expected = 100 + 1.772 * (64 + SLOPE * sample - 128);
    float value = found[2 * SIZE * SIZE + x];
    ck_assert_msg(fabs(value - CLAMP(expected, 0, 255)) <= 1.772 * 0.5 + FLOAT_TOLERANCE,
                  "blue at %u is %g, expected %g", x, value, expected);
  }
}
END_TEST

START_TEST(a_mirrored_view_is_the_exact_mirror)
{
  static const guint sizes[] = { SIZE, 30, 17, 1 };
  const guint size = sizes[_i];
  g_autofree guint8 *pixels = noise(3 * 53 * 41);
  const VitgateImage image = rgb_image(pixels, 53, 41);
  ImageView view = plain_view(3.3, 2.2, 40.4, 36.6);
  g_autofree float *plain = convert(size, &image, &view);
  view.mirrored = TRUE;
  g_autofree float *mirrored = convert(size, &image, &view);
  for (guint row = 0; row < 3 * size; row++)
    for (guint x = 0; x < size; x++)
      ck_assert_float_eq(mirrored[row * size + x], plain[row * size + size - 1 - x]);
}
END_TEST

START_TEST(views_do_not_change_a_converter)
{
  g_autofree guint8 *pixels = noise(3 * 53 * 41);
  const VitgateImage image = rgb_image(pixels, 53, 41);
  ImageView view = plain_view(3.3, 2.2, 40.4, 36.6);
  g_autofree float *crop = convert(SIZE, &image, NULL), *part = convert(SIZE, &image, &view);
  view.mirrored = TRUE;
  g_autofree float *mirrored = convert(SIZE, &image, &view);
  view.mirrored = FALSE;
  ImageView shifted = view;
  shifted.x += 1;
  shifted.y += 2;
  g_autofree float *other = convert(SIZE, &image, &shifted);

  g_autofree float *found = g_new(float, 3 * SIZE * SIZE);
  ImageConverter *converter = vitgate__image_converter_new(SIZE, &in_steps);
  for (guint i = 0; i < 2; i++) {
    ck_assert(vitgate__image_convert(converter, found, &image, NULL));
    assert_same(found, crop, SIZE);
    ck_assert(vitgate__image_convert_view(converter, found, &image, &view, NULL));
    assert_same(found, part, SIZE);
    ck_assert(vitgate__image_convert_view(converter, found, &image, &shifted, NULL));
    assert_same(found, other, SIZE);
    view.mirrored = TRUE;
    ck_assert(vitgate__image_convert_view(converter, found, &image, &view, NULL));
    assert_same(found, mirrored, SIZE);
    view.mirrored = FALSE;
  }
  vitgate__image_converter_free(&converter);
}
END_TEST

START_TEST(a_crop_outside_the_image_is_rejected)
{
  const ImageView views[] = {
    plain_view(-0.5, 0, 10, 10), plain_view(0, -0.5, 10, 10), plain_view(0.5, 0, 20, 10),
    plain_view(0, 1, 20, 20),    plain_view(0, 0, 0, 10),     plain_view(0, 0, 10, -1),
    plain_view(NAN, 0, 10, 10),  plain_view(0, 0, 10, NAN),   plain_view(0, 0, INFINITY, 10),
  };
  g_autofree guint8 *pixels = noise(3 * 20 * 20);
  const VitgateImage image = rgb_image(pixels, 20, 20);
  float tensor[3 * SIZE * SIZE];
  ImageConverter *converter = vitgate__image_converter_new(SIZE, &in_steps);
  for (guint i = 0; i < G_N_ELEMENTS(views); i++) {
    g_autoptr(GError) error = NULL;
    ck_assert(!vitgate__image_convert_view(converter, tensor, &image, &views[i], &error));
    ck_assert(g_error_matches(error, VITGATE_ERROR, VITGATE_ERROR_IMAGE));
  }
  vitgate__image_converter_free(&converter);
}
END_TEST

/* ---- Colours ---- */

static double grey_of(const double color[3])
{
  return luma[0] * color[0] + luma[1] * color[1] + luma[2] * color[2];
}

/* Applies one adjustment after the other. */
static void adjust(double color[3], const Variation *v, double mean_grey)
{
  for (guint c = 0; c < 3; c++) {
    color[c] *= v->brightness;
    color[c] = v->contrast * color[c] + (1 - v->contrast) * v->brightness * mean_grey;
  }
  const double grey = grey_of(color);
  for (guint c = 0; c < 3; c++)
    color[c] = CLAMP(v->saturation * color[c] + (1 - v->saturation) * grey, 0, 255);
}

static const Variation variations[] = {
  { .brightness = 1, .contrast = 1, .saturation = 1 },
  { .brightness = 1.3, .contrast = 1, .saturation = 1 },
  { .brightness = 1, .contrast = 0.6, .saturation = 1 },
  { .brightness = 1, .contrast = 1.4, .saturation = 1 },
  { .brightness = 1, .contrast = 1, .saturation = 0 },
  { .brightness = 1, .contrast = 1, .saturation = 1.4 },
  { .brightness = 0.7, .contrast = 1.2, .saturation = 0.8 },
  { .brightness = 1.35, .contrast = 0.75, .saturation = 1.2 },
};

START_TEST(combined_colour_changes_equal_single_ones)
{
  Variation v = variations[_i];
  v.width = v.height = SIZE;
  g_autofree guint8 *pixels = noise(3 * SIZE * SIZE);
  const VitgateImage image = rgb_image(pixels, SIZE, SIZE);
  const ImageView view = variation_view(&v, &image);
  g_autofree float *found = convert(SIZE, &image, &view);
  double mean_grey = 0;
  for (guint i = 0; i < SIZE * SIZE; i++)
    mean_grey += grey_of((double[]){ pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2] });
  mean_grey /= SIZE * SIZE;
  for (guint i = 0; i < SIZE * SIZE; i++) {
    double color[3] = { pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2] };
    adjust(color, &v, mean_grey);
    for (guint c = 0; c < 3; c++)
      ck_assert_msg(fabs(found[c * SIZE * SIZE + i] - color[c]) <= FLOAT_TOLERANCE,
                    "colour %u of pixel %u is %g, expected %g", c, i, found[c * SIZE * SIZE + i],
                    color[c]);
  }
}
END_TEST

START_TEST(contrast_is_around_the_mean_of_the_crop)
{
  /* The left half is 40, the right half 200. */
  guint8 pixels[3 * 16 * 8];
  for (guint i = 0; i < 16 * 8; i++)
    memset(pixels + 3 * i, i % 16 < 8 ? 40 : 200, 3);
  const VitgateImage image = rgb_image(pixels, 16, 8);
  Variation v = { .width = 8, .height = 8, .brightness = 1, .contrast = 0.5, .saturation = 1 };
  ck_assert_double_eq_tol(variation_view(&v, &image).offset[0], 0.5 * 40, 1e-9);
  v.x = 8;
  ck_assert_double_eq_tol(variation_view(&v, &image).offset[0], 0.5 * 200, 1e-9);
}
END_TEST

START_TEST(pixels_of_four_bytes_vary_the_same_way)
{
  g_autofree guint8 *pixels = noise(3 * 40 * 30), *wide = g_malloc0(4 * 40 * 30);
  for (guint i = 0; i < 40 * 30; i++)
    memcpy(wide + 4 * i, pixels + 3 * i, 3);
  const VitgateImage image = rgb_image(pixels, 40, 30);
  VitgateImage with_alpha = image;
  with_alpha.format = VITGATE_PIXELS_RGBX;
  with_alpha.planes[0] = wide;
  with_alpha.strides[0] = 4 * 40;
  Variation v = { 2.5, 1.5, 30, 20, TRUE, 1.2, 0.7, 0.5 };
  const ImageView view = variation_view(&v, &image);
  const ImageView other_view = variation_view(&v, &with_alpha);
  g_autofree float *expected = convert(SIZE, &image, &view);
  g_autofree float *found = convert(SIZE, &with_alpha, &other_view);
  assert_same(found, expected, SIZE);
}
END_TEST

/* ---- Drawing ---- */

static const struct {
  guint width, height;
} extents[] = { { 224, 224 }, { 64, 64 }, { 400, 232 }, { 232, 400 }, { 1, 1 }, { 1, 50 } };

START_TEST(crops_lie_within_the_photograph_and_the_ranges)
{
  const Augmentation a = AUGMENTATION_DEFAULT;
  const guint width = extents[_i].width, height = extents[_i].height;
  guint n_mirrored = 0;
  for (guint i = 0; i < 2000; i++) {
    Random random = { random_key(1, 2, i) };
    Variation v = augmentation_draw(&a, &random, width, height);
    ck_assert_double_ge(v.x, 0);
    ck_assert_double_ge(v.y, 0);
    ck_assert_double_le(v.x + v.width, width * (1 + 1e-12));
    ck_assert_double_le(v.y + v.height, height * (1 + 1e-12));
    ck_assert_double_ge(v.width / v.height, a.aspect[0] - 1e-9);
    ck_assert_double_le(v.width / v.height, a.aspect[1] + 1e-9);
    if (MIN(width, height) * 4 > MAX(width, height))
      ck_assert_double_ge(v.width * v.height, a.area[0] * width * height - 1e-6);
    ck_assert_double_ge(MIN(v.brightness, MIN(v.contrast, v.saturation)), 0.7);
    ck_assert_double_le(MAX(v.brightness, MAX(v.contrast, v.saturation)), 1.3);
    n_mirrored += v.mirrored;
  }
  /* Five standard deviations of a fair coin. */
  ck_assert_int_le(abs((int)n_mirrored - 1000), 112);
}
END_TEST

START_TEST(without_variation_the_view_is_the_whole_square)
{
  const Augmentation a = { .area = { 1, 1 }, .aspect = { 1, 1 } };
  Random random = { 3 };
  const Variation v = augmentation_draw(&a, &random, 231, 231);
  ck_assert_double_eq(v.x, 0);
  ck_assert_double_eq(v.y, 0);
  ck_assert_double_eq(v.width, 231);
  ck_assert_double_eq(v.height, 231);
  ck_assert(!v.mirrored);
  ck_assert_double_eq(v.brightness * v.contrast * v.saturation, 1);
}
END_TEST

START_TEST(grey_removes_all_colour)
{
  Augmentation a = AUGMENTATION_DEFAULT;
  a.grey = 1;
  Random random = { 3 };
  ck_assert_double_eq(augmentation_draw(&a, &random, 50, 50).saturation, 0);
}
END_TEST

/* Each image is a weighted mean of itself and the next image, computed from their original
 * values. */
START_TEST(blended_images_lie_between_neighbours)
{
  enum { N = 50, LENGTH = 3 };
  Augmentation a = AUGMENTATION_DEFAULT;
  a.mixup = 0.5;
  float tensors[N][LENGTH], before[N + 1][LENGTH];
  int labels[N];
  Random random = { 8 };
  for (guint i = 0; i < N; i++) {
    labels[i] = (int)i;
    for (guint k = 0; k < LENGTH; k++)
      before[i][k] = tensors[i][k] = (float)random_unit(&random);
  }
  memcpy(before[N], before[0], sizeof before[0]);
  augmentation_blend(&a, &random, tensors[0], labels, (BatchSlice){ 0, N, N }, LENGTH);
  guint n_blended = 0;
  for (guint i = 0; i < N; i++) {
    const float share = (tensors[i][0] - before[i][0]) / (before[i + 1][0] - before[i][0]);
    n_blended += labels[i] == -1;
    ck_assert(labels[i] == -1 ? share > 0 && share < 1 : labels[i] == (int)i && share == 0);
    for (guint k = 0; k < LENGTH; k++)
      ck_assert_float_eq_tol(tensors[i][k],
                             before[i][k] + share * (before[i + 1][k] - before[i][k]), 1e-5);
  }
  ck_assert_uint_gt(n_blended, N / 4);
  ck_assert_uint_lt(n_blended, 3 * N / 4);
}
END_TEST

START_TEST(invalid_ranges_are_rejected)
{
  const Augmentation good = AUGMENTATION_DEFAULT;
  Augmentation bad[11];
  for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
    bad[i] = good;
  bad[0].area[0] = 0;
  bad[1].area[1] = 1.5;
  bad[2].area[1] = 0.2;
  bad[3].aspect[0] = 0;
  bad[4].aspect[1] = 0.5;
  bad[5].aspect[1] = INFINITY;
  bad[6].mirror = -0.1;
  bad[7].contrast = 1.1;
  bad[8].grey = NAN;
  bad[9].area[0] = NAN;
  bad[10].mixup = 2;
  ck_assert(augmentation_check(&good, NULL));
  for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autoptr(GError) error = NULL;
    ck_assert_msg(!augmentation_check(&bad[i], &error), "number %u", i);
    assert_error(error, "invalid range or probability");
  }
}
END_TEST

START_TEST(permutations_reach_every_number_once)
{
  static const guint sizes[] = { 1, 2, 3, 5, 16, 17, 1000 };
  const guint n = sizes[_i];
  g_autofree guint8 *seen = g_malloc0(n);
  for (guint i = 0; i < n; i++) {
    guint to = random_permute(77, n, i);
    ck_assert_uint_lt(to, n);
    ck_assert_uint_eq(seen[to], 0);
    seen[to] = 1;
  }
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("augment");
  tcase_add_loop_test(tests, a_view_of_the_whole_square_is_the_centre_crop, 0, 5);
  tcase_add_loop_test(tests, a_crop_is_resampled_like_a_plain_filter, 0, G_N_ELEMENTS(parts));
  tcase_add_loop_test(tests, subsampled_chroma_moves_with_the_crop, 0, 6);
  tcase_add_loop_test(tests, a_mirrored_view_is_the_exact_mirror, 0, 4);
  tcase_add_test(tests, views_do_not_change_a_converter);
  tcase_add_test(tests, a_crop_outside_the_image_is_rejected);
  tcase_add_loop_test(tests, combined_colour_changes_equal_single_ones, 0,
                      G_N_ELEMENTS(variations));
  tcase_add_test(tests, contrast_is_around_the_mean_of_the_crop);
  tcase_add_test(tests, pixels_of_four_bytes_vary_the_same_way);
  tcase_add_loop_test(tests, crops_lie_within_the_photograph_and_the_ranges, 0,
                      G_N_ELEMENTS(extents));
  tcase_add_test(tests, without_variation_the_view_is_the_whole_square);
  tcase_add_test(tests, grey_removes_all_colour);
  tcase_add_test(tests, blended_images_lie_between_neighbours);
  tcase_add_test(tests, invalid_ranges_are_rejected);
  tcase_add_loop_test(tests, permutations_reach_every_number_once, 0, 7);
  return fixtures_run(tests, "augment");
}
