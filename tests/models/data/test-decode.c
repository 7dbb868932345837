#include "data/decode.h"

#include <string.h>

#include "data/photo-reader.h"
#include "fixtures.h"

static void assert_refused(GBytes *file, const char *message)
{
  g_autoptr(GError) error = NULL;
  GdkPixbuf *pixels = decode_pixels(file, DECODE_UPRIGHT, &error);
  ck_assert_ptr_null(pixels);
  assert_error(error, message);
}

static const char *const formats[] = { "png", "jpeg", "bmp" };

START_TEST(pictures_become_pixels)
{
  g_autoptr(GBytes) file = fixtures_picture(formats[_i], 33, 7, FALSE, 0x20c04000);
  g_autoptr(GdkPixbuf) pixels = decode_pixels(file, DECODE_UPRIGHT, NULL);
  ck_assert_ptr_nonnull(pixels);
  VitgateImage image = decode_as_image(pixels);
  ck_assert_int_eq(image.format, VITGATE_PIXELS_RGB);
  ck_assert_uint_eq(image.width, 33);
  ck_assert_uint_eq(image.height, 7);
  const guint8 *last = image.planes[0] + 6 * image.strides[0] + 32 * 3;
  /* JPEG converts to Y'CbCr and back. */
  ck_assert_int_le(ABS(last[0] - 0x20), 2);
  ck_assert_int_le(ABS(last[1] - 0xc0), 2);
  ck_assert_int_le(ABS(last[2] - 0x40), 2);
}
END_TEST

START_TEST(alpha_is_ignored_not_blended)
{
  g_autoptr(GBytes) file = fixtures_picture("png", 5, 5, TRUE, 0x20c04010);
  g_autoptr(GdkPixbuf) pixels = decode_pixels(file, DECODE_UPRIGHT, NULL);
  ck_assert_ptr_nonnull(pixels);
  VitgateImage image = decode_as_image(pixels);
  ck_assert_int_eq(image.format, VITGATE_PIXELS_RGBX);
  const guint8 colour[] = { 0x20, 0xc0, 0x40 };
  ck_assert_mem_eq(image.planes[0], colour, 3);
}
END_TEST

START_TEST(grey_becomes_three_equal_components)
{
  g_autoptr(GBytes) file = g_bytes_new_static("P5 2 1 255\n\x10\xf0", 13);
  g_autoptr(GdkPixbuf) pixels = decode_pixels(file, DECODE_UPRIGHT, NULL);
  ck_assert_ptr_nonnull(pixels);
  const guint8 expected[] = { 0x10, 0x10, 0x10, 0xf0, 0xf0, 0xf0 };
  ck_assert_mem_eq(gdk_pixbuf_read_pixels(pixels), expected, 6);
}
END_TEST

START_TEST(empty_files_and_other_files_are_rejected)
{
  g_autoptr(GBytes) empty = g_bytes_new_static("", 0);
  assert_refused(empty, "empty");
  g_autoptr(GBytes) text = g_bytes_new_static("this is no picture", 18);
  assert_refused(text, "");
}
END_TEST

/* Bytes that may be missing at the end: the markers after the last pixel, and in JPEG a few bytes
 * that only affect the last blocks. */
#define MAX_MISSING 16

START_TEST(truncated_pictures_are_rejected)
{
  g_autoptr(GBytes) file = fixtures_noise(formats[_i], 40, 40);
  gsize length = g_bytes_get_size(file);
  for (gsize n = 1; n + MAX_MISSING < length; n += 1 + n / 64) {
    g_autofree char *copy = g_memdup2(g_bytes_get_data(file, NULL), n);
    g_autoptr(GBytes) cut = g_bytes_new(copy, n);
    g_autoptr(GdkPixbuf) pixels = decode_pixels(cut, DECODE_UPRIGHT, NULL);
    ck_assert_msg(!pixels, "%" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " bytes of a %s were accepted",
                  n, length, formats[_i]);
  }
}
END_TEST

START_TEST(absurd_sizes_are_rejected_before_allocation)
{
  const struct {
    const char *header;
    gsize length;
  } files[] = {
    { "P6 40000 10 255\n", 16 },
    { "P6 10 40000 255\n", 16 },
    { "P6 32000 32000 255\n", 19 },
  };
  for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
    g_autofree char *bytes = g_malloc0(4096);
    memcpy(bytes, files[i].header, files[i].length);
    g_autoptr(GBytes) file = g_bytes_new(bytes, 4096);
    assert_refused(file, "expected at most");
  }
  /* Overwrites the size in the header of a PNG and a JPEG. */
  g_autoptr(GBytes) png = fixtures_picture("png", 4, 4, FALSE, 0);
  g_autofree guint8 *wide = g_memdup2(g_bytes_get_data(png, NULL), g_bytes_get_size(png));
  wide[18] = 0xff;
  g_autoptr(GBytes) lying_png = g_bytes_new(wide, g_bytes_get_size(png));
  assert_refused(lying_png, "");
}
END_TEST

START_TEST(picture_names_are_recognised)
{
  ck_assert(decode_name_is_image("a/b.JPEG"));
  ck_assert(decode_name_is_image("b.png"));
  ck_assert(!decode_name_is_image("a.jpg/b"));
  ck_assert(!decode_name_is_image("a/._b.jpg"));
  ck_assert(!decode_name_is_image("a/b.txt"));
  ck_assert(!decode_name_is_image("jpg"));
}
END_TEST

/* ---- Reading ahead ---- */

static char *root;

static void set_up(void)
{
  root = fixtures_folder();
  for (guint i = 0; i < 100; i++) {
    g_autoptr(GBytes) file = fixtures_picture("png", (int)i + 1, 2, FALSE, 0);
    g_autofree char *name = g_strdup_printf("%03u.png", i);
    gsize length;
    const char *bytes = g_bytes_get_data(file, &length);
    fixtures_write(root, name, i == 50 ? "corrupt" : bytes, i == 50 ? 7 : (gssize)length);
  }
}

static void tear_down(void)
{
  fixtures_remove(root);
}

START_TEST(the_reader_keeps_the_order_and_reports_corrupt_files)
{
  g_autoptr(Dataset) dataset = dataset_open(root, NULL);
  g_autoptr(PhotoReader) reader = photo_reader_new(dataset, NULL, 0);
  for (guint i = 0; i < 100; i++) {
    g_autoptr(DecodedPhotograph) photograph = photo_reader_next(reader);
    ck_assert_ptr_nonnull(photograph);
    ck_assert_uint_eq(photograph->index, i);
    if (i == 50) {
      ck_assert_ptr_null(photograph->pixels);
      ck_assert_ptr_nonnull(photograph->error);
    } else {
      ck_assert_int_eq(gdk_pixbuf_get_width(photograph->pixels), (int)i + 1);
    }
  }
  ck_assert_ptr_null(photo_reader_next(reader));
  ck_assert_ptr_null(photo_reader_next(reader));
}
END_TEST

START_TEST(the_reader_accepts_any_order)
{
  g_autoptr(Dataset) dataset = dataset_open(root, NULL);
  const guint order[] = { 7, 99, 7 };
  g_autoptr(PhotoReader) reader = photo_reader_new(dataset, order, 3);
  for (guint i = 0; i < 3; i++) {
    g_autoptr(DecodedPhotograph) photograph = photo_reader_next(reader);
    ck_assert_uint_eq(photograph->index, order[i]);
  }
  ck_assert_ptr_null(photo_reader_next(reader));
}
END_TEST

START_TEST(the_reader_can_be_freed_early)
{
  g_autoptr(Dataset) dataset = dataset_open(root, NULL);
  g_autoptr(PhotoReader) reader = photo_reader_new(dataset, NULL, 0);
  if (_i)
    decoded_photograph_free(photo_reader_next(reader));
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("decode");
  tcase_add_loop_test(tests, pictures_become_pixels, 0, G_N_ELEMENTS(formats));
  tcase_add_test(tests, alpha_is_ignored_not_blended);
  tcase_add_test(tests, grey_becomes_three_equal_components);
  tcase_add_test(tests, empty_files_and_other_files_are_rejected);
  tcase_add_loop_test(tests, truncated_pictures_are_rejected, 0, G_N_ELEMENTS(formats));
  tcase_add_test(tests, absurd_sizes_are_rejected_before_allocation);
  tcase_add_test(tests, picture_names_are_recognised);
  int status = fixtures_run(tests, "decode");

  TCase *loading = tcase_create("reader");
  tcase_add_checked_fixture(loading, set_up, tear_down);
  tcase_add_test(loading, the_reader_keeps_the_order_and_reports_corrupt_files);
  tcase_add_test(loading, the_reader_accepts_any_order);
  tcase_add_loop_test(loading, the_reader_can_be_freed_early, 0, 2);
  return fixtures_run(loading, "reader") || status;
}
