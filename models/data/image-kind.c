#include "data/image-kind.h"

#include <string.h>

typedef struct {
  gsize at;
  const char *bytes;
  gsize n;
} Signature;

#define SIGNATURE(at, text)                                                                        \
  {                                                                                                \
    at, text, sizeof(text) - 1                                                                     \
  }

/* The brands of HEIF files follow ISO/IEC 23008-12, those of AVIF files AOM's specification. */
static const struct {
  ImageKind kind;
  Signature parts[2];
} kinds[] = {
  { IMAGE_KIND_JPEG, { SIGNATURE(0, "\xff\xd8\xff") } },
  { IMAGE_KIND_PNG, { SIGNATURE(0, "\x89PNG\r\n\x1a\n") } },
  { IMAGE_KIND_GIF, { SIGNATURE(0, "GIF8") } },
  { IMAGE_KIND_TIFF, { SIGNATURE(0, "II*\0") } },
  { IMAGE_KIND_TIFF, { SIGNATURE(0, "MM\0*") } },
  { IMAGE_KIND_WEBP, { SIGNATURE(0, "RIFF"), SIGNATURE(8, "WEBP") } },
  { IMAGE_KIND_AVIF, { SIGNATURE(4, "ftypavif") } },
  { IMAGE_KIND_AVIF, { SIGNATURE(4, "ftypavis") } },
  { IMAGE_KIND_HEIC, { SIGNATURE(4, "ftyphei") } },
  { IMAGE_KIND_HEIC, { SIGNATURE(4, "ftyphev") } },
  { IMAGE_KIND_HEIC, { SIGNATURE(4, "ftypmif1") } },
  { IMAGE_KIND_HEIC, { SIGNATURE(4, "ftypmsf1") } },
  { IMAGE_KIND_JPEG_XL, { SIGNATURE(0, "\xff\x0a") } },
  { IMAGE_KIND_JPEG_XL, { SIGNATURE(4, "JXL \r\n\x87\n") } },
};

static gboolean matches(const guint8 *bytes, gsize n_bytes, const Signature *part)
{
  return !part->n ||
         (n_bytes >= part->at + part->n && !memcmp(bytes + part->at, part->bytes, part->n));
}

ImageKind image_kind_of(GBytes *file)
{
  gsize n_bytes;
  const guint8 *bytes = g_bytes_get_data(file, &n_bytes);
  for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
    if (matches(bytes, n_bytes, &kinds[i].parts[0]) && matches(bytes, n_bytes, &kinds[i].parts[1]))
      return kinds[i].kind;
  return IMAGE_KIND_OTHER;
}

const char *image_kind_get_loader(ImageKind kind, const char **package)
{
  static const struct {
    const char *name, *package;
  } loaders[] = {
    [IMAGE_KIND_WEBP] = { "WebP", "webp-pixbuf-loader" },
    [IMAGE_KIND_HEIC] = { "HEIC", "heif-gdk-pixbuf" },
    [IMAGE_KIND_AVIF] = { "AVIF", "heif-gdk-pixbuf" },
    [IMAGE_KIND_JPEG_XL] = { "JPEG XL", NULL }, /* not in Debian 12 */
  };
  *package = loaders[kind].package;
  return loaders[kind].name;
}
