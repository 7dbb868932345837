#include "file/config-pixels.h"

#include <math.h>

#include "file/json.h"

static gboolean apply_rgb(const JsonFields *fields, const char *field, double min, float rgb[3])
{
  return !vitgate__fields_has(fields, field) ||
         vitgate__json_get_rgb(fields->object, field, min, 1, rgb) ||
         vitgate__field_refuse(fields, VITGATE_ERROR_METADATA, field,
                               "three numbers up to 1: red, green and blue");
}

static gboolean set_resize(const JsonFields *fields, const char *field, double resize,
                           Description *d)
{
  if (!(resize >= d->image_size && resize <= 4 * DESCRIPTION_MAX_IMAGE)) {
    g_autofree char *expected =
        g_strdup_printf("a resized image of %u to %u pixels, before the crop to %u", d->image_size,
                        4 * DESCRIPTION_MAX_IMAGE, d->image_size);
    return vitgate__field_refuse(fields, VITGATE_ERROR_METADATA, field, expected);
  }
  d->preprocessing.resize = (guint)resize;
  return TRUE;
}

/* crop_pct is the crop's share of the resized image. Both libraries round the size of the latter
 * down. */
static gboolean apply_crop_share(const JsonFields *fields, Description *d)
{
  double share;
  if (!vitgate__json_get_number(json_object_get_member(fields->object, "crop_pct"), &share) ||
      !(share > 0 && share <= 1))
    return vitgate__field_refuse(fields, VITGATE_ERROR_METADATA, "crop_pct",
                                 "a number above 0 and at most 1");
  return set_resize(fields, "crop_pct", floor(d->image_size / share), d);
}

/* ---- timm ---- */

static gboolean check_input_size(const JsonFields *fields, const Description *d)
{
  JsonArray *sizes = vitgate__json_get_array(fields->object, "input_size");
  const guint64 expected[] = { 3, d->image_size, d->image_size };
  gboolean valid = sizes && json_array_get_length(sizes) == 3;
  for (guint i = 0; valid && i < 3; i++) {
    guint64 size;
    valid = vitgate__json_get_count(json_array_get_element(sizes, i), &size) && size == expected[i];
  }
  if (valid || !vitgate__fields_has(fields, "input_size"))
    return TRUE;
  g_autofree char *text =
      g_strdup_printf("[3,%u,%u], as in the weights", d->image_size, d->image_size);
  return vitgate__field_refuse(fields, VITGATE_ERROR_METADATA, "input_size", text);
}

gboolean vitgate__config_apply_timm_pixels(const JsonFields *fields, Description *d)
{
  const char *interpolation = vitgate__json_get_string(fields->object, "interpolation");
  if (vitgate__fields_has(fields, "interpolation")) {
    if (g_strcmp0(interpolation, "bicubic") && g_strcmp0(interpolation, "bilinear"))
      return vitgate__field_refuse(fields, VITGATE_ERROR_UNSUPPORTED, "interpolation",
                                   "bicubic or bilinear");
    d->preprocessing.bicubic = !g_strcmp0(interpolation, "bicubic");
  }
  return check_input_size(fields, d) &&
         (!vitgate__fields_has(fields, "crop_pct") || apply_crop_share(fields, d)) &&
         apply_rgb(fields, "mean", 0, d->preprocessing.mean) &&
         apply_rgb(fields, "std", 1e-3, d->preprocessing.std);
}

/* ---- Hugging Face ---- */

/* @otherwise: the default of Hugging Face's library, for an absent field */
static gboolean read_flag(const JsonFields *fields, const char *field, gboolean otherwise)
{
  gboolean flag = otherwise;
  vitgate__json_get_boolean(json_object_get_member(fields->object, field), &flag);
  return flag;
}

/* Reads a number, or an object with the shorter side or two equal sides. */
static gboolean read_size(const JsonFields *fields, const char *field, guint64 *size)
{
  JsonNode *node = json_object_get_member(fields->object, field);
  JsonObject *object = vitgate__json_get_object(fields->object, field);
  guint64 height;
  if (!object)
    return vitgate__json_get_count(node, size) ||
           vitgate__field_refuse(fields, VITGATE_ERROR_METADATA, field, "a size in pixels");
  if (vitgate__json_get_count(json_object_get_member(object, "shortest_edge"), size) ||
      (vitgate__json_get_count(json_object_get_member(object, "height"), &height) &&
       vitgate__json_get_count(json_object_get_member(object, "width"), size) && height == *size))
    return TRUE;
  return vitgate__field_refuse(fields, VITGATE_ERROR_UNSUPPORTED, field,
                               "shortest_edge, or equal height and width");
}

static gboolean apply_sizes(const JsonFields *fields, Description *d)
{
  const gboolean crops =
      read_flag(fields, "do_center_crop", vitgate__fields_has(fields, "crop_size"));
  guint64 size, crop = d->image_size;
  if (crops && vitgate__fields_has(fields, "crop_size") && !read_size(fields, "crop_size", &crop))
    return FALSE;
  g_autofree char *expected = g_strdup_printf("%u, as in the weights", d->image_size);
  if (crop != d->image_size)
    return vitgate__field_refuse(fields, VITGATE_ERROR_METADATA, "crop_size", expected);
  if (!vitgate__fields_has(fields, "size"))
    return TRUE;
  if (!read_size(fields, "size", &size))
    return FALSE;
  if (size == d->image_size && vitgate__fields_has(fields, "crop_pct"))
    return apply_crop_share(fields, d);
  /* Without a crop, their library squeezes the whole image into the square. Here the edges are
   * cropped. */
  if (!crops && size != d->image_size)
    return vitgate__field_refuse(fields, VITGATE_ERROR_METADATA, "size", expected);
  return set_resize(fields, "size", (double)size, d);
}

static gboolean apply_resample(const JsonFields *fields, Description *d)
{
  enum { PIL_BILINEAR = 2, PIL_BICUBIC = 3 };
  guint64 filter;
  if (!vitgate__fields_has(fields, "resample"))
    return TRUE;
  if (!vitgate__json_get_count(json_object_get_member(fields->object, "resample"), &filter) ||
      (filter != PIL_BILINEAR && filter != PIL_BICUBIC))
    return vitgate__field_refuse(fields, VITGATE_ERROR_UNSUPPORTED, "resample",
                                 "2 (bilinear) or 3 (bicubic)");
  d->preprocessing.bicubic = filter == PIL_BICUBIC;
  return TRUE;
}

static gboolean check_rescaling(const JsonFields *fields)
{
  double factor = 1.0 / 255;
  if (!read_flag(fields, "do_rescale", TRUE))
    return vitgate__field_refuse(fields, VITGATE_ERROR_UNSUPPORTED, "do_rescale", "true");
  if (vitgate__fields_has(fields, "rescale_factor") &&
      (!vitgate__json_get_number(json_object_get_member(fields->object, "rescale_factor"),
                                 &factor) ||
       fabs(factor * 255 - 1) > 1e-3))
    return vitgate__field_refuse(fields, VITGATE_ERROR_UNSUPPORTED, "rescale_factor",
                                 "1/255, for pixels from 0 to 1");
  return TRUE;
}

gboolean vitgate__config_apply_pixels(const JsonFields *fields, Description *d)
{
  Preprocessing *p = &d->preprocessing;
  if (!check_rescaling(fields) || !apply_resample(fields, d) || !apply_sizes(fields, d) ||
      !apply_rgb(fields, "image_mean", 0, p->mean) || !apply_rgb(fields, "image_std", 1e-3, p->std))
    return FALSE;
  for (guint i = 0; !read_flag(fields, "do_normalize", TRUE) && i < 3; i++) {
    p->mean[i] = 0;
    p->std[i] = 1;
  }
  return TRUE;
}
