/* Pre-processing: images are turned upright, and pixels that are not square are taken as displayed.
 */
#include <math.h>

#include "fixture.h"
#include "frame.h"

/* In steps of 1/255. Both passes round to bytes, and a turned image has them in the other order. */
#define TURNED_TOLERANCE 2.01

/* In steps of 1/255: rounding errors of normalising in float. */
#define EXACT_TOLERANCE 1e-3

#define SIZE 32 /* of the network's input */

typedef struct {
  guint width, height;
} Extent;

/* Odd sides, crops of odd and even margins, and an image that is not resized. */
static const Extent extents[] = { { 1, 1 },   { 1, 2 },   { 3, 5 },   { 17, 9 },  { 67, 1 },
                                  { 31, 33 }, { 32, 32 }, { 36, 37 }, { 64, 48 }, { 127, 71 } };

/* Returns: the stored pixel that is displayed at @x, @y of an image of @width x @height as
 * displayed: the definitions of vitgate.h, one by one */
static void stored_pixel(VitgateOrientation orientation, guint width, guint height, guint *x,
                         guint *y)
{
  const guint right = width - 1 - *x, below = height - 1 - *y, left = *x, above = *y;
  const guint places[][2] = {
    [VITGATE_ORIENTATION_IDENTITY] = { left, above },
    [VITGATE_ORIENTATION_90R] = { above, right },
    [VITGATE_ORIENTATION_180] = { right, below },
    [VITGATE_ORIENTATION_90L] = { below, left },
    [VITGATE_ORIENTATION_HORIZ] = { right, above },
    [VITGATE_ORIENTATION_VERT] = { left, below },
    [VITGATE_ORIENTATION_UL_LR] = { above, left },
    [VITGATE_ORIENTATION_UR_LL] = { below, right },
  };
  *x = places[orientation][0];
  *y = places[orientation][1];
}

/* Returns: (transfer full): what @frame, an RGB frame, shows when it is turned upright */
static Frame *turn(const Frame *frame, VitgateOrientation orientation)
{
  const gboolean lying = orientation == VITGATE_ORIENTATION_90R ||
                         orientation == VITGATE_ORIENTATION_90L ||
                         orientation >= VITGATE_ORIENTATION_UL_LR;
  const guint width = lying ? frame->image.height : frame->image.width;
  const guint height = lying ? frame->image.width : frame->image.height;
  Frame *upright = frame_new(VITGATE_PIXELS_RGB, width, height, 0);
  for (guint y = 0; y < height; y++)
    for (guint x = 0; x < width; x++) {
      guint from_x = x, from_y = y;
      stored_pixel(orientation, width, height, &from_x, &from_y);
      for (guint c = 0; c < 3; c++)
        *frame_sample(upright, c, x, y) = *frame_sample(frame, c, from_x, from_y);
    }
  return upright;
}

/* Returns: (transfer full): random pixels, so far from black and white that no value is clamped
 * between the two passes */
static Frame *random_frame(guint width, guint height, guint32 seed)
{
  Frame *frame = frame_new(VITGATE_PIXELS_RGB, width, height, 0);
  for (gsize i = 0; i < frame_plane_bytes(frame, 0); i++)
    frame->planes[0][i] = (guint8)(80 + fixture_random(&seed) % 96);
  return frame;
}

static void check_same(const Frame *found, const Frame *expected)
{
  static const struct {
    VitgateFit fit;
    guint resize;
  } fits[] = { { VITGATE_FIT_CROP, 37 },
               { VITGATE_FIT_SQUASH, 37 },
               { VITGATE_FIT_SQUASH, 27 },
               { VITGATE_FIT_LETTERBOX, 37 },
               { VITGATE_FIT_LETTERBOX, 27 } };
  for (guint f = 0; f < G_N_ELEMENTS(fits); f++) {
    Preprocessing preprocessing = frame_preprocessing;
    preprocessing.fit = fits[f].fit;
    preprocessing.resize = fits[f].resize;
    g_autofree float *a = frame_tensor(&found->image, SIZE, &preprocessing);
    g_autofree float *b = frame_tensor(&expected->image, SIZE, &preprocessing);
    for (guint i = 0; i < 3 * SIZE * SIZE; i++)
      assert_each(fabsf(a[i] - b[i]) <= TURNED_TOLERANCE,
                  "orientation %d, %ux%u, fit %u: value %u is %g, not %g", found->image.orientation,
                  found->image.width, found->image.height, f, i, a[i], b[i]);
  }
}

START_TEST(a_turned_image_equals_its_upright_pixels)
{
  for (guint e = 0; e < G_N_ELEMENTS(extents); e++) {
    g_autoptr(Frame) frame = random_frame(extents[e].width, extents[e].height, e + 1);
    g_autoptr(Frame) upright = turn(frame, _i);
    frame->image.orientation = _i;
    check_same(frame, upright);
  }
}
END_TEST

/* Returns: what a converter of @preprocessing looks at */
static VitgateRectangle view_of(const VitgateImage *image, const Preprocessing *preprocessing)
{
  g_autoptr(GError) error = NULL;
  ImageConverter *converter = vitgate__image_converter_new(SIZE, preprocessing);
  VitgateRectangle view;
  const gboolean found = vitgate__image_get_view(converter, image, &view, &error);
  assert_success(found, error);
  vitgate__image_converter_free(&converter);
  return view;
}

static gboolean is_inside(const VitgateRectangle *view, guint x, guint y)
{
  return x >= view->x && x - view->x < view->width && y >= view->y && y - view->y < view->height;
}

START_TEST(the_view_of_a_turned_image_is_that_of_its_upright_pixels)
{
  for (guint e = 0; e < G_N_ELEMENTS(extents) * 4; e++) {
    const guint width = extents[e / 4].width, height = extents[e / 4].height;
    Preprocessing preprocessing = frame_preprocessing;
    preprocessing.fit = e % 4 < 2 ? VITGATE_FIT_CROP : VITGATE_FIT_CROP + e % 4 - 1;
    preprocessing.resize = e % 4 == 0 ? SIZE : 37;
    g_autoptr(Frame) frame = frame_new(VITGATE_PIXELS_RGB, width, height, 0);
    frame->image.orientation = _i;
    g_autoptr(Frame) upright = turn(frame, _i);
    const VitgateRectangle found = view_of(&frame->image, &preprocessing);
    const VitgateRectangle expected = view_of(&upright->image, &preprocessing);
    for (guint y = 0; y < upright->image.height; y++)
      for (guint x = 0; x < upright->image.width; x++) {
        guint from_x = x, from_y = y;
        stored_pixel(_i, upright->image.width, upright->image.height, &from_x, &from_y);
        assert_each(is_inside(&found, from_x, from_y) == is_inside(&expected, x, y),
                    "%ux%u, fit %u, resize %u: %u, %u", width, height, preprocessing.fit,
                    preprocessing.resize, x, y);
      }
  }
}
END_TEST

/* Returns: whether any pixel of @frame outside @area counts. Those at its edges do not. */
static gboolean looks_beyond(const Frame *frame, const VitgateRectangle *area,
                             const Preprocessing *preprocessing)
{
  g_autoptr(Frame) other = random_frame(frame->image.width, frame->image.height, 99);
  for (guint y = 0; y < frame->image.height; y++)
    for (guint x = 0; x < frame->image.width; x++)
      for (guint c = 0; c < 3 && is_inside(area, x, y); c++)
        *frame_sample(other, c, x, y) = *frame_sample(frame, c, x, y);
  g_autofree float *a = frame_tensor(&frame->image, SIZE, preprocessing);
  g_autofree float *b = frame_tensor(&other->image, SIZE, preprocessing);
  return memcmp(a, b, 3 * SIZE * SIZE * sizeof *a) != 0;
}

/* Resampling reads up to two output pixels beyond the edge of the view. */
START_TEST(the_view_is_what_counts)
{
  static const struct {
    Extent extent;
    VitgateFit fit;
    guint resize;
    VitgateRectangle view;
  } cases[] = {
    { { 321, 181 }, VITGATE_FIT_CROP, SIZE, { 68, 0, 185, 181 } },
    { { 181, 321 }, VITGATE_FIT_CROP, SIZE, { 0, 68, 181, 185 } },
    { { 321, 181 }, VITGATE_FIT_CROP, 37, { 79, 9, 159, 158 } },
    { { 321, 181 }, VITGATE_FIT_SQUASH, SIZE, { 0, 0, 321, 181 } },
    { { 321, 181 }, VITGATE_FIT_SQUASH, 37, { 17, 9, 278, 158 } },
    { { 321, 181 }, VITGATE_FIT_LETTERBOX, SIZE, { 0, 0, 321, 181 } },
    { { 32, 32 }, VITGATE_FIT_CROP, 37, { 0, 0, 32, 32 } },
    { { 1, 1 }, VITGATE_FIT_CROP, 37, { 0, 0, 1, 1 } },
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    const guint width = cases[i].extent.width, height = cases[i].extent.height;
    const guint reach = 2 * MAX(width, height) / SIZE + 1;
    Preprocessing preprocessing = frame_preprocessing;
    preprocessing.fit = cases[i].fit;
    preprocessing.resize = cases[i].resize;
    g_autoptr(Frame) frame = random_frame(width, height, i + 1);
    const VitgateRectangle view = view_of(&frame->image, &preprocessing);
    assert_each(!memcmp(&view, &cases[i].view, sizeof view), "%u: %ux%u at %u, %u", i, view.width,
                view.height, view.x, view.y);
    VitgateRectangle area = { view.x > reach ? view.x - reach : 0,
                              view.y > reach ? view.y - reach : 0, view.width + 2 * reach,
                              view.height + 2 * reach };
    assert_each(!looks_beyond(frame, &area, &preprocessing), "%u: more counts", i);
    area = (VitgateRectangle){ view.x + 1, view.y, view.width - 1, view.height };
    assert_each(view.width < SIZE || looks_beyond(frame, &area, &preprocessing), "%u: less counts",
                i);
  }
}
END_TEST

START_TEST(a_part_is_its_own_view)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Frame) frame = frame_new(VITGATE_PIXELS_RGB, 61, 47, 0);
  frame->image.part = (VitgateRectangle){ 29, 5, 20, 7 };
  const VitgateRectangle view = view_of(&frame->image, &frame_preprocessing);
  ck_assert_mem_eq(&view, &frame->image.part, sizeof view);
  frame->image.part.x = 45;
  ImageConverter *converter = vitgate__image_converter_new(SIZE, &frame_preprocessing);
  VitgateRectangle none;
  ck_assert(!vitgate__image_get_view(converter, &frame->image, &none, &error));
  assert_error(error, VITGATE_ERROR_IMAGE, "expected a part within the image of 61x47");
  vitgate__image_converter_free(&converter);
}
END_TEST

START_TEST(a_part_of_a_turned_image_is_turned_where_it_is)
{
  g_autoptr(Frame) frame = frame_new(VITGATE_PIXELS_RGB, 61, 47, 0);
  frame_fill_random(frame, 3, 0);
  frame->image.part = (VitgateRectangle){ 29, 5, SIZE, SIZE };
  frame->image.orientation = _i;
  g_autofree float *steps = frame_convert(&frame->image, SIZE, 36, TRUE);
  for (guint y = 0; y < SIZE; y++)
    for (guint x = 0; x < SIZE; x++) {
      guint from_x = x, from_y = y;
      stored_pixel(_i, SIZE, SIZE, &from_x, &from_y);
      for (guint c = 0; c < 3; c++) {
        const guint8 expected = *frame_sample(frame, c, 29 + from_x, 5 + from_y);
        const float found = steps[(c * SIZE + y) * SIZE + x];
        assert_each(fabsf(found - expected) <= EXACT_TOLERANCE, "%u, %u is %g, not %u", x, y, found,
                    expected);
      }
    }
}
END_TEST

START_TEST(every_format_is_turned)
{
  for (guint orientation = 0; orientation <= VITGATE_ORIENTATION_UR_LL; orientation++) {
    g_autoptr(Frame) frame = frame_new(_i, 48, 36, 0);
    frame_fill(frame, (const guint8[]){ 128, 128, 128 });
    for (guint y = 0; y < frame_rows(frame, 0); y++) /* the first quarter is dark */
      for (guint x = 0; y < 18 && x < 24; x++)
        for (guint c = 0; c < (frame_formats[_i].ycbcr ? 1 : frame_n_components(frame)); c++)
          frame_set(frame, c, x, y, 16);
    frame->image.orientation = orientation;
    g_autofree float *steps = frame_convert(&frame->image, SIZE, 36, TRUE);
    for (guint y = 0; y < SIZE; y += SIZE - 1)
      for (guint x = 0; x < SIZE; x += SIZE - 1) {
        guint from_x = x, from_y = y;
        stored_pixel(orientation, SIZE, SIZE, &from_x, &from_y);
        const gboolean dark = !from_x && !from_y;
        assert_each((steps[y * SIZE + x] < 64) == dark, "%s, orientation %u: %u, %u is %g",
                    frame_formats[_i].name, orientation, x, y, steps[y * SIZE + x]);
      }
  }
}
END_TEST

START_TEST(earlier_orientations_do_not_affect_a_converter)
{
  ImageConverter *converter = vitgate__image_converter_new(SIZE, &frame_preprocessing);
  g_autoptr(Frame) frame = frame_new(VITGATE_PIXELS_NV12, 57, 43, 0);
  g_autofree float *tensor = g_new(float, 3 * SIZE * SIZE);
  frame_fill_random(frame, 2, 0);
  for (guint i = 0; i < 48; i++) {
    frame->image.orientation = i * 5 % 8;
    frame->image.pixel_width = i / 8 % 3;
    frame->image.pixel_height = i / 8 % 3 ? 1 + i / 24 : 0;
    g_autofree float *fresh = frame_tensor(&frame->image, SIZE, &frame_preprocessing);
    ck_assert(vitgate__image_convert(converter, tensor, &frame->image, NULL));
    assert_each(!memcmp(tensor, fresh, 3 * SIZE * SIZE * sizeof(float)), "image %u", i);
  }
  vitgate__image_converter_free(&converter);
}
END_TEST

/* The frame shows a ramp, so the result tells which part was taken and how it was stretched. */
static void check_shape(guint width, guint height, guint pixel_width, guint pixel_height,
                        gboolean vertical)
{
  g_autoptr(Frame) frame = frame_new(VITGATE_PIXELS_RGB, width, height, 0);
  frame->image.pixel_width = pixel_width;
  frame->image.pixel_height = pixel_height;
  const double side = vertical ? height : width;
  for (guint c = 0; c < 3; c++)
    for (guint y = 0; y < height; y++)
      for (guint x = 0; x < width; x++)
        frame_set(frame, c, x, y, 255 * ((vertical ? y : x) + 0.5) / side);
  g_autofree float *steps = frame_convert(&frame->image, SIZE, 36, TRUE);
  const double w = (double)width * MAX(pixel_width, 1), h = (double)height * MAX(pixel_height, 1);
  const double resized = floor((vertical ? h : w) * 36 / MIN(w, h));
  for (guint i = 2; i < SIZE - 2; i++) {
    const double expected = 255 * (i + 0.5 + rint((resized - SIZE) / 2)) / resized;
    const float found = steps[vertical ? i * SIZE + SIZE / 2 : SIZE / 2 * SIZE + i];
    assert_each(fabs(found - expected) <= 1.5, "%ux%u, pixels of %u:%u: step %u is %g, not %g",
                width, height, pixel_width, pixel_height, i, found, expected);
  }
}

START_TEST(pixels_that_are_not_square_are_taken_as_displayed)
{
  static const guint shapes[][2] = {
    { 0, 0 }, { 1, 1 }, { 2, 1 },  { 1, 2 },     { 16, 11 },          { 10, 11 },
    { 7, 7 }, { 4, 3 }, { 1, 30 }, { 1000, 33 }, { 4000000, 3000000 }
  };
  static const Extent sizes[] = { { 64, 48 }, { 203, 288 }, { 72, 61 }, { 32, 32 }, { 36, 90 } };
  for (guint s = 0; s < G_N_ELEMENTS(shapes); s++)
    for (guint e = 0; e < G_N_ELEMENTS(sizes); e++) {
      if (sizes[e].width == SIZE && shapes[s][0] == shapes[s][1])
        continue; /* not resized, which another test checks */
      check_shape(sizes[e].width, sizes[e].height, shapes[s][0], shapes[s][1], FALSE);
      check_shape(sizes[e].width, sizes[e].height, shapes[s][0], shapes[s][1], TRUE);
    }
}
END_TEST

START_TEST(pixels_are_shaped_before_they_are_turned)
{
  g_autoptr(Frame) frame = random_frame(61, 97, 3);
  g_autoptr(Frame) upright = turn(frame, VITGATE_ORIENTATION_90R);
  frame->image.orientation = VITGATE_ORIENTATION_90R;
  frame->image.pixel_width = upright->image.pixel_height = 2;
  frame->image.pixel_height = upright->image.pixel_width = 1;
  check_same(frame, upright);
}
END_TEST

int main(void)
{
  TCase *turned = tcase_create("turned");
  tcase_add_loop_test(turned, a_turned_image_equals_its_upright_pixels, 0, 8);
  tcase_add_loop_test(turned, a_part_of_a_turned_image_is_turned_where_it_is, 0, 8);
  tcase_add_loop_test(turned, the_view_of_a_turned_image_is_that_of_its_upright_pixels, 0, 8);
  tcase_add_test(turned, the_view_is_what_counts);
  tcase_add_test(turned, a_part_is_its_own_view);
  tcase_add_loop_test(turned, every_format_is_turned, 0, VITGATE_PIXELS_N_FORMATS);
  tcase_add_test(turned, earlier_orientations_do_not_affect_a_converter);
  tcase_add_test(turned, pixels_that_are_not_square_are_taken_as_displayed);
  tcase_add_test(turned, pixels_are_shaped_before_they_are_turned);
  return fixture_run("image-turn", turned, NULL);
}
