/* Pre-processing: converts frames of any size and memory layout to the network's input.
 * test-image-color.c tests the colours, test-image-turn.c orientation and the shape of pixels. */
#include <math.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fixture.h"
#include "frame.h"
#include "guarded.h"
#include "image/image.h"

/* In steps of 1/255. The project promises a mean of at most 0.6 and a maximum of 4. Both PIL and
 * the engine round to bytes after each axis, so a value half way between two steps may differ by
 * one per pass. */
#define PIL_MEAN_TOLERANCE 0.05
#define PIL_MAX_TOLERANCE  2.01

/* The mean where the scale is a simple fraction, such as 36 / 32 or 64 / 32: bilinear weights are
 * then such fractions too, and many values lie exactly half way between two steps. */
#define PIL_HALVES_TOLERANCE 0.1

/* In steps of 1/255: rounding errors of normalising in float. */
#define EXACT_TOLERANCE 1e-3

#define N_FITS (VITGATE_FIT_LETTERBOX - VITGATE_FIT_CROP + 1)

#define SIZE 32 /* of the network's input, unless stated otherwise */

typedef struct {
  guint width, height;
} Extent;

/* Sides that are odd, 1, shorter than a vector, and longer than the network's input. */
static const Extent extents[] = { { 1, 1 },   { 1, 2 },   { 2, 1 },   { 3, 5 },   { 17, 9 },
                                  { 1, 67 },  { 67, 1 },  { 5, 2 },   { 31, 33 }, { 33, 31 },
                                  { 32, 32 }, { 36, 36 }, { 64, 48 }, { 127, 71 } };

/* ---- The Python Imaging Library ---- */

/* Returns: (transfer full): the tensor in steps of 1/255 */
static float *convert_steps(const VitgateImage *image, guint size, const Preprocessing *p)
{
  float *steps = frame_tensor(image, size, p);
  for (guint i = 0; i < 3 * size * size; i++)
    steps[i] = 255 * (steps[i] * p->std[i / (size * size)] + p->mean[i / (size * size)]);
  return steps;
}

/* Compares with PIL's result "FIT.WxH.INTERPOLATION.RESIZE.CROP" for the picture "source.WxH". */
static void check_golden(const Safetensors *goldens, const Tensor *crop)
{
  guint width, height, resize, size;
  char fit[16], interpolation[16];
  ck_assert_int_eq(sscanf(crop->name, "%15[a-z].%ux%u.%15[a-z].%u.%u", fit, &width, &height,
                          interpolation, &resize, &size),
                   6);
  if (width == size && height == size)
    return; /* it is not resized, which another test checks */
  g_autofree char *source = g_strdup_printf("source.%ux%u", width, height);
  const Tensor *pixels = vitgate__safetensors_find(goldens, source);
  VitgateImage image = { .format = VITGATE_PIXELS_RGB,
                         .width = width,
                         .height = height,
                         .planes = { pixels->data },
                         .strides = { 3 * width } };
  Preprocessing preprocessing = { .resize = resize,
                                  .bicubic = !strcmp(interpolation, "bicubic"),
                                  .mean = { 0.485f, 0.456f, 0.406f },
                                  .std = { 0.229f, 0.224f, 0.225f } };
  ck_assert(vitgate_fit_parse(fit, &preprocessing.fit, NULL));
  g_autofree float *steps = convert_steps(&image, size, &preprocessing);
  const guint8 *expected = crop->data;
  double sum = 0, max = 0;
  for (guint i = 0; i < size * size; i++)
    for (guint c = 0; c < 3; c++) {
      double difference = fabs(steps[c * size * size + i] - expected[3 * i + c]);
      sum += difference;
      max = MAX(max, difference);
    }
  const double mean = sum / (3 * size * size);
  const gboolean simple =
      !preprocessing.bicubic && (width * 8 % size == 0 || height * 8 % size == 0);
  ck_assert_msg(mean <= (simple ? PIL_HALVES_TOLERANCE : PIL_MEAN_TOLERANCE) &&
                    max <= PIL_MAX_TOLERANCE,
                "%s: differs by %g on average, %g at most", crop->name, mean, max);
}

START_TEST(resizing_agrees_with_pil)
{
  g_autoptr(Safetensors) goldens = fixture_open_golden("golden", "preprocessing");
  guint n, n_crops = 0;
  const Tensor *tensors = vitgate__safetensors_list(goldens, &n);
  for (guint i = 0; i < n; i++)
    if (g_str_has_prefix(tensors[i].name, "crop.")) {
      check_golden(goldens, &tensors[i]);
      n_crops++;
    }
  ck_assert_uint_ge(n_crops, 30);
}
END_TEST

START_TEST(squashing_and_letterboxing_agree_with_pil)
{
  g_autoptr(Safetensors) goldens = fixture_open_golden("golden", "fits");
  guint n, n_crops = 0;
  const Tensor *tensors = vitgate__safetensors_list(goldens, &n);
  for (guint i = 0; i < n; i++)
    if (!g_str_has_prefix(tensors[i].name, "source.")) {
      check_golden(goldens, &tensors[i]);
      n_crops++;
    }
  ck_assert_uint_ge(n_crops, 60);
}
END_TEST

/* Y'CbCr formats are converted as RGB is: all pixels of one colour stay so, with the same borders.
 */
START_TEST(every_format_is_letterboxed_alike)
{
  static const Extent shapes[] = { { 64, 48 }, { 48, 64 }, { 300, 5 }, { 1, 67 }, { 33, 31 } };
  const float mean[] = { 0.5f, 0.25f, 0.75f };
  Preprocessing p = { .resize = SIZE, .bicubic = TRUE, .fit = VITGATE_FIT_LETTERBOX };
  for (guint c = 0; c < 3; c++) {
    p.mean[c] = mean[c];
    p.std[c] = 1;
  }
  for (guint s = 0; s < G_N_ELEMENTS(shapes); s++) {
    const guint width = shapes[s].width, height = shapes[s].height, longer = MAX(width, height);
    g_autoptr(Frame) frame = frame_new(_i, width, height, 3);
    frame->image.full_range = TRUE;
    frame_fill(frame, (const guint8[]){ 128, 128, 128 });
    g_autofree float *steps = convert_steps(&frame->image, SIZE, &p);
    const guint columns = (guint)MAX(lrint((double)width * SIZE / longer), 1);
    const guint rows = (guint)MAX(lrint((double)height * SIZE / longer), 1);
    const guint left = (SIZE - columns) / 2, top = (SIZE - rows) / 2;
    for (guint y = 0; y < SIZE; y++)
      for (guint x = 0; x < SIZE; x++)
        for (guint c = 0; c < 3; c++) {
          const gboolean inside = x >= left && x < left + columns && y >= top && y < top + rows;
          const float expected = inside ? 128 : rintf(255 * mean[c]);
          const float found = steps[(c * SIZE + y) * SIZE + x];
          assert_each(fabsf(found - expected) <= 0.01f,
                      "%s of %ux%u: %u, %u is %g in colour %u, "
                      "not %g",
                      frame_formats[_i].name, width, height, x, y, found, c, expected);
        }
  }
}
END_TEST

START_TEST(a_part_is_stretched_whatever_the_fit)
{
  g_autoptr(Frame) frame = frame_new(VITGATE_PIXELS_NV12, 61, 47, 0);
  frame_fill_random(frame, 3, 0);
  frame->image.part = (VitgateRectangle){ 3, 5, 40, 20 };
  Preprocessing p = frame_preprocessing;
  g_autofree float *expected = frame_tensor(&frame->image, SIZE, &p);
  for (p.fit = VITGATE_FIT_CROP; p.fit <= VITGATE_FIT_LETTERBOX; p.fit++) {
    g_autofree float *found = frame_tensor(&frame->image, SIZE, &p);
    ck_assert_mem_eq(found, expected, 3 * SIZE * SIZE * sizeof *found);
  }
}
END_TEST

START_TEST(an_image_of_the_right_size_is_taken_as_it_is)
{
  g_autoptr(Safetensors) goldens = fixture_open_golden("golden", "preprocessing");
  const guint8 *pixels = vitgate__safetensors_find(goldens, "source.32x32")->data;
  VitgateImage image = { .format = VITGATE_PIXELS_RGB,
                         .width = SIZE,
                         .height = SIZE,
                         .planes = { pixels },
                         .strides = { 3 * SIZE } };
  g_autofree float *steps = frame_convert(&image, SIZE, 36, TRUE);
  for (guint i = 0; i < SIZE * SIZE; i++)
    for (guint c = 0; c < 3; c++)
      assert_each(fabsf(steps[c * SIZE * SIZE + i] - pixels[3 * i + c]) <= EXACT_TOLERANCE,
                  "pixel %u is %g in colour %u, not %u", i, steps[c * SIZE * SIZE + i], c,
                  pixels[3 * i + c]);
}
END_TEST

START_TEST(mean_and_deviation_normalise_the_tensor)
{
  const Preprocessing preprocessing = {
    .resize = SIZE, .bicubic = TRUE, .mean = { 0.1f, 0.5f, 0.9f }, .std = { 0.2f, 1.0f, 3.0f }
  };
  g_autoptr(Frame) frame = frame_new(VITGATE_PIXELS_RGB, SIZE, SIZE, 0);
  frame_fill(frame, (const guint8[]){ 51, 102, 204 });
  g_autoptr(GError) error = NULL;
  g_autofree float *tensor = g_new(float, 3 * SIZE * SIZE);
  ImageConverter *converter = vitgate__image_converter_new(SIZE, &preprocessing);
  ck_assert(vitgate__image_convert(converter, tensor, &frame->image, &error));
  vitgate__image_converter_free(&converter);
  for (guint i = 0; i < SIZE * SIZE; i++) {
    assert_each(fabsf(tensor[i] - 0.5f) < 1e-6f, "red is %g", tensor[i]);
    assert_each(fabsf(tensor[i + SIZE * SIZE] + 0.1f) < 1e-6f, "green is %g",
                tensor[i + SIZE * SIZE]);
    assert_each(fabsf(tensor[i + 2 * SIZE * SIZE] + 0.1f / 3) < 1e-6f, "blue is %g",
                tensor[i + 2 * SIZE * SIZE]);
  }
}
END_TEST

/* ---- Memory ---- */

static gsize tensor_bytes(guint size)
{
  return (gsize)3 * size * size * sizeof(float);
}

/* Converts a random frame, whose bytes between the rows are @poison. */
static float *convert_random(VitgatePixelFormat format, Extent e, gsize gap, guint8 poison)
{
  g_autoptr(Frame) frame = frame_new(format, e.width, e.height, gap);
  frame_fill_random(frame, 7, poison);
  return frame_convert(&frame->image, SIZE, 36, TRUE);
}

START_TEST(bytes_between_rows_do_not_matter)
{
  for (guint e = 0; e < G_N_ELEMENTS(extents); e++) {
    g_autofree float *tight = convert_random(_i, extents[e], 0, 0);
    for (gsize gap = 1; gap < 70; gap += 23) {
      g_autofree float *dark = convert_random(_i, extents[e], gap, 0);
      g_autofree float *light = convert_random(_i, extents[e], gap, 255);
      assert_each(!memcmp(tight, dark, tensor_bytes(SIZE)) &&
                      !memcmp(tight, light, tensor_bytes(SIZE)),
                  "%s of %ux%u with %" G_GSIZE_FORMAT " bytes between the rows",
                  frame_formats[_i].name, extents[e].width, extents[e].height, gap);
    }
  }
}
END_TEST

/* Each plane ends with the last pixel of its last row, at the end of readable memory. */
START_TEST(nothing_is_read_beyond_the_planes)
{
  Guarded *planes[3] = { guarded_new(1 << 18), guarded_new(1 << 16), guarded_new(1 << 16) };
  Guarded *tensor = guarded_new(tensor_bytes(SIZE));
  Preprocessing preprocessing = frame_preprocessing;
  preprocessing.fit = VITGATE_FIT_CROP + _i / VITGATE_PIXELS_N_FORMATS;
  ImageConverter *converter = vitgate__image_converter_new(SIZE, &preprocessing);
  const guint format = _i % VITGATE_PIXELS_N_FORMATS;
  for (guint e = 0; e < G_N_ELEMENTS(extents); e++)
    for (guint variant = 0; variant < 4; variant++) {
      const GuardedPlace where = variant % 2 ? GUARDED_START : GUARDED_END;
      g_autoptr(GError) error = NULL;
      g_autoptr(Frame) frame =
          frame_new(format, extents[e].width, extents[e].height, variant / 2 * 5);
      frame_fill_random(frame, e + 1, 0);
      VitgateImage image = frame->image;
      for (guint p = 0; p < frame_formats[format].n_planes; p++) {
        gsize n = frame_plane_bytes(frame, p);
        image.planes[p] = memcpy(guarded_place(planes[p], n, where), image.planes[p], n);
      }
      float *out = guarded_place(tensor, tensor_bytes(SIZE), where);
      ck_assert(vitgate__image_convert(converter, out, &image, &error));
      ck_assert(guarded_intact(tensor));
    }
  vitgate__image_converter_free(&converter);
  for (guint p = 0; p < 3; p++)
    guarded_free(planes[p]);
  guarded_free(tensor);
}
END_TEST

START_TEST(a_team_makes_the_same_tensor)
{
  Team *team = vitgate__team_new(3);
  Preprocessing preprocessing = frame_preprocessing;
  preprocessing.fit = VITGATE_FIT_CROP + _i / VITGATE_PIXELS_N_FORMATS;
  ImageConverter *converter = vitgate__image_converter_new(SIZE, &preprocessing);
  const guint format = _i % VITGATE_PIXELS_N_FORMATS;
  g_autofree float *tensor = g_new(float, 3 * SIZE * SIZE);
  vitgate__image_converter_set_team(converter, team);
  for (guint e = 0; e < G_N_ELEMENTS(extents); e++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(Frame) frame = frame_new(format, extents[e].width, extents[e].height, 0);
    frame_fill_random(frame, e + 1, 0);
    g_autofree float *alone = frame_tensor(&frame->image, SIZE, &preprocessing);
    memset(tensor, 0xff, tensor_bytes(SIZE));
    ck_assert(vitgate__image_convert(converter, tensor, &frame->image, &error));
    assert_each(!memcmp(tensor, alone, tensor_bytes(SIZE)), "%s of %ux%u",
                frame_formats[format].name, extents[e].width, extents[e].height);
  }
  vitgate__image_converter_free(&converter);
  vitgate__team_free(&team);
}
END_TEST

START_TEST(earlier_frames_do_not_affect_a_converter)
{
  static const Extent sizes[] = { { 64, 48 }, { 64, 33 }, { 3, 5 },
                                  { 127, 5 }, { 32, 32 }, { 1, 67 } };
  ImageConverter *converter = vitgate__image_converter_new(SIZE, &frame_preprocessing);
  g_autofree float *tensor = g_new(float, 3 * SIZE * SIZE);
  g_autoptr(GError) error = NULL;
  for (guint round = 0; round < 3; round++)
    for (guint s = 0; s < G_N_ELEMENTS(sizes); s++)
      for (guint format = 0; format < VITGATE_PIXELS_N_FORMATS; format++)
        for (guint site = VITGATE_CHROMA_LEFT; site <= VITGATE_CHROMA_TOP_LEFT; site++) {
          g_autoptr(Frame) frame = frame_new(format, sizes[s].width, sizes[s].height, round);
          frame_fill_random(frame, 9, 0);
          frame->image.chroma_site = site;
          frame->image.full_range = site == VITGATE_CHROMA_CENTER;
          g_autofree float *fresh = frame_tensor(&frame->image, SIZE, &frame_preprocessing);
          ck_assert(vitgate__image_convert(converter, tensor, &frame->image, &error));
          assert_each(!memcmp(tensor, fresh, tensor_bytes(SIZE)), "%s of %ux%u, round %u",
                      frame_formats[format].name, sizes[s].width, sizes[s].height, round);
        }
  vitgate__image_converter_free(&converter);
}
END_TEST

/* ---- Parts ---- */

START_TEST(a_part_of_the_right_size_is_taken_pixel_by_pixel)
{
  g_autoptr(Frame) frame = frame_new(VITGATE_PIXELS_RGB, 61, 47, 0);
  frame_fill_random(frame, 3, 0);
  frame->image.part = (VitgateRectangle){ 29, 5, SIZE, SIZE };
  g_autofree float *steps = frame_convert(&frame->image, SIZE, 36, TRUE);
  for (guint y = 0; y < SIZE; y++)
    for (guint x = 0; x < SIZE; x++)
      for (guint c = 0; c < 3; c++) {
        const float found = steps[(c * SIZE + y) * SIZE + x];
        const guint8 expected = *frame_sample(frame, c, 29 + x, 5 + y);
        assert_each(fabsf(found - expected) <= EXACT_TOLERANCE, "%u, %u is %g, not %u", x, y, found,
                    expected);
      }
}
END_TEST

/* Returns: (transfer full): @frame without its first @left columns and @top rows; both are
 * multiples of a chroma sample */
static Frame *cut_off(Frame *frame, guint left, guint top)
{
  const FrameFormat *format = &frame_formats[frame->image.format];
  Frame *rest =
      frame_new(frame->image.format, frame->image.width - left, frame->image.height - top, 0);
  for (guint c = 0; c < frame_n_components(rest); c++) {
    const guint column = left / (c ? format->sub_x : 1), row = top / (c ? format->sub_y : 1);
    for (guint y = 0; y < frame_rows(rest, c); y++)
      for (guint x = 0; x < frame_columns(rest, c); x++)
        memcpy(frame_sample(rest, c, x, y), frame_sample(frame, c, column + x, row + y),
               frame_sample_bytes(frame));
  }
  return rest;
}

START_TEST(a_part_depends_only_on_pixels_near_it)
{
  static const VitgateRectangle parts[] = { { 20, 16, 33, 33 }, { 19, 15, 40, 9 } };
  g_autoptr(Frame) frame = frame_new(_i, 83, 71, 0);
  frame_fill_random(frame, 5, 0);
  g_autoptr(Frame) rest = cut_off(frame, 8, 4);
  for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
    frame->image.part = rest->image.part = parts[i];
    rest->image.part.x -= 8;
    rest->image.part.y -= 4;
    g_autofree float *expected = frame_convert(&frame->image, SIZE, 36, TRUE);
    g_autofree float *found = frame_convert(&rest->image, SIZE, 36, TRUE);
    assert_each(!memcmp(expected, found, tensor_bytes(SIZE)), "%s, part %u", frame_formats[_i].name,
                i);
  }
}
END_TEST

START_TEST(earlier_parts_do_not_affect_a_converter)
{
  static const VitgateRectangle parts[] = { { 3, 1, 20, 20 }, { 0 }, { 3, 2, 20, 20 }, { 0 } };
  g_autoptr(Frame) frame = frame_new(VITGATE_PIXELS_NV12, 57, 43, 0);
  frame_fill_random(frame, 2, 0);
  ImageConverter *converter = vitgate__image_converter_new(SIZE, &frame_preprocessing);
  g_autofree float *tensor = g_new(float, 3 * SIZE * SIZE);
  for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
    frame->image.part = parts[i];
    g_autofree float *fresh = frame_tensor(&frame->image, SIZE, &frame_preprocessing);
    ck_assert(vitgate__image_convert(converter, tensor, &frame->image, NULL));
    assert_each(!memcmp(tensor, fresh, tensor_bytes(SIZE)), "part %u", i);
  }
  vitgate__image_converter_free(&converter);
}
END_TEST

/* ---- Large frames ---- */

/* Maps a gray frame of @side x @side pixels. All rows share the memory of one band of 16 equal
 * rows, so the frame takes little memory. */
static guint8 *map_repeated_rows(const guint8 *row, guint side)
{
  const gsize band = (gsize)16 * side;
  int file = memfd_create("rows", 0);
  for (guint i = 0; i < 16; i++)
    ck_assert_int_eq(write(file, row, side), side);
  guint8 *memory = mmap(NULL, (gsize)side * side, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert_ptr_ne(memory, MAP_FAILED);
  for (gsize at = 0; at < (gsize)side * side; at += band)
    ck_assert_ptr_eq(mmap(memory + at, band, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0),
                     memory + at);
  close(file);
  return memory;
}

START_TEST(a_frame_of_16384_pixels_a_side_is_resized)
{
  enum { SIDE = 16384 };
  g_autofree guint8 *row = g_malloc(SIDE);
  for (guint x = 0; x < SIDE; x++)
    row[x] = (guint8)(x / (SIDE / 256));
  VitgateImage image = { .format = VITGATE_PIXELS_GRAY8,
                         .width = SIDE,
                         .height = SIDE,
                         .full_range = TRUE,
                         .planes = { map_repeated_rows(row, SIDE) },
                         .strides = { SIDE } };
  g_autofree float *steps = frame_convert(&image, SIZE, 36, TRUE);
  /* A ramp stays a ramp. The edges, where the filter is cut off, are outside the crop. The
   * tolerance is for the ramp's own steps and two roundings. */
  const double tolerance = 1.5;
  for (guint y = 0; y < SIZE; y++)
    for (guint x = 0; x < SIZE; x++) {
      double expected = (x + 2 + 0.5) * 256.0 / 36 - 0.5;
      assert_each(fabs(steps[y * SIZE + x] - expected) <= tolerance, "pixel %u, %u is %g, not %g",
                  x, y, steps[y * SIZE + x], expected);
    }
  munmap((void *)image.planes[0], (gsize)SIDE * SIDE);
}
END_TEST

START_TEST(the_longest_rows_and_columns_are_resized)
{
  static const Extent longest[] = { { 32767, 1 }, { 1, 32767 }, { 32767, 3 }, { 3, 32767 } };
  for (guint e = 0; e < G_N_ELEMENTS(longest); e++) {
    g_autoptr(Frame) frame = frame_new(_i, longest[e].width, longest[e].height, 0);
    frame->image.full_range = TRUE;
    frame_fill(frame, (const guint8[]){ 128, 128, 128 });
    g_autofree float *steps = frame_convert(&frame->image, SIZE, 36, TRUE);
    for (guint i = 0; i < 3 * SIZE * SIZE; i++)
      assert_each(fabsf(steps[i] - 128) <= EXACT_TOLERANCE, "%s of %ux%u: %g",
                  frame_formats[_i].name, longest[e].width, longest[e].height, steps[i]);
  }
}
END_TEST

/* ---- Invalid images ---- */

static const guint8 pixel[16];

static const struct {
  const char *message;
  VitgateImage image;
} bad_images[] = {
  { "of 0x5 pixels", { .format = VITGATE_PIXELS_RGB, .height = 5, .strides = { 96 } } },
  { "of 5x0 pixels", { .format = VITGATE_PIXELS_RGB, .width = 5, .strides = { 96 } } },
  { "of 40000x1 pixels",
    { .format = VITGATE_PIXELS_GRAY8, .width = 40000, .height = 1, .strides = { 40000 } } },
  { "of 1x40000 pixels",
    { .format = VITGATE_PIXELS_GRAY8, .width = 1, .height = 40000, .strides = { 1 } } },
  { "of 4294967295x4294967295 pixels",
    { .format = VITGATE_PIXELS_NV12, .width = G_MAXUINT, .height = G_MAXUINT } },
  { "format 19 is unknown", { .format = VITGATE_PIXELS_N_FORMATS, .width = 1, .height = 1 } },
  { "format -1 is unknown", { .format = (VitgatePixelFormat)-1, .width = 1, .height = 1 } },
  { "no data and 15 bytes per row",
    { .format = VITGATE_PIXELS_RGB,
      .width = 5,
      .height = 1,
      .planes = { NULL },
      .strides = { 15 } } },
  { "14 bytes per row, expected at least 15",
    { .format = VITGATE_PIXELS_RGB, .width = 5, .height = 1, .strides = { 14 } } },
  { "19 bytes per row, expected at least 20",
    { .format = VITGATE_PIXELS_BGRX, .width = 5, .height = 1, .strides = { 19 } } },
  { "4 bytes per row, expected at least 5",
    { .format = VITGATE_PIXELS_GRAY8, .width = 5, .height = 1, .strides = { 4 } } },
  { "plane 1 of a NV12 image 5 pixels wide has 5 bytes per row, expected at least 6",
    { .format = VITGATE_PIXELS_NV12, .width = 5, .height = 1, .strides = { 5, 5 } } },
  { "plane 2 of a I420 image 5 pixels wide has 2 bytes per row, expected at least 3",
    { .format = VITGATE_PIXELS_I420, .width = 5, .height = 1, .strides = { 5, 3, 2 } } },
  { "plane 0 of a P010_10LE image 5 pixels wide has 9 bytes per row, expected at least 10",
    { .format = VITGATE_PIXELS_P010_10LE, .width = 5, .height = 1, .strides = { 9, 12 } } },
  { "plane 1 of a P010_10LE image 5 pixels wide has 11 bytes per row, expected at least 12",
    { .format = VITGATE_PIXELS_P010_10LE, .width = 5, .height = 1, .strides = { 10, 11 } } },
  { "bytes per row, more than any memory holds",
    { .format = VITGATE_PIXELS_GRAY8, .width = 5, .height = 4, .strides = { G_MAXSSIZE } } },
  { "11 bytes per row, expected at least 12",
    { .format = VITGATE_PIXELS_YUY2, .width = 5, .height = 1, .strides = { 11 } } },
  { "0 bytes per row", { .format = VITGATE_PIXELS_UYVY, .width = 1, .height = 1 } },
#define GRAY_5X4 .format = VITGATE_PIXELS_GRAY8, .width = 5, .height = 4, .strides = { 5 }
  { "a part of 5x4 pixels at 1, 0, expected a part within the image of 5x4",
    { GRAY_5X4, .part = { 1, 0, 5, 4 } } },
  { "a part of 1x1 pixels at 0, 4", { GRAY_5X4, .part = { 0, 4, 1, 1 } } },
  { "a part of 0x1 pixels", { GRAY_5X4, .part = { 0, 0, 0, 1 } } },
  { "a part of 1x0 pixels", { GRAY_5X4, .part = { 0, 0, 1, 0 } } },
  { "a part of 2x2 pixels", { GRAY_5X4, .part = { G_MAXUINT, G_MAXUINT, 2, 2 } } },
  { "orientation 8 is unknown", { GRAY_5X4, .orientation = 8 } },
  { "orientation -1 is unknown", { GRAY_5X4, .orientation = (VitgateOrientation)-1 } },
  { "pixels of 0:1 in an image of 5x4", { GRAY_5X4, .pixel_height = 1 } },
  { "pixels of 2:0 in an image of 5x4", { GRAY_5X4, .pixel_width = 2 } },
  { "pixels of 26215:1 in an image of 5x4", { GRAY_5X4, .pixel_width = 26215, .pixel_height = 1 } },
  { "pixels of 1:40960 in an image of 5x4", { GRAY_5X4, .pixel_width = 1, .pixel_height = 40960 } },
  { "pixels of 4294967295:1 in an image of 5x4",
    { GRAY_5X4, .pixel_width = G_MAXUINT, .pixel_height = 1 } },
  { "reserved field 1 of a GRAY8 image is set, expected zero",
    { GRAY_5X4, .reserved = { [1] = "of a newer version" } } },
};

START_TEST(an_invalid_image_is_refused)
{
  VitgateImage image = bad_images[_i].image;
  float tensor[3 * SIZE * SIZE];
  g_autoptr(GError) error = NULL;
  ImageConverter *converter = vitgate__image_converter_new(SIZE, &frame_preprocessing);
  if (!strstr(bad_images[_i].message, "no data"))
    for (guint p = 0; p < 3; p++)
      image.planes[p] = pixel;
  ck_assert(!vitgate__image_convert(converter, tensor, &image, &error));
  assert_error(error, VITGATE_ERROR_IMAGE, bad_images[_i].message);
  ck_assert(!vitgate__image_convert(converter, tensor, &image, NULL));

  VitgateImage good = {
    .format = VITGATE_PIXELS_GRAY8, .width = 4, .height = 4, .planes = { pixel }, .strides = { 4 }
  };
  ck_assert_msg(vitgate__image_convert(converter, tensor, &good, &error), "unusable after it");
  vitgate__image_converter_free(&converter);
}
END_TEST

int main(void)
{
  TCase *pixels = tcase_create("pixels"), *large = tcase_create("large"),
        *bad = tcase_create("bad");
  tcase_add_test(pixels, resizing_agrees_with_pil);
  tcase_add_test(pixels, squashing_and_letterboxing_agree_with_pil);
  tcase_add_loop_test(pixels, every_format_is_letterboxed_alike, 0, VITGATE_PIXELS_N_FORMATS);
  tcase_add_test(pixels, a_part_is_stretched_whatever_the_fit);
  tcase_add_test(pixels, an_image_of_the_right_size_is_taken_as_it_is);
  tcase_add_test(pixels, mean_and_deviation_normalise_the_tensor);
  tcase_add_loop_test(pixels, bytes_between_rows_do_not_matter, 0, VITGATE_PIXELS_N_FORMATS);
  tcase_add_loop_test(pixels, nothing_is_read_beyond_the_planes, 0,
                      N_FITS * VITGATE_PIXELS_N_FORMATS);
  tcase_add_loop_test(pixels, a_team_makes_the_same_tensor, 0, N_FITS * VITGATE_PIXELS_N_FORMATS);
  tcase_add_test(pixels, earlier_frames_do_not_affect_a_converter);
  tcase_add_test(pixels, a_part_of_the_right_size_is_taken_pixel_by_pixel);
  tcase_add_loop_test(pixels, a_part_depends_only_on_pixels_near_it, 0, VITGATE_PIXELS_N_FORMATS);
  tcase_add_test(pixels, earlier_parts_do_not_affect_a_converter);
  tcase_add_test(large, a_frame_of_16384_pixels_a_side_is_resized);
  tcase_add_loop_test(large, the_longest_rows_and_columns_are_resized, 0, VITGATE_PIXELS_N_FORMATS);
  tcase_add_loop_test(bad, an_invalid_image_is_refused, 0, G_N_ELEMENTS(bad_images));
  return fixture_run("image", pixels, large, bad, NULL);
}
