#include "teach/views.h"

static void mirror(float *out, const float *in, guint size)
{
  for (guint row = 0; row < 3 * size; row++)
    for (guint x = 0; x < size; x++)
      out[(gsize)row * size + x] = in[(gsize)row * size + size - 1 - x];
}

gboolean views_make(VitgateSession *session, const VitgateImage *image, guint image_size,
                    guint n_views, float *tensors, GError **error)
{
  if (!vitgate_session_preprocess(session, image, tensors, error))
    return FALSE;
  if (n_views > 1)
    mirror(tensors + (gsize)3 * image_size * image_size, tensors, image_size);
  return TRUE;
}
