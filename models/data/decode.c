#include "data/decode.h"

#include <string.h>

#include "base/command-error.h"
#include "data/image-kind.h"
#include "data/orientation.h"

/* Bytes per call of the loader. The first few tell it the size of the image. */
#define CHUNK ((gsize)64 << 10)

typedef struct {
  int width, height; /* 0: not known yet */
  gboolean too_large;
  int top,
      bottom; /* rows from top up to, not including, bottom are decoded; BMP starts at the bottom */
} Decoding;

static void on_size_prepared(GdkPixbufLoader *loader, int width, int height, gpointer user_data)
{
  Decoding *decoding = user_data;
  decoding->width = width;
  decoding->height = height;
  decoding->too_large = width > DECODE_MAX_SIDE || height > DECODE_MAX_SIDE ||
                        (guint64)width * (guint64)height > DECODE_MAX_PIXELS;
  /* Loaders stop if the size is 0, without allocating pixels. */
  if (decoding->too_large)
    gdk_pixbuf_loader_set_size(loader, 0, 0);
}

static void on_area_updated(GdkPixbufLoader *loader, int x, int y, int width, int height,
                            gpointer user_data)
{
  Decoding *decoding = user_data;
  gboolean first = decoding->bottom == 0;
  decoding->top = first ? y : MIN(decoding->top, y);
  decoding->bottom = MAX(decoding->bottom, y + height);
}

static int count_rows(const Decoding *decoding)
{
  return decoding->bottom - decoding->top;
}

/* A loader that guesses the format keeps the first bytes, which can be a whole small file, until it
 * is closed. That is too late to see whether a JPEG is complete. */
static GdkPixbufLoader *make_loader(ImageKind kind)
{
  GdkPixbufLoader *loader =
      kind == IMAGE_KIND_JPEG ? gdk_pixbuf_loader_new_with_type("jpeg", NULL) : NULL;
  return loader ? loader : gdk_pixbuf_loader_new();
}

/* gdk-pixbuf accepts a truncated image. When its JPEG loader is closed, it even makes up the
 * missing rows. Other loaders may start to decode only when closed. The WebP loader claims all
 * rows; WebP files begin with their length. The GIF loader refuses a truncated file by itself, and
 * reports the rows of the first frame, which may be smaller than the image.
 * @rows: decoded, for a JPEG before the loader was closed
 * @height: of the image */
static gboolean is_truncated(GBytes *file, ImageKind kind, int rows, int height)
{
  gsize n_bytes;
  const guint8 *bytes = g_bytes_get_data(file, &n_bytes);
  if (kind == IMAGE_KIND_WEBP) {
    guint32 length;
    memcpy(&length, bytes + 4, sizeof length);
    if (n_bytes - 8 < GUINT32_FROM_LE(length))
      return TRUE;
  }
  return kind != IMAGE_KIND_GIF && rows < height;
}

/* Returns: (transfer none): owned by @loader */
static GdkPixbuf *load(GdkPixbufLoader *loader, GBytes *file, ImageKind kind,
                       const Decoding *decoding, GError **error)
{
  gsize n_bytes;
  const guint8 *bytes = g_bytes_get_data(file, &n_bytes);
  gboolean fine = TRUE;
  for (gsize at = 0; fine && at < n_bytes && !decoding->too_large; at += CHUNK)
    fine = gdk_pixbuf_loader_write(loader, bytes + at, MIN(CHUNK, n_bytes - at), error);
  int rows = count_rows(decoding);
  /* The loader must always be closed. Only the first error counts. */
  if (!gdk_pixbuf_loader_close(loader, fine ? error : NULL) || !fine)
    return NULL;
  if (kind != IMAGE_KIND_JPEG)
    rows = count_rows(decoding);

  GdkPixbuf *pixels = gdk_pixbuf_loader_get_pixbuf(loader);
  if (!pixels)
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "contains no image");
  else if (gdk_pixbuf_get_bits_per_sample(pixels) != 8 || gdk_pixbuf_get_n_channels(pixels) < 3)
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "decodes to an unusual pixel layout");
  else if (is_truncated(file, kind, rows, gdk_pixbuf_get_height(pixels)))
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "is truncated");
  else
    return pixels;
  return NULL;
}

/* @wrong: (nullable): the loader's error */
static void fail(const GError *wrong, ImageKind kind, const Decoding *decoding, GError **error)
{
  const char *package, *name = image_kind_get_loader(kind, &package);
  if (decoding->too_large)
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                "has %d x %d pixels, expected at most %d per side and %" G_GUINT64_FORMAT
                " in total",
                decoding->width, decoding->height, DECODE_MAX_SIDE, DECODE_MAX_PIXELS);
  else if (name && g_error_matches(wrong, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_UNKNOWN_TYPE))
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                "is in the format %s, for which gdk-pixbuf has no loader here%s%s", name,
                package ? "; on Debian, install the package " : "", package ? package : "");
  else
    g_set_error_literal(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                        wrong ? wrong->message : "cannot be decoded");
}

GdkPixbuf *decode_pixels(GBytes *file, DecodeOrientation orientation, GError **error)
{
  Decoding decoding = { 0 };
  if (g_bytes_get_size(file) == 0) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "is empty");
    return NULL;
  }
  const ImageKind kind = image_kind_of(file);
  g_autoptr(GdkPixbufLoader) loader = make_loader(kind);
  g_signal_connect(loader, "size-prepared", G_CALLBACK(on_size_prepared), &decoding);
  g_signal_connect(loader, "area-updated", G_CALLBACK(on_area_updated), &decoding);

  g_autoptr(GError) wrong = NULL;
  GdkPixbuf *loaded = load(loader, file, kind, &decoding, &wrong);
  if (!loaded || decoding.too_large) {
    fail(wrong, kind, &decoding, error);
    return NULL;
  }
  GdkPixbuf *turned = orientation == DECODE_UPRIGHT ? orientation_apply(loaded, file)
                                                    : orientation_undo(loaded, file);
  if (!turned)
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "is too large to turn upright");
  return turned;
}

VitgateImage decode_as_image(const GdkPixbuf *pixels)
{
  return (VitgateImage){
    .format = gdk_pixbuf_get_n_channels(pixels) == 4 ? VITGATE_PIXELS_RGBX : VITGATE_PIXELS_RGB,
    .full_range = TRUE,
    .width = (guint)gdk_pixbuf_get_width(pixels),
    .height = (guint)gdk_pixbuf_get_height(pixels),
    .planes = { gdk_pixbuf_read_pixels(pixels) },
    .strides = { (gsize)gdk_pixbuf_get_rowstride(pixels) },
  };
}

gboolean decode_name_is_image(const char *name)
{
  static const char *const extensions[] = { "jpg",  "jpeg", "jpe",  "jfif", "png",  "ppm",
                                            "pgm",  "pnm",  "pbm",  "bmp",  "gif",  "tif",
                                            "tiff", "webp", "heic", "heif", "avif", "jxl" };
  const char *file = strrchr(name, '/');
  file = file ? file + 1 : name;
  const char *dot = strrchr(file, '.');
  /* This skips hidden files, such as the "._photo.jpg" that some systems add to archives. */
  if (!dot || file[0] == '.')
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS(extensions); i++)
    if (!g_ascii_strcasecmp(dot + 1, extensions[i]))
      return TRUE;
  return FALSE;
}
