/* Orientation tags: photographs of every kind are turned upright, or left as they are stored. */
#include "data/orientation.h"

#include <string.h>

#include "data/decode.h"
#include "fixtures.h"

/* The stored picture has 3 x 2 blocks of different colours. */
#define COLUMNS 3
#define ROWS    2
#define BLOCK   16
#define WIDTH   (COLUMNS * BLOCK)
#define HEIGHT  (ROWS * BLOCK)

/* JPEG and WebP files change colours a little. */
#define TOLERANCE 24

static const guint8 colours[ROWS][COLUMNS][3] = {
  { { 230, 20, 20 }, { 20, 230, 20 }, { 20, 20, 230 } },
  { { 230, 230, 20 }, { 20, 20, 20 }, { 230, 230, 230 } },
};

/* The stored block shown at a place of the upright picture, by EXIF's definition of each value:
 * what the 0th row and the 0th column of the stored picture show. */
static const guint8 *expected_at(guint orientation, guint x, guint y)
{
  const guint right = COLUMNS - 1, bottom = ROWS - 1;
  switch (orientation) {
  case 2: /* row 0: top, column 0: right */
    return colours[y][right - x];
  case 3: /* bottom, right */
    return colours[bottom - y][right - x];
  case 4: /* bottom, left */
    return colours[bottom - y][x];
  case 5: /* left, top */
    return colours[x][y];
  case 6: /* right, top */
    return colours[bottom - x][y];
  case 7: /* right, bottom */
    return colours[bottom - x][right - y];
  case 8: /* left, bottom */
    return colours[x][right - y];
  default:
    return colours[y][x];
  }
}

/* ---- Files with a tag ---- */

typedef struct {
  gboolean big_endian, is_long;
  guint orientation;
} Tag;

static void add_number(GByteArray *to, guint32 value, guint size, gboolean big_endian)
{
  for (guint i = 0; i < size; i++) {
    const guint8 byte = (guint8)(value >> 8 * (big_endian ? size - 1 - i : i));
    g_byte_array_append(to, &byte, 1);
  }
}

static void add_text(GByteArray *to, const char *text, gsize n)
{
  g_byte_array_append(to, (const guint8 *)text, (guint)n);
}

/* Adds an entry of a TIFF directory with one value. */
static void add_entry(GByteArray *to, const Tag *tag, guint name, gboolean is_long, guint32 value)
{
  add_number(to, name, 2, tag->big_endian);
  add_number(to, is_long ? 4 : 3, 2, tag->big_endian);
  add_number(to, 1, 4, tag->big_endian);
  add_number(to, value, is_long ? 4 : 2, tag->big_endian);
  if (!is_long)
    add_number(to, 0, 2, tag->big_endian);
}

static GByteArray *start_tiff(const Tag *tag, guint directory, guint n_entries)
{
  GByteArray *tiff = g_byte_array_new();
  add_text(tiff, tag->big_endian ? "MM\0*" : "II*\0", 4);
  add_number(tiff, directory, 4, tag->big_endian);
  while (tiff->len < directory)
    add_number(tiff, 0, 1, FALSE);
  add_number(tiff, n_entries, 2, tag->big_endian);
  return tiff;
}

static GByteArray *make_exif(const Tag *tag)
{
  GByteArray *exif = start_tiff(tag, 8, 2);
  add_entry(exif, tag, 0x100, TRUE, WIDTH);
  add_entry(exif, tag, 0x112, tag->is_long, tag->orientation);
  add_number(exif, 0, 4, FALSE);
  return exif;
}

static GdkPixbuf *draw(void)
{
  GdkPixbuf *pixels = gdk_pixbuf_new(GDK_COLORSPACE_RGB, FALSE, 8, WIDTH, HEIGHT);
  guint8 *bytes = gdk_pixbuf_get_pixels(pixels);
  for (guint y = 0; y < HEIGHT; y++)
    for (guint x = 0; x < WIDTH; x++)
      memcpy(bytes + y * (guint)gdk_pixbuf_get_rowstride(pixels) + 3 * x,
             colours[y / BLOCK][x / BLOCK], 3);
  return pixels;
}

/* Returns: (nullable): NULL if gdk-pixbuf cannot write the format here */
static GByteArray *encode(const char *format)
{
  g_autoptr(GdkPixbuf) pixels = draw();
  char *bytes;
  gsize n;
  if (!gdk_pixbuf_save_to_buffer(pixels, &bytes, &n, format, NULL, NULL))
    return NULL;
  return g_byte_array_new_take((guint8 *)bytes, n);
}

static GByteArray *make_jpeg(const Tag *tag)
{
  g_autoptr(GByteArray) plain = encode("jpeg");
  g_autoptr(GByteArray) exif = make_exif(tag);
  GByteArray *file = g_byte_array_new();
  /* Another program's segment of the same kind comes first. */
  add_text(file, "\xff\xd8\xff\xe1\0\x0chttp://ns\0\xff\xff\xe1", 19);
  add_number(file, exif->len + 8, 2, TRUE);
  add_text(file, "Exif\0\0", 6);
  g_byte_array_append(file, exif->data, exif->len);
  g_byte_array_append(file, plain->data + 2, plain->len - 2);
  return file;
}

/* PNG's checksum, as its specification defines it. */
static guint32 checksum(const guint8 *bytes, guint n)
{
  guint32 crc = G_MAXUINT32;
  for (guint i = 0; i < n; i++) {
    crc ^= bytes[i];
    for (guint bit = 0; bit < 8; bit++)
      crc = crc & 1 ? 0xedb88320 ^ (crc >> 1) : crc >> 1;
  }
  return ~crc;
}

static GByteArray *make_png(const Tag *tag)
{
  const guint header = 8 + 25;
  g_autoptr(GByteArray) plain = encode("png");
  g_autoptr(GByteArray) exif = make_exif(tag);
  GByteArray *file = g_byte_array_new();
  g_byte_array_append(file, plain->data, header);
  add_number(file, exif->len, 4, TRUE);
  add_text(file, "eXIf", 4);
  g_byte_array_append(file, exif->data, exif->len);
  add_number(file, checksum(file->data + header + 4, exif->len + 4), 4, TRUE);
  g_byte_array_append(file, plain->data + header, plain->len - header);
  return file;
}

static GByteArray *make_webp(const Tag *tag)
{
  GByteArray *file = encode("webp");
  if (!file)
    return NULL;
  g_autoptr(GByteArray) exif = make_exif(tag);
  add_text(file, "EXIF", 4);
  add_number(file, exif->len + 6, 4, FALSE);
  add_text(file, "Exif\0\0", 6);
  g_byte_array_append(file, exif->data, exif->len);
  const guint32 length = GUINT32_TO_LE(file->len - 8);
  memcpy(file->data + 4, &length, sizeof length);
  return file;
}

static GByteArray *make_tiff(const Tag *tag)
{
  g_autoptr(GdkPixbuf) pixels = draw();
  const guint n_bytes = 3 * WIDTH * HEIGHT, at = 8;
  GByteArray *file = start_tiff(tag, at + n_bytes, 9);
  memcpy(file->data + at, gdk_pixbuf_get_pixels(pixels), n_bytes);
  add_entry(file, tag, 0x100, TRUE, WIDTH);
  add_entry(file, tag, 0x101, TRUE, HEIGHT);
  add_entry(file, tag, 0x102, FALSE, 8); /* bits per sample */
  add_entry(file, tag, 0x103, FALSE, 1); /* not compressed */
  add_entry(file, tag, 0x106, FALSE, 2); /* RGB */
  add_entry(file, tag, 0x111, TRUE, at);
  add_entry(file, tag, 0x112, FALSE, tag->orientation);
  add_entry(file, tag, 0x115, FALSE, 3); /* samples */
  add_entry(file, tag, 0x117, TRUE, n_bytes);
  add_number(file, 0, 4, FALSE);
  return file;
}

static const struct {
  const char *name;
  GByteArray *(*make)(const Tag *);
} kinds[] = {
  { "JPEG", make_jpeg }, { "PNG", make_png }, { "TIFF", make_tiff }, { "WebP", make_webp }
};

/* ---- Tests ---- */

static void check_blocks(const GdkPixbuf *pixels, guint orientation, const char *what)
{
  const VitgateImage image = decode_as_image(pixels);
  const guint width = orientation >= 5 ? HEIGHT : WIDTH;
  ck_assert_msg(image.width == width && image.height == WIDTH + HEIGHT - width,
                "%s %u is %u x %u pixels", what, orientation, image.width, image.height);
  const guint step = (guint)gdk_pixbuf_get_n_channels(pixels);
  for (guint y = 0; y < image.height / BLOCK; y++)
    for (guint x = 0; x < image.width / BLOCK; x++) {
      const guint8 *there = image.planes[0] + (y * BLOCK + BLOCK / 2) * image.strides[0] +
                            (x * BLOCK + BLOCK / 2) * step;
      const guint8 *expected = expected_at(orientation, x, y);
      for (guint c = 0; c < 3; c++)
        ck_assert_msg(ABS(there[c] - expected[c]) <= TOLERANCE,
                      "%s %u: component %u of block %u, %u is %u, expected %u", what, orientation,
                      c, x, y, there[c], expected[c]);
    }
}

static void check(GByteArray *made, guint found, guint orientation, const char *what)
{
  g_autoptr(GBytes) file = g_byte_array_free_to_bytes(made);
  g_autoptr(GError) error = NULL;
  ck_assert_uint_eq(orientation_find(file), found);
  g_autoptr(GdkPixbuf) upright = decode_pixels(file, DECODE_UPRIGHT, &error);
  ck_assert_msg(upright != NULL, "%s: %s", what, error ? error->message : "");
  check_blocks(upright, orientation, what);
  g_autoptr(GdkPixbuf) stored = decode_pixels(file, DECODE_AS_STORED, &error);
  ck_assert_msg(stored != NULL, "%s: %s", what, error ? error->message : "");
  check_blocks(stored, 1, what);
}

/* @_i: number of a kind */
START_TEST(every_orientation_is_turned_upright)
{
  for (guint form = 0; form < 4; form++)
    for (guint orientation = 1; orientation <= 8; orientation++) {
      const Tag tag = { form & 1, form & 2, orientation };
      GByteArray *made = kinds[_i].make(&tag);
      if (made)
        check(made, orientation, orientation, kinds[_i].name);
      else
        ck_assert_msg(kinds[_i].make == make_webp, "%s", kinds[_i].name);
    }
}
END_TEST

/* @_i: number of a kind */
START_TEST(other_values_count_as_upright)
{
  const guint values[] = { 0, 9, 255 };
  for (guint i = 0; i < G_N_ELEMENTS(values) && kinds[_i].make != make_tiff; i++) {
    const Tag tag = { .orientation = values[i] };
    GByteArray *made = kinds[_i].make(&tag);
    if (made)
      check(made, 1, 1, kinds[_i].name);
  }
}
END_TEST

/* @_i: number of a kind */
START_TEST(damaged_tags_count_as_upright)
{
  const Tag tag = { .orientation = 6 };
  g_autoptr(GByteArray) made = kinds[_i].make(&tag);
  for (guint n = 0; made && n < made->len; n++) {
    g_autofree guint8 *copy = g_memdup2(made->data, n + 1);
    g_autoptr(GBytes) cut = g_bytes_new(copy, n);
    const guint found = orientation_find(cut);
    ck_assert_msg(found == 1 || found == 6, "%s of %u bytes: %u", kinds[_i].name, n, found);
  }
}
END_TEST

START_TEST(pictures_without_a_tag_stay_as_they_are)
{
  check(encode("jpeg"), 1, 1, "JPEG");
  check(encode("png"), 1, 1, "PNG");
  check(encode("bmp"), 1, 1, "BMP");
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("orientation");
  tcase_add_loop_test(tests, every_orientation_is_turned_upright, 0, G_N_ELEMENTS(kinds));
  tcase_add_loop_test(tests, other_values_count_as_upright, 0, G_N_ELEMENTS(kinds));
  tcase_add_loop_test(tests, damaged_tags_count_as_upright, 0, G_N_ELEMENTS(kinds));
  tcase_add_test(tests, pictures_without_a_tag_stay_as_they_are);
  return fixtures_run(tests, "orientation");
}
