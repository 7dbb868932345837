/* The hash of an image: of its visible pixels and of how they are read, and of nothing else. */
#include "fixture.h"
#include "frame.h"

enum { WIDTH = 21, HEIGHT = 13 };

static Frame *random_frame(VitgatePixelFormat format, gsize gap, guint8 poison)
{
  Frame *frame = frame_new(format, WIDTH, HEIGHT, gap);
  frame_fill_random(frame, 5, poison);
  return frame;
}

START_TEST(only_visible_bytes_count)
{
  g_autoptr(Frame) frame = random_frame(_i, 0, 9), wide = random_frame(_i, 70, 9);
  for (guint p = 0; p < 3 && wide->planes[p]; p++)
    for (gsize i = 0; i < frame_plane_bytes(wide, p); i++)
      if (i % wide->image.strides[p] >= frame_row_bytes(wide, p))
        wide->planes[p][i] ^= 0xff;
  ck_assert_uint_ne(vitgate_image_hash(&frame->image), 0);
  ck_assert_uint_eq(vitgate_image_hash(&frame->image), vitgate_image_hash(&wide->image));
}
END_TEST

START_TEST(every_sample_counts)
{
  g_autoptr(Frame) frame = random_frame(_i, 3, 0);
  const guint64 hash = vitgate_image_hash(&frame->image);
  for (guint c = 0; c < frame_n_components(frame); c++)
    for (guint y = 0; y < frame_rows(frame, c); y++)
      for (guint x = 0; x < frame_columns(frame, c); x++) {
        guint8 *sample = frame_sample(frame, c, x, y);
        *sample ^= 0x40;
        assert_each(vitgate_image_hash(&frame->image) != hash, "%s, component %u at %u, %u",
                    frame_formats[_i].name, c, x, y);
        *sample ^= 0x40;
      }
  ck_assert_uint_eq(vitgate_image_hash(&frame->image), hash);
}
END_TEST

START_TEST(how_pixels_are_read_counts)
{
  g_autoptr(Frame) frame = random_frame(VITGATE_PIXELS_I420, 0, 0);
  const VitgateImage image = frame->image;
  VitgateImage others[12];
  for (guint i = 0; i < G_N_ELEMENTS(others); i++)
    others[i] = image;
  others[1].format = VITGATE_PIXELS_YV12;
  others[2].matrix = VITGATE_MATRIX_BT709;
  others[3].chroma_site = VITGATE_CHROMA_CENTER;
  others[4].full_range = TRUE;
  others[5].height--;
  others[6].part = (VitgateRectangle){ 0, 0, 8, 8 };
  others[7].part = (VitgateRectangle){ 1, 0, 8, 8 };
  others[8].limited_rgb = TRUE;
  others[9].orientation = VITGATE_ORIENTATION_180;
  others[10].pixel_width = others[10].pixel_height = 1;
  others[11].pixel_width = 2, others[11].pixel_height = 1;
  for (guint i = 0; i < G_N_ELEMENTS(others); i++)
    for (guint j = 0; j < i; j++)
      assert_each(vitgate_image_hash(&others[i]) != vitgate_image_hash(&others[j]),
                  "images %u and %u have the same hash", i, j);
}
END_TEST

START_TEST(an_image_that_cannot_be_preprocessed_has_none)
{
  g_autoptr(Frame) frame = random_frame(VITGATE_PIXELS_RGB, 0, 0);
  VitgateImage image = frame->image;
  image.width = 0;
  ck_assert_uint_eq(vitgate_image_hash(&image), 0);
  image = frame->image;
  image.part = (VitgateRectangle){ 0, 0, WIDTH + 1, 1 };
  ck_assert_uint_eq(vitgate_image_hash(&image), 0);
  image = frame->image;
  image.planes[0] = NULL;
  ck_assert_uint_eq(vitgate_image_hash(&image), 0);
}
END_TEST

int main(void)
{
  TCase *hash = tcase_create("image hash");
  tcase_add_loop_test(hash, only_visible_bytes_count, 0, VITGATE_PIXELS_N_FORMATS);
  tcase_add_loop_test(hash, every_sample_counts, 0, VITGATE_PIXELS_N_FORMATS);
  tcase_add_test(hash, how_pixels_are_read_counts);
  tcase_add_test(hash, an_image_that_cannot_be_preprocessed_has_none);
  return fixture_run("image hash", hash, NULL);
}
