#include "data/orientation.h"

#include <string.h>

#include "data/image-kind.h"

#define UPRIGHT         1
#define TAG_ORIENTATION 0x112
#define TYPE_SHORT      3
#define TYPE_LONG       4
#define ENTRY_SIZE      12

/* Bytes of a file. Reading past the end gives 0. */
typedef struct {
  const guint8 *bytes;
  gsize n;
  gboolean big_endian;
} Span;

static guint32 read_number(const Span *span, gsize at, guint size)
{
  guint32 value = 0;
  if (size > span->n || at > span->n - size)
    return 0;
  for (guint i = 0; i < size; i++)
    value = value << 8 | span->bytes[at + (span->big_endian ? i : size - 1 - i)];
  return value;
}

static gboolean has_text(const Span *span, gsize at, const char *text, gsize n)
{
  return n <= span->n && at <= span->n - n && !memcmp(span->bytes + at, text, n);
}

/* Returns: the bytes from @at on, at most @n */
static Span part_of(const Span *span, gsize at, gsize n)
{
  Span part = *span;
  part.bytes += MIN(at, span->n);
  part.n = MIN(n, span->n - MIN(at, span->n));
  return part;
}

/* Finds the tag in the first directory of a TIFF file or an EXIF block, which has the same layout.
 * Returns: 0 without a valid tag */
static guint find_in_tiff(Span tiff)
{
  tiff.big_endian = has_text(&tiff, 0, "MM\0*", 4);
  if (!tiff.big_endian && !has_text(&tiff, 0, "II*\0", 4))
    return 0;
  const gsize directory = read_number(&tiff, 4, 4);
  const guint n_entries = read_number(&tiff, directory, 2);
  for (guint i = 0; i < n_entries; i++) {
    const gsize entry = directory + 2 + (gsize)i * ENTRY_SIZE;
    if (read_number(&tiff, entry, 2) != TAG_ORIENTATION)
      continue;
    const guint type = read_number(&tiff, entry + 2, 2);
    const guint size = type == TYPE_SHORT ? 2 : type == TYPE_LONG ? 4 : 0;
    const guint value = read_number(&tiff, entry + 8, size);
    return value <= 8 ? value : 0;
  }
  return 0;
}

/* @exif: with or without the name that it has in JPEG files */
static guint find_in_exif(Span exif)
{
  const gsize skip = has_text(&exif, 0, "Exif\0", 5) ? 6 : 0;
  return find_in_tiff(part_of(&exif, skip, exif.n));
}

/* The block is in a segment before the start of the scan. */
static guint find_in_jpeg(Span file)
{
  file.big_endian = TRUE;
  for (gsize at = 2; at + 4 <= file.n && file.bytes[at] == 0xff;) {
    const guint marker = file.bytes[at + 1];
    if (marker == 0xff) { /* a fill byte */
      at++;
      continue;
    }
    if (marker == 0xda || marker == 0xd9)
      return 0;
    const gsize n = read_number(&file, at + 2, 2);
    if (marker == 0xe1 && n >= 2 && has_text(&file, at + 4, "Exif\0", 5))
      return find_in_exif(part_of(&file, at + 4, n - 2));
    at += 2 + n;
  }
  return 0;
}

static guint find_in_png(Span file)
{
  file.big_endian = TRUE;
  for (gsize at = 8; at + 12 <= file.n;) {
    const gsize n = MIN(read_number(&file, at, 4), file.n);
    if (has_text(&file, at + 4, "eXIf", 4))
      return find_in_exif(part_of(&file, at + 8, n));
    at += 12 + n;
  }
  return 0;
}

static guint find_in_webp(Span file)
{
  for (gsize at = 12; at + 8 <= file.n;) {
    const gsize n = MIN(read_number(&file, at + 4, 4), file.n);
    if (has_text(&file, at, "EXIF", 4))
      return find_in_exif(part_of(&file, at + 8, n));
    at += 8 + n + (n & 1);
  }
  return 0;
}

guint orientation_find(GBytes *file)
{
  static guint (*const finders[])(Span) = { [IMAGE_KIND_JPEG] = find_in_jpeg,
                                            [IMAGE_KIND_PNG] = find_in_png,
                                            [IMAGE_KIND_TIFF] = find_in_tiff,
                                            [IMAGE_KIND_WEBP] = find_in_webp };
  const ImageKind kind = image_kind_of(file);
  Span span = { 0 };
  span.bytes = g_bytes_get_data(file, &span.n);
  const guint found = kind < G_N_ELEMENTS(finders) && finders[kind] ? finders[kind](span) : 0;
  return found ? found : UPRIGHT;
}

static GdkPixbuf *turn(GdkPixbuf *pixels, guint orientation)
{
  const char text[] = { (char)('0' + orientation), '\0' };
  gdk_pixbuf_remove_option(pixels, "orientation");
  gdk_pixbuf_set_option(pixels, "orientation", text);
  return gdk_pixbuf_apply_embedded_orientation(pixels);
}

/* These loaders ignore the tag, or accept fewer forms of it than we do. Any other loader has done
 * everything, or sets the option to what it has left to do. */
GdkPixbuf *orientation_apply(GdkPixbuf *pixels, GBytes *file)
{
  const ImageKind kind = image_kind_of(file);
  if (kind == IMAGE_KIND_JPEG || kind == IMAGE_KIND_PNG || kind == IMAGE_KIND_WEBP)
    return turn(pixels, orientation_find(file));
  return gdk_pixbuf_apply_embedded_orientation(pixels);
}

/* libtiff mirrors an image as its tag says, but does not rotate it: it treats 5 to 8 like 1 to 4.
 * Each of these is its own inverse. */
GdkPixbuf *orientation_undo(GdkPixbuf *pixels, GBytes *file)
{
  if (image_kind_of(file) != IMAGE_KIND_TIFF)
    return g_object_ref(pixels);
  return turn(pixels, (orientation_find(file) - 1) % 4 + 1);
}
