#include "data/augment.h"

#include <math.h>

#include "base/command-error.h"

/* Maximum number of attempts to draw an area and shape that fit into the photograph. */
#define MAX_TRIES 10

static const double luma_weights[3] = { 0.299, 0.587, 0.114 };

gboolean augmentation_check(const Augmentation *a, GError **error)
{
  const double shares[] = {
    a->mirror, a->brightness, a->contrast, a->saturation, a->grey, a->mixup
  };
  gboolean fine = a->area[0] > 0 && a->area[0] <= a->area[1] && a->area[1] <= 1 &&
                  a->aspect[0] > 0 && a->aspect[0] <= a->aspect[1] && isfinite(a->aspect[1]);
  for (guint i = 0; i < G_N_ELEMENTS(shares); i++)
    fine = fine && shares[i] >= 0 && shares[i] <= 1;
  if (!fine)
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE,
                "the augmentation has an invalid range or probability");
  return fine;
}

/* Takes the largest centred crop with a valid shape. */
static void take_middle(Variation *v, const Augmentation *a, guint width, guint height)
{
  double aspect = CLAMP((double)width / height, a->aspect[0], a->aspect[1]);
  v->width = MIN(width, height * aspect);
  v->height = MIN(height, width / aspect);
  v->x = (width - v->width) / 2;
  v->y = (height - v->height) / 2;
}

static void draw_part(Variation *v, const Augmentation *a, Random *random, guint width,
                      guint height)
{
  for (guint i = 0; i < MAX_TRIES; i++) {
    double area = random_between(random, a->area[0], a->area[1]) * width * height;
    double aspect = exp(random_between(random, log(a->aspect[0]), log(a->aspect[1])));
    v->width = sqrt(area * aspect);
    v->height = sqrt(area / aspect);
    if (v->width <= width && v->height <= height) {
      v->x = random_between(random, 0, width - v->width);
      v->y = random_between(random, 0, height - v->height);
      return;
    }
  }
  take_middle(v, a, width, height);
}

Variation augmentation_draw(const Augmentation *a, Random *random, guint width, guint height)
{
  Variation v;
  draw_part(&v, a, random, width, height);
  v.mirrored = random_unit(random) < a->mirror;
  v.brightness = random_between(random, 1 - a->brightness, 1 + a->brightness);
  v.contrast = random_between(random, 1 - a->contrast, 1 + a->contrast);
  v.saturation = random_between(random, 1 - a->saturation, 1 + a->saturation);
  if (random_unit(random) < a->grey)
    v.saturation = 0;
  return v;
}

/* Returns the mean grey, 0 to 255, of the pixels that the crop touches. */
static double mean_grey(const Variation *v, const VitgateImage *image)
{
  const guint step = image->format == VITGATE_PIXELS_RGBX ? 4 : 3;
  const guint left = (guint)v->x, right = MIN(image->width, (guint)ceil(v->x + v->width));
  const guint top = (guint)v->y, bottom = MIN(image->height, (guint)ceil(v->y + v->height));
  guint64 sums[3] = { 0 };
  for (guint y = top; y < bottom; y++) {
    const guint8 *row = image->planes[0] + y * image->strides[0];
    guint row_sums[3] = { 0 };
    for (guint x = left; x < right; x++)
      for (guint c = 0; c < 3; c++)
        row_sums[c] += row[(gsize)x * step + c];
    for (guint c = 0; c < 3; c++)
      sums[c] += row_sums[c];
  }
  double grey = 0;
  for (guint c = 0; c < 3; c++)
    grey += luma_weights[c] * (double)sums[c];
  return grey / ((double)(right - left) * (bottom - top));
}

ImageView variation_view(const Variation *v, const VitgateImage *image)
{
  ImageView view = { v->x, v->y, v->width, v->height, v->mirrored };
  const double factor = v->brightness * v->contrast;
  /* Grey does not change when colours move towards or away from it, so saturation does not change
   * the offset. */
  double offset = 0;
  if (v->contrast != 1)
    offset = (1 - v->contrast) * v->brightness * mean_grey(v, image);
  for (guint i = 0; i < 3; i++) {
    view.offset[i] = offset;
    for (guint j = 0; j < 3; j++)
      view.matrix[i][j] =
          factor * ((i == j) * v->saturation + (1 - v->saturation) * luma_weights[j]);
  }
  return view;
}

void augmentation_blend(const Augmentation *a, Random *random, float *tensors, int *labels,
                        BatchSlice slice, gsize length)
{
  const gboolean whole = slice.n == slice.batch;
  if (a->mixup <= 0 || !slice.n)
    return;
  g_autofree float *first = whole ? g_memdup2(tensors, length * sizeof *tensors) : NULL;
  for (guint place = 0; place < slice.first; place++) /* take the numbers of the images before */
    if (random_unit(random) < a->mixup)
      random_unit(random);
  for (guint i = 0; i < slice.n; i++, tensors += length) {
    if (random_unit(random) >= a->mixup)
      continue;
    const float *next = i + 1 < slice.n || !whole ? tensors + length : first;
    const float share = (float)random_unit(random);
    for (gsize k = 0; k < length; k++)
      tensors[k] += share * (next[k] - tensors[k]);
    labels[i] = -1;
  }
}
