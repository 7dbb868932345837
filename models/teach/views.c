#include "teach/views.h"

#include "data/augment.h"

/* Pictures up to which the crops are worth their time. */
#define MAX_CROPPED 200

#define CROP 0.85 /* side, relative to what the model sees */

/* A crop towards a corner of what the model sees of the picture. */
typedef struct {
  int x, y; /* -1: left or top; 1: right or bottom */
  gboolean mirrored;
  double brightness, saturation;
} Crop;

static const Crop crops[] = { { -1, -1, TRUE, 0.8, 0.8 }, { 1, 1, FALSE, 1.2, 1.2 } };

guint views_choose(guint n_pictures)
{
  return n_pictures <= MAX_CROPPED ? EXAMPLES_MAX_VIEWS : 2;
}

const char *views_describe(guint n_views)
{
  static const char *const texts[EXAMPLES_MAX_VIEWS + 1] = {
    "", "the picture", "the picture and its mirror image",
    "the picture, its mirror image and a crop",
    "the picture, its mirror image and two crops in other colours"
  };
  return texts[n_views];
}

static void mirror(float *out, const float *in, guint size)
{
  for (guint row = 0; row < 3 * size; row++)
    for (guint x = 0; x < size; x++)
      out[(gsize)row * size + x] = in[(gsize)row * size + size - 1 - x];
}

static gboolean make_crop(const Crop *crop, ImageConverter *converter, const VitgateImage *image,
                          const VitgateRectangle *seen, float *tensor, GError **error)
{
  const double width = MAX(1, CROP * seen->width), height = MAX(1, CROP * seen->height);
  const Variation variation = { .x = seen->x + (seen->width - width) * (crop->x > 0),
                                .y = seen->y + (seen->height - height) * (crop->y > 0),
                                .width = width,
                                .height = height,
                                .mirrored = crop->mirrored,
                                .brightness = crop->brightness,
                                .contrast = 1,
                                .saturation = crop->saturation };
  const ImageView view = variation_view(&variation, image);
  return vitgate__image_convert_view(converter, tensor, image, &view, error);
}

gboolean views_make(VitgateSession *session, ImageConverter *converter, const VitgateImage *image,
                    guint image_size, guint n_views, float *tensors, GError **error)
{
  const gsize length = (gsize)3 * image_size * image_size;
  VitgateRectangle seen;
  if (!vitgate_session_preprocess(session, image, tensors, error) ||
      !vitgate_session_get_view(session, image, &seen, error))
    return FALSE;
  if (n_views > 1)
    mirror(tensors + length, tensors, image_size);
  for (guint v = 2; v < n_views; v++)
    if (!make_crop(&crops[v - 2], converter, image, &seen, tensors + v * length, error))
      return FALSE;
  return TRUE;
}
