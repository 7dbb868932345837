/* Preprocesses images of any format, size, strides and part, one after the other in one session.
 * Planes are exactly as long as their strides imply, on guarded arrays. */
#include <math.h>
#include <string.h>

#include "frame.h"
#include "fuzz.h"
#include "guarded.h"
#include "vitgate.h"

#define MAX_IMAGES 4
#define MAX_BYTES  (1 << 19) /* of a plane */
#define MAX_SIDE   32767
#define N_FITS     (VITGATE_FIT_LETTERBOX + 1)

/* Kept from one input to the next. */
static struct {
  VitgateSession *alone[N_FITS], *team[N_FITS]; /* with one thread and with two */
  gsize n_values;                               /* of a tensor */
  Guarded *planes[3], *tensors[2];
} state;

static void set_up(void)
{
  if (state.alone[0])
    return;
  g_autofree char *path =
      g_build_filename(g_getenv("VITGATE_GOLDENS"), "model-small.safetensors", NULL);
  g_autoptr(VitgateModel) model = vitgate_model_open(path, NULL);
  require(model != NULL);
  const guint size = vitgate_model_get_info(model)->image_size;
  for (guint fit = 0; fit < N_FITS; fit++) {
    const VitgateSessionOptions one = { .fit = fit }, two = { .threads = 2, .fit = fit };
    state.alone[fit] = vitgate_session_new(model, &one, NULL);
    state.team[fit] = vitgate_session_new(model, &two, NULL);
    require(state.alone[fit] && state.team[fit]);
  }
  state.n_values = (gsize)3 * size * size;
  for (guint p = 0; p < 3; p++)
    state.planes[p] = guarded_new(MAX_BYTES);
  for (guint t = 0; t < 2; t++)
    state.tensors[t] = guarded_new(state.n_values * sizeof(float));
}

/* One image of the input: 26 bytes. */
typedef struct {
  guint format, width, height, value;
  gint gaps[3]; /* bytes after the pixels of a row */
  VitgateRectangle part;
  VitgateColorMatrix matrix;
  VitgateChromaSite chroma_site;
  gboolean full_range;
  guint orientation, pixel_width, pixel_height;
  GuardedPlace place;
} Geometry;

static Geometry take_geometry(const guint8 **data, gsize *size)
{
  Geometry g = { .format = (guint)fuzz_take(data, size, 1) % (VITGATE_PIXELS_N_FORMATS + 1) };
  const guint flags = (guint)fuzz_take(data, size, 1);
  g.matrix = flags % 4;
  g.chroma_site = flags / 4 % 4;
  g.full_range = flags / 16 % 2;
  g.place = flags / 32 % 2 ? GUARDED_END : GUARDED_START;
  g.width = (guint)fuzz_take(data, size, 2);
  g.height = (guint)fuzz_take(data, size, 2);
  for (guint p = 0; p < 3; p++)
    g.gaps[p] = (gint16)fuzz_take(data, size, 2);
  guint *const part[] = { &g.part.x, &g.part.y, &g.part.width, &g.part.height };
  for (guint i = 0; i < 4; i++)
    *part[i] = (guint)fuzz_take(data, size, 2);
  if (flags / 64 % 2)
    g.part.width = g.part.height = 0;
  if (flags / 128)
    g.part.width += G_MAXUINT - 0xffff; /* so that x + width overflows */
  g.value = (guint)fuzz_take(data, size, 1);
  g.orientation = (guint)fuzz_take(data, size, 1) % (VITGATE_ORIENTATION_UR_LL + 2);
  g.pixel_width = (guint)fuzz_take(data, size, 2);
  g.pixel_height = (guint)fuzz_take(data, size, 2);
  return g;
}

static gboolean has_valid_pixels(const Geometry *g)
{
  const guint64 width = (guint64)g->width * g->pixel_width;
  const guint64 height = (guint64)g->height * g->pixel_height;
  return (g->pixel_width == 0 && g->pixel_height == 0) ||
         (width > 0 && height > 0 && MAX(width, height) <= MIN(width, height) * MAX_SIDE);
}

static gboolean is_valid(const Geometry *g)
{
  const VitgateRectangle *part = &g->part;
  const gboolean whole = part->width == 0 && part->height == 0;
  const gboolean within = part->width && part->height &&
                          (guint64)part->x + part->width <= g->width &&
                          (guint64)part->y + part->height <= g->height;
  gboolean valid = g->format < VITGATE_PIXELS_N_FORMATS && g->width >= 1 && g->height >= 1 &&
                   g->width <= MAX_SIDE && g->height <= MAX_SIDE && (whole || within) &&
                   g->orientation <= VITGATE_ORIENTATION_UR_LL && has_valid_pixels(g);
  for (guint p = 0; valid && p < frame_formats[g->format].n_planes; p++)
    valid = g->gaps[p] >= 0;
  return valid;
}

static VitgateImage describe(const Geometry *g)
{
  VitgateImage image = { .format = (VitgatePixelFormat)g->format,
                         .matrix = g->matrix,
                         .chroma_site = g->chroma_site,
                         .full_range = g->full_range,
                         .width = g->width,
                         .height = g->height,
                         .limited_rgb = !g->full_range,
                         .orientation = (VitgateOrientation)g->orientation,
                         .pixel_width = g->pixel_width,
                         .pixel_height = g->pixel_height,
                         .part = g->part };
  if (g->format >= VITGATE_PIXELS_N_FORMATS)
    return image;
  const Frame frame = { .image = image };
  for (guint p = 0; p < frame_formats[g->format].n_planes; p++)
    image.strides[p] = (gsize)MAX(0, (gint64)frame_row_bytes(&frame, p) + g->gaps[p]);
  return image;
}

/* Returns: FALSE if the planes are larger than the memory for them */
static gboolean place_planes(VitgateImage *image, const Geometry *g)
{
  const Frame frame = { .image = *image };
  for (guint p = 0; p < frame_formats[g->format].n_planes; p++) {
    const gsize n_bytes = frame_plane_bytes(&frame, p);
    if (n_bytes > MAX_BYTES)
      return FALSE;
    guint8 *plane = guarded_place(state.planes[p], n_bytes, g->place);
    for (gsize i = 0; i < n_bytes; i++)
      plane[i] = (guint8)(g->value + i * i / 7);
    image->planes[p] = plane;
  }
  return TRUE;
}

static const float *preprocess(VitgateSession *session, guint t, const VitgateImage *image)
{
  g_autoptr(GError) error = NULL;
  float *tensor = guarded_place(state.tensors[t], state.n_values * sizeof(float), GUARDED_END);
  const gboolean done = vitgate_session_preprocess(session, image, tensor, &error);
  require(guarded_intact(state.tensors[t]));
  if (fuzz_succeeded(done, error))
    return tensor;
  require(g_error_matches(error, VITGATE_ERROR, VITGATE_ERROR_IMAGE));
  return NULL;
}

/* What the network sees of an image is known if the image is valid, and lies within it. */
static void check_view(const VitgateSession *session, const VitgateImage *image, gboolean valid)
{
  g_autoptr(GError) error = NULL;
  VitgateRectangle view;
  const gboolean found = vitgate_session_get_view(session, image, &view, &error);
  require(fuzz_succeeded(found, error) == valid);
  require(!valid ||
          (view.width > 0 && view.height > 0 && view.x < image->width && view.y < image->height &&
           view.width <= image->width - view.x && view.height <= image->height - view.y));
}

static void use_image(const Geometry *g)
{
  VitgateImage image = describe(g);
  const guint fit = g->value % N_FITS;
  if (!is_valid(g)) {
    /* No byte of an invalid image may be read. */
    for (guint p = 0; p < 3; p++)
      image.planes[p] = guarded_place(state.planes[p], 0, GUARDED_END);
    require(!preprocess(state.alone[fit], 0, &image));
    check_view(state.alone[fit], &image, FALSE);
    return;
  }
  if (!place_planes(&image, g))
    return;
  const float *tensor = preprocess(state.alone[fit], 0, &image);
  check_view(state.alone[fit], &image, TRUE);
  const float *same = preprocess(state.team[fit], 1, &image);
  require(tensor && same && !memcmp(tensor, same, state.n_values * sizeof(float)));
  for (gsize i = 0; i < state.n_values; i++)
    require(isfinite(tensor[i]));
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
  set_up();
  for (guint i = 0; i < MAX_IMAGES && size; i++) {
    const Geometry g = take_geometry(&data, &size);
    use_image(&g);
  }
  return 0;
}
