#include "image/image.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "image/format.h"
#include "image/placement.h"
#include "image/resample.h"
#include "kernels/kernels.h"

#define MAX_SIDE 32767

struct _ImageConverter {
  guint size;
  const Preprocessing *preprocessing;
  Team *team;   /* NULL: only the calling thread works */
  float *lines; /* [members][3][size] */

  /* Valid for images like the last one: */
  VitgateImage like;  /* its geometry; zero before the first */
  ImageView view;     /* the part of it that was converted; width 0: the whole, by the fit */
  gboolean planned;   /* the tables are for this view */
  Span columns, rows; /* of the input that the picture covers; the rest gets the mean colour */
  /* The memory is enough for any view of the image, so moving the view allocates nothing. */
  Resampler luma_x, luma_y, chroma_x, chroma_y;
  guint8 *narrow[3];  /* [rows of the component][size]: resampled along x */
  float *interleaved; /* [members][samples of a row][IMAGE_LINES] */
  gsize each;         /* floats of interleaved for each member */
};

static guint count_members(const ImageConverter *converter)
{
  return converter->team ? vitgate__team_size(converter->team) : 1;
}

ImageConverter *vitgate__image_converter_new(guint size, const Preprocessing *preprocessing)
{
  ImageConverter *converter = g_new0(ImageConverter, 1);
  converter->size = size;
  converter->preprocessing = preprocessing;
  converter->lines = g_new0(float, (gsize)3 * size);
  return converter;
}

static void forget_geometry(ImageConverter *converter)
{
  vitgate__resampler_clear(&converter->luma_x);
  vitgate__resampler_clear(&converter->luma_y);
  vitgate__resampler_clear(&converter->chroma_x);
  vitgate__resampler_clear(&converter->chroma_y);
  for (guint c = 0; c < 3; c++)
    g_clear_pointer(&converter->narrow[c], g_free);
  g_clear_pointer(&converter->interleaved, free);
  converter->like = (VitgateImage){ 0 };
  converter->view = (ImageView){ 0 };
  converter->planned = FALSE;
}

void vitgate__image_converter_set_team(ImageConverter *converter, Team *team)
{
  forget_geometry(converter);
  converter->team = team;
  converter->lines =
      g_renew(float, converter->lines, (gsize)3 * converter->size * count_members(converter));
}

void vitgate__image_converter_free(ImageConverter **converter)
{
  ImageConverter *c = g_steal_pointer(converter);
  if (!c)
    return;
  forget_geometry(c);
  g_free(c->lines);
  g_free(c);
}

/* Allows for rounding, which may put the end of a part slightly beyond the end of the image. */
static gboolean is_within(double offset, double extent, guint pixels)
{
  return offset >= 0 && extent > 0 && offset + extent <= pixels * (1 + 1e-9);
}

static gboolean check_view(const VitgateImage *image, const ImageView *view, GError **error)
{
  if (is_within(view->x, view->width, image->width) &&
      is_within(view->y, view->height, image->height))
    return TRUE;
  vitgate__set_error(error, VITGATE_ERROR_IMAGE,
                     "a part of %gx%g pixels at %g, %g, expected a part within the image of %ux%u",
                     view->width, view->height, view->x, view->y, image->width, image->height);
  return FALSE;
}

/* The limit is that of an image one pixel high. */
static gboolean check_pixel_shape(const VitgateImage *image, GError **error)
{
  const guint64 width = image->pixel_width, height = image->pixel_height;
  if (!width && !height)
    return TRUE;
  if (width && height && width * image->width <= height * image->height * MAX_SIDE &&
      height * image->height <= width * image->width * MAX_SIDE)
    return TRUE;
  vitgate__set_error(error, VITGATE_ERROR_IMAGE,
                     "pixels of %u:%u in an image of %ux%u, expected 0:0 for square ones, or a "
                     "shape with which no side of the image is more than %d times the other",
                     image->pixel_width, image->pixel_height, image->width, image->height,
                     MAX_SIDE);
  return FALSE;
}

gboolean check_image(const VitgateImage *image, GError **error)
{
  if ((guint)image->format >= VITGATE_PIXELS_N_FORMATS) {
    vitgate__set_error(error, VITGATE_ERROR_IMAGE, "pixel format %d is unknown",
                       (int)image->format);
    return FALSE;
  }
  const Format *format = &vitgate__formats[image->format];
  for (guint i = 0; i < G_N_ELEMENTS(image->reserved); i++)
    if (image->reserved[i]) {
      vitgate__set_error(error, VITGATE_ERROR_IMAGE,
                         "reserved field %u of a %s image is set, expected zero", i, format->name);
      return FALSE;
    }
  if (!image->width || !image->height || image->width > MAX_SIDE || image->height > MAX_SIDE) {
    vitgate__set_error(error, VITGATE_ERROR_IMAGE,
                       "%s image of %ux%u pixels, expected sides from 1 to %d", format->name,
                       image->width, image->height, MAX_SIDE);
    return FALSE;
  }
  if ((guint)image->orientation > VITGATE_ORIENTATION_UR_LL) {
    vitgate__set_error(error, VITGATE_ERROR_IMAGE, "orientation %d is unknown",
                       (int)image->orientation);
    return FALSE;
  }
  if (!check_pixel_shape(image, error))
    return FALSE;
  for (guint p = 0; p < format->n_planes; p++) {
    gsize expected = vitgate__format_row_samples(format, p, image->width) * format->bytes;
    if (!image->planes[p] || image->strides[p] < expected) {
      vitgate__set_error(error, VITGATE_ERROR_IMAGE,
                         "plane %u of a %s image %u pixels wide has %s%" G_GSIZE_FORMAT
                         " bytes per row, expected at least %" G_GSIZE_FORMAT,
                         p, format->name, image->width, image->planes[p] ? "" : "no data and ",
                         image->strides[p], expected);
      return FALSE;
    }
    if (image->strides[p] > G_MAXSSIZE / image->height) {
      vitgate__set_error(error, VITGATE_ERROR_IMAGE,
                         "plane %u of a %s image has %" G_GSIZE_FORMAT
                         " bytes per row, more than any memory holds",
                         p, format->name, image->strides[p]);
      return FALSE;
    }
  }
  return TRUE;
}

/* Returns: the distance, in chroma samples, by which a chroma sample lies before the centre of its
 * pixels */
static double chroma_phase(guint sub, gboolean cosited)
{
  return sub && cosited ? 0.25 : 0.0;
}

static Turn turn_of(const VitgateImage *image, const ImageView *view)
{
  return vitgate__turn_of(image->orientation, view->mirrored);
}

static void mirror_axis(Resampler *luma, Resampler *chroma)
{
  vitgate__resampler_mirror(luma);
  vitgate__resampler_mirror(chroma);
}

/* Computes the tables for the converter's view. */
static void plan_resampling(ImageConverter *converter, const Format *format)
{
  const VitgateImage *image = &converter->like;
  const ImageView *view = &converter->view;
  const Turn turn = turn_of(image, view);
  const guint size = converter->size;
  const double sub_x = 1 << format->sub_x, sub_y = 1 << format->sub_y;
  const gboolean left = image->chroma_site != VITGATE_CHROMA_CENTER;
  const gboolean top = image->chroma_site == VITGATE_CHROMA_TOP_LEFT;
  Axis x = { view->width / size, view->x, 0, { 0, size } },
       y = { view->height / size, view->y, 0, { 0, size } };
  if (view->width == 0)
    vitgate__place_image(&x, &y, image, converter->preprocessing, size, &turn);
  converter->columns = x.covered;
  converter->rows = y.covered;
  vitgate__resampler_plan(&converter->luma_x, x.scale, x.phase, x.first);
  vitgate__resampler_plan(&converter->luma_y, y.scale, y.phase, y.first);
  vitgate__resampler_plan(&converter->chroma_x, x.scale / sub_x,
                          x.phase / sub_x + chroma_phase(format->sub_x, left), x.first);
  vitgate__resampler_plan(&converter->chroma_y, y.scale / sub_y,
                          y.phase / sub_y + chroma_phase(format->sub_y, top), y.first);
  if (turn.mirror_x)
    mirror_axis(&converter->luma_x, &converter->chroma_x);
  if (turn.mirror_y)
    mirror_axis(&converter->luma_y, &converter->chroma_y);
}

/* The scale of an axis is largest if the view spans the whole image, or if the whole image fits
 * into a part of the input. */
static gboolean allocate_tables(ImageConverter *converter, const VitgateImage *image)
{
  const Format *format = &vitgate__formats[image->format];
  const Preprocessing *preprocessing = converter->preprocessing;
  const guint size = converter->size, w = image->width, h = image->height;
  const guint sub_x = format->sub_x, sub_y = format->sub_y;
  const gboolean bicubic = preprocessing->bicubic;
  Axis whole_x, whole_y;
  vitgate__place_image(&whole_x, &whole_y, image, preprocessing, size, &(Turn){ 0 });
  const double x = MAX((double)w / size, whole_x.scale);
  const double y = MAX((double)h / size, whole_y.scale);
  return vitgate__resampler_init(&converter->luma_x, w, size, x, bicubic) &&
         vitgate__resampler_init(&converter->luma_y, h, size, y, bicubic) &&
         vitgate__resampler_init(&converter->chroma_x, vitgate__subsample(w, sub_x), size,
                                 x / (1 << sub_x), bicubic) &&
         vitgate__resampler_init(&converter->chroma_y, vitgate__subsample(h, sub_y), size,
                                 y / (1 << sub_y), bicubic);
}

/* Allocates what images of this format, size and shape of pixels need, unless the last image had
 * the same. */
static gboolean allocate(ImageConverter *converter, const VitgateImage *image, GError **error)
{
  const Format *format = &vitgate__formats[image->format];
  const VitgateImage *like = &converter->like;
  if (like->format == image->format && like->width == image->width &&
      like->height == image->height && like->pixel_width == image->pixel_width &&
      like->pixel_height == image->pixel_height)
    return TRUE;
  forget_geometry(converter);
  gboolean complete = allocate_tables(converter, image);
  gsize max_samples = 0;
  for (guint p = 0; p < format->n_planes; p++)
    max_samples = MAX(max_samples, vitgate__format_row_samples(format, p, image->width));
  for (guint c = 0; complete && c < format->n_components; c++) {
    const guint rows = vitgate__subsample(image->height, c ? format->sub_y : 0);
    converter->narrow[c] = g_try_malloc((gsize)rows * converter->size);
    complete = converter->narrow[c] != NULL;
  }
  converter->each = max_samples * IMAGE_LINES;
  if (complete && !posix_memalign((void **)&converter->interleaved, 64,
                                  converter->each * count_members(converter) * sizeof(float))) {
    converter->like = *image;
    return TRUE;
  }
  vitgate__set_error(error, VITGATE_ERROR_MEMORY,
                     "not enough memory to resample a %s image of %ux%u", format->name,
                     image->width, image->height);
  forget_geometry(converter);
  return FALSE;
}

static gboolean same_geometry(const VitgateImage *a, const VitgateImage *b)
{
  return a->chroma_site == b->chroma_site && a->orientation == b->orientation;
}

static gboolean same_place(const ImageView *a, const ImageView *b)
{
  return a->x == b->x && a->y == b->y && a->width == b->width && a->height == b->height &&
         a->mirrored == b->mirrored;
}

/* Computes the tables for @view of @image, unless the last view was the same. */
static gboolean plan(ImageConverter *converter, const VitgateImage *image, const ImageView *view,
                     GError **error)
{
  if (!allocate(converter, image, error))
    return FALSE;
  if (converter->planned && same_geometry(&converter->like, image) &&
      same_place(&converter->view, view))
    return TRUE;
  converter->like = *image;
  converter->view = *view;
  plan_resampling(converter, &vitgate__formats[image->format]);
  converter->planned = TRUE;
  return TRUE;
}

/* One image that is being converted. A member takes the next strip, first of the planes and then of
 * the output, whenever it is free, because some members have to wake up first and start later. */
typedef struct {
  ImageConverter *converter;
  const VitgateImage *image;
  float *tensor;
  float matrix[3][3], offset[3]; /* from stored components to R'G'B' */
  atomic_uint narrowed, colored; /* number of strips taken */
} Conversion;

static guint count_strips(guint rows)
{
  return (rows + IMAGE_LINES - 1) / IMAGE_LINES;
}

/* Resamples up to IMAGE_LINES rows of all components of one plane along x. */
static void narrow_strip(const Conversion *conversion, float *interleaved, guint plane, guint strip)
{
  const ImageConverter *converter = conversion->converter;
  const VitgateImage *image = conversion->image;
  const Kernels *kernels = vitgate__kernels();
  const Format *format = &vitgate__formats[image->format];
  guint own = format->n_components; /* the first component in this plane */
  gsize begin = G_MAXSIZE, end = 0; /* the samples of a row that its components need */
  for (guint c = format->n_components; c-- > 0;) {
    const Component *component = &format->components[c];
    const Resampler *x = c ? &converter->chroma_x : &converter->luma_x;
    if (component->plane != plane)
      continue;
    own = c;
    begin = MIN(begin, component->offset + (gsize)x->first * component->step);
    end = MAX(end, component->offset + (gsize)(x->first + x->count - 1) * component->step + 1);
  }
  const Resampler *y = own ? &converter->chroma_y : &converter->luma_y;
  const guint row = strip * IMAGE_LINES, rows = MIN(IMAGE_LINES, y->count - row);
  const guint8 *in =
      image->planes[plane] + (y->first + row) * image->strides[plane] + begin * format->bytes;
  const guint n = (guint)(end - begin);
  if (format->bytes == 1)
    kernels->interleave_rows(interleaved, in, image->strides[plane], rows, n);
  else
    kernels->interleave_rows16(interleaved, in, image->strides[plane], format->scale, rows, n);
  for (guint c = own; c < format->n_components; c++) {
    const Component *component = &format->components[c];
    const Resampler *x = c ? &converter->chroma_x : &converter->luma_x;
    if (component->plane != plane)
      continue;
    gsize first = component->offset + (gsize)x->first * component->step - begin;
    kernels->resample_columns(converter->narrow[c] + (gsize)row * converter->size, converter->size,
                              interleaved + first * IMAGE_LINES, component->step, x->starts,
                              x->weights, x->taps, rows, converter->size);
  }
}

/* Returns: the number of rows of a plane that the output needs */
static guint plane_rows(const ImageConverter *converter, const Format *format, guint plane)
{
  for (guint c = 0; c < format->n_components; c++)
    if (format->components[c].plane == plane)
      return c ? converter->chroma_y.count : converter->luma_y.count;
  return 0;
}

static void narrow_strips(Conversion *conversion, guint member)
{
  const ImageConverter *converter = conversion->converter;
  const Format *format = &vitgate__formats[conversion->image->format];
  float *interleaved = converter->interleaved + member * converter->each;
  guint taken = atomic_fetch_add(&conversion->narrowed, 1), before = 0;
  for (guint plane = 0; plane < format->n_planes; plane++) {
    const guint strips = count_strips(plane_rows(converter, format, plane));
    for (; taken < before + strips; taken = atomic_fetch_add(&conversion->narrowed, 1))
      narrow_strip(conversion, interleaved, plane, taken - before);
    before += strips;
  }
}

/* R'G'B' from 0 to 255 = matrix * stored components + offset, by ITU-R BT.601, 709 or 2020. */
static void color_matrix(const VitgateImage *image, float matrix[3][3], float offset[3])
{
  static const double luma_weights[][2] = { /* red, blue */
                                            [VITGATE_MATRIX_BT601] = { 0.299, 0.114 },
                                            [VITGATE_MATRIX_BT709] = { 0.2126, 0.0722 },
                                            [VITGATE_MATRIX_BT2020] = { 0.2627, 0.0593 }
  };
  const Format *format = &vitgate__formats[image->format];
  memset(matrix, 0, 9 * sizeof(float));
  memset(offset, 0, 3 * sizeof(float));
  if (!format->ycbcr) {
    for (guint c = 0; c < 3; c++) {
      matrix[c][c] = image->limited_rgb ? 255.0f / 219 : 1.0f;
      offset[c] = image->limited_rgb ? -16 * 255.0f / 219 : 0.0f;
    }
    return;
  }
  const double *k = luma_weights[MIN((guint)image->matrix, VITGATE_MATRIX_BT2020)];
  const double y = image->full_range ? 1 : 255.0 / 219, c = image->full_range ? 1 : 255.0 / 224;
  const double kr = k[0], kb = k[1], kg = 1 - kr - kb;
  const double u[3] = { 0, -2 * (1 - kb) * kb / kg, 2 * (1 - kb) };
  const double v[3] = { 2 * (1 - kr), -2 * (1 - kr) * kr / kg, 0 };
  for (guint i = 0; i < 3; i++) {
    matrix[i][0] = (float)y;
    offset[i] = image->full_range ? 0.0f : (float)(-16 * y);
    if (format->n_components == 1)
      continue;
    matrix[i][1] = (float)(u[i] * c);
    matrix[i][2] = (float)(v[i] * c);
    offset[i] -= (float)(128 * c * (u[i] + v[i]));
  }
}

/* Applies the view's colour change after the conversion to R'G'B', as one matrix and offset. */
static void add_view_colors(float matrix[3][3], float offset[3], const ImageView *view)
{
  float first[3][3], first_offset[3];
  memcpy(first, matrix, sizeof first);
  memcpy(first_offset, offset, sizeof first_offset);
  for (guint i = 0; i < 3; i++) {
    double sum = view->offset[i];
    for (guint k = 0; k < 3; k++)
      sum += view->matrix[i][k] * first_offset[k];
    offset[i] = (float)sum;
    for (guint j = 0; j < 3; j++) {
      sum = 0;
      for (guint k = 0; k < 3; k++)
        sum += view->matrix[i][k] * first[k][j];
      matrix[i][j] = (float)sum;
    }
  }
}

/* Fills a line outside @span with the byte nearest to the mean colour. */
static void fill_line(float *line, gsize size, Span span, float mean, float scale, float shift)
{
  const float value = rintf(255 * mean) * scale + shift;
  for (gsize i = 0; i < size; i++)
    if (i < span.first || i >= span.end)
      line[i] = value;
}

/* Second half of the conversion: resamples a strip of rows along y, then converts its colours.
 * @lines: scratch memory of [3][size] */
static void color_strip(const Conversion *conversion, float *lines, guint strip)
{
  const ImageConverter *converter = conversion->converter;
  const Kernels *kernels = vitgate__kernels();
  const Preprocessing *p = converter->preprocessing;
  const guint n_components = vitgate__formats[conversion->image->format].n_components;
  const gsize size = converter->size, first = (gsize)strip * IMAGE_LINES;
  float scale[3], shift[3];
  for (guint c = 0; c < 3; c++) {
    scale[c] = 1.0f / (255.0f * p->std[c]);
    shift[c] = -p->mean[c] / p->std[c];
  }
  for (gsize line = first; line < MIN(first + IMAGE_LINES, size); line++) {
    const float *in[3] = { lines, lines, lines };
    float *out[3];
    for (guint c = 0; c < 3; c++)
      out[c] = conversion->tensor + (c * size + line) * size;
    for (guint c = 0; c < n_components; c++) {
      const Resampler *y = c ? &converter->chroma_y : &converter->luma_y;
      float *values = lines + c * size;
      in[c] = values;
      kernels->resample_rows(values, converter->narrow[c] + y->starts[line] * size, size,
                             y->weights + line * y->taps, y->taps, (guint)size);
    }
    kernels->convert_colors(out, in, conversion->matrix, conversion->offset, scale, shift,
                            (guint)size);
    const gboolean outside = line < converter->rows.first || line >= converter->rows.end;
    const Span covered = outside ? (Span){ 0, 0 } : converter->columns;
    for (guint c = 0; c < 3 && (covered.first > 0 || covered.end < size); c++)
      fill_line(out[c], size, covered, p->mean[c], scale[c], shift[c]);
  }
}

static void convert_member(gpointer data, guint member)
{
  Conversion *conversion = data;
  const ImageConverter *converter = conversion->converter;
  const guint strips = count_strips(converter->size);
  float *lines = converter->lines + (gsize)member * 3 * converter->size;
  narrow_strips(conversion, member);
  vitgate__team_barrier(converter->team);
  for (guint strip; (strip = atomic_fetch_add(&conversion->colored, 1)) < strips;)
    color_strip(conversion, lines, strip);
}

/* Swaps the axes of planes[3][size][size], block by block, so that lines stay in the cache. */
static void transpose_planes(float *planes, guint size)
{
  enum { BLOCK = 16 };
  for (float *plane = planes; plane < planes + (gsize)3 * size * size; plane += (gsize)size * size)
    for (guint top = 0; top < size; top += BLOCK)
      for (guint left = 0; left <= top; left += BLOCK)
        for (guint y = top; y < MIN(top + BLOCK, size); y++)
          for (guint x = left; x < MIN(left + BLOCK, y); x++) {
            float *a = plane + (gsize)y * size + x, *b = plane + (gsize)x * size + y, value = *a;
            *a = *b;
            *b = value;
          }
}

static void convert(Conversion *conversion)
{
  const ImageConverter *converter = conversion->converter;
  if (converter->team)
    vitgate__team_run_first(converter->team, convert_member, conversion);
  else
    convert_member(conversion, 0);
  if (turn_of(conversion->image, &converter->view).transpose)
    transpose_planes(conversion->tensor, converter->size);
}

/* Returns: whether all of @image is converted, by the fit. */
static gboolean is_whole(const VitgateImage *image)
{
  return image->part.width == 0 && image->part.height == 0;
}

static ImageView view_of_part(const VitgateRectangle *part)
{
  return (ImageView){ .x = part->x, .y = part->y, .width = part->width, .height = part->height };
}

gboolean vitgate__image_check(const VitgateImage *image, GError **error)
{
  const ImageView view = view_of_part(&image->part);
  return check_image(image, error) && (is_whole(image) || check_view(image, &view, error));
}

gboolean vitgate__image_get_view(const ImageConverter *converter, const VitgateImage *image,
                                 VitgateRectangle *part, GError **error)
{
  if (!vitgate__image_check(image, error))
    return FALSE;
  *part = is_whole(image) ? vitgate__seen_part(image, converter->preprocessing, converter->size)
                          : image->part;
  return TRUE;
}

gboolean vitgate__image_convert(ImageConverter *converter, float *tensor, const VitgateImage *image,
                                GError **error)
{
  const ImageView view = view_of_part(&image->part);
  if (!vitgate__image_check(image, error) || !plan(converter, image, &view, error))
    return FALSE;
  Conversion conversion = { .converter = converter, .image = image, .tensor = tensor };
  color_matrix(image, conversion.matrix, conversion.offset);
  convert(&conversion);
  return TRUE;
}

gboolean vitgate__image_convert_view(ImageConverter *converter, float *tensor,
                                     const VitgateImage *image, const ImageView *view,
                                     GError **error)
{
  if (!check_image(image, error) || !check_view(image, view, error) ||
      !plan(converter, image, view, error))
    return FALSE;
  Conversion conversion = { .converter = converter, .image = image, .tensor = tensor };
  color_matrix(image, conversion.matrix, conversion.offset);
  add_view_colors(conversion.matrix, conversion.offset, view);
  convert(&conversion);
  return TRUE;
}
