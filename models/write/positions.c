#include "write/positions.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "file/architecture.h"
#include "file/weights.h"
#include "image/resample.h"

/* ---- Interpolation ---- */

/* Resamples along one axis into out[n][width]. Each row of @width values is weighted as a whole. */
static void resample_rows(float *out, const float *in, const Resampler *r, guint n, gsize width)
{
  memset(out, 0, n * width * sizeof *out);
  for (guint i = 0; i < n; i++)
    for (guint t = 0; t < r->taps; t++) {
      const float weight = r->weights[(gsize)i * r->taps + t];
      const float *row = in + (gsize)(r->first + r->starts[i] + t) * width;
      for (gsize j = 0; j < width; j++)
        out[i * width + j] += weight * row[j];
    }
}

gboolean vitgate__positions_interpolate(float *out, guint new_side, const float *in, guint side,
                                        guint dim)
{
  Resampler resampler;
  g_autofree float *wide = g_try_new(float, (gsize)side *new_side *dim);
  const gboolean fine =
      vitgate__resampler_init(&resampler, side, new_side, (double)side / new_side, TRUE) && wide;
  if (fine) {
    vitgate__resampler_plan(&resampler, (double)side / new_side, 0, 0);
    for (guint y = 0; y < side; y++)
      resample_rows(wide + (gsize)y * new_side * dim, in + (gsize)y * side * dim, &resampler,
                    new_side, dim);
    resample_rows(out, wide, &resampler, new_side, (gsize)new_side * dim);
  }
  vitgate__resampler_clear(&resampler);
  return fine;
}

/* ---- Memory ---- */

/* Estimates the memory of a session with one image on one thread: the tokens, their queries, keys
 * and values, the packed copies of these, the image, the cosines of all pairs of tokens that may
 * merge, and the stem's work memory. */
static double session_bytes(const Description *d)
{
  const double tokens = vitgate__description_n_tokens(d), pixels = d->image_size;
  guint heads = 0;
  for (guint b = 0; b < d->depth; b++)
    heads = MAX(heads, d->blocks[b].heads);
  const double width = (double)heads * d->head_dim;
  const double stem =
      d->family->work_size ? (double)d->family->work_size(d, VITGATE_PRECISION_FLOAT32) : 0;
  return sizeof(float) *
         (tokens * (2 * d->dim + 5 * width) + tokens * tokens / 4 + 3 * pixels * pixels + stem);
}

static gboolean check_memory(const Description *d, const char *path, GError **error)
{
  const double wanted = session_bytes(d);
  const double there = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
  if (wanted <= there)
    return TRUE;
  vitgate__set_error(error, VITGATE_ERROR_MEMORY,
                     "%s: images of %u pixels have %u tokens, which need %.1f GB of memory; this "
                     "machine has %.1f GB",
                     path, d->image_size, vitgate__description_n_tokens(d), 1e-9 * wanted,
                     1e-9 * there);
  return FALSE;
}

/* ---- Models ---- */

static gboolean check_size(const Description *d, const char *path, guint image_size, GError **error)
{
  if (d->n_calibration) {
    vitgate__set_error(error, VITGATE_ERROR_ARGUMENT,
                       "%s: its dial was measured on images of %u pixels; only a dense model can "
                       "be resized",
                       path, d->image_size);
    return FALSE;
  }
  if (d->unknown.present || d->teach) {
    vitgate__set_error(error, VITGATE_ERROR_ARGUMENT,
                       "%s: was taught with images of %u pixels; resize the model that it was "
                       "taught from, and run vitgate teach again",
                       path, d->image_size);
    return FALSE;
  }
  if (image_size && image_size <= DESCRIPTION_MAX_IMAGE && image_size % d->patch_size == 0)
    return TRUE;
  vitgate__set_error(
      error, VITGATE_ERROR_ARGUMENT,
      "%s: images of %u pixels, expected a multiple of the patch size %u, at most %u", path,
      image_size, d->patch_size, DESCRIPTION_MAX_IMAGE);
  return FALSE;
}

/* Replaces the file's pos_embed with @positions, which must live as long as the file. */
static gboolean replace(Safetensors *file, const float *positions, gsize rows, guint dim,
                        GError **error)
{
  guint n;
  const Tensor *tensors = vitgate__safetensors_list(file, &n);
  g_autoptr(GArray) changed = g_array_new(FALSE, FALSE, sizeof(Tensor));
  g_array_append_vals(changed, tensors, n);
  Tensor *tensor = vitgate__tensors_find(changed, "pos_embed");
  tensor->type = TENSOR_F32;
  tensor->shape[1] = rows;
  tensor->data = positions;
  tensor->n_bytes = rows * dim * sizeof *positions;
  return vitgate__safetensors_replace(file, changed, error);
}

gboolean vitgate__positions_resize(Safetensors *file, Description *d, guint image_size,
                                   GError **error)
{
  const char *path = vitgate__safetensors_get_path(file);
  if (image_size == d->image_size)
    return TRUE;
  if (!check_size(d, path, image_size, error))
    return FALSE;
  const guint side = d->image_size / d->patch_size, new_side = image_size / d->patch_size;
  const gsize before = vitgate__description_n_tokens(d);
  const gsize prefix = before - vitgate__description_n_patches(d);
  Description resized = *d;
  resized.image_size = image_size;
  resized.preprocessing.resize =
      (guint)((guint64)d->preprocessing.resize * image_size / d->image_size);
  if (!check_memory(&resized, path, error))
    return FALSE;
  const gsize rows = vitgate__description_n_tokens(&resized);
  g_autofree float *old = g_try_new(float, before * d->dim);
  float *new = vitgate__safetensors_allocate(file, "pos_embed", rows * d->dim * sizeof *new, error);
  if (!old || !new || !vitgate__weights_read(file, "pos_embed", old, error) ||
      !vitgate__positions_interpolate(new + prefix * d->dim, new_side, old + prefix * d->dim, side,
                                      d->dim)) {
    if (error && !*error)
      vitgate__set_error(error, VITGATE_ERROR_MEMORY,
                         "%s: out of memory for position embeddings of %u pixels", path,
                         image_size);
    return FALSE;
  }
  memcpy(new, old, prefix * d->dim * sizeof *new);
  resized.dense_gmacs = vitgate__description_published_gmacs(&resized);
  resized.dense_parameters = vitgate__description_parameters(&resized);
  *d = resized;
  return replace(file, new, rows, d->dim, error);
}
