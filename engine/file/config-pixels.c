#include "file/config-pixels.h"

#include <math.h>
#include <string.h>

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

/* timm's fits. Its mean colour around a letterbox is rounded to bytes, as the engine's is. */
static gboolean apply_crop_mode(const JsonFields *fields, Description *d)
{
  static const char *const modes[] = { "center", "squash", "border", NULL };
  guint mode;
  if (!vitgate__fields_has(fields, "crop_mode"))
    return TRUE;
  if (!vitgate__read_word(fields, "crop_mode", modes, &mode))
    return FALSE;
  d->preprocessing.fit = mode ? VITGATE_FIT_CROP + mode : VITGATE_FIT_MODEL;
  return TRUE;
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
  return check_input_size(fields, d) && apply_crop_mode(fields, d) &&
         (!vitgate__fields_has(fields, "crop_pct") || apply_crop_share(fields, d)) &&
         apply_rgb(fields, "mean", 0, d->preprocessing.mean) &&
         apply_rgb(fields, "std", 1e-3, d->preprocessing.std);
}

/* ---- Hugging Face ---- */

/* A class of image processors: its defaults for fields that a file leaves out, and what its fields
 * mean. Older versions of the library call them feature extractors. */
typedef struct {
  const char *name;
  gboolean square;     /* a single number as size is that of both sides, not of the shorter one */
  gboolean crops;      /* do_center_crop */
  guint size;          /* if size is absent */
  gboolean bicubic;    /* otherwise bilinear */
  gboolean half;       /* image_mean and image_std are 0.5; otherwise the file must have them */
  gboolean crop_share; /* crop_pct counts: size is that of the crop, and a large one is squashed */
} Processor;

static const Processor processors[] = {
  { "ViT", TRUE, FALSE, 224, FALSE, TRUE, FALSE },
  { "DeiT", TRUE, TRUE, 256, TRUE, TRUE, FALSE },
  { "ViTHybrid", FALSE, TRUE, 224, TRUE, FALSE, FALSE },
  { "CLIP", FALSE, TRUE, 224, TRUE, FALSE, FALSE },
  { "Bit", FALSE, TRUE, 224, TRUE, FALSE, FALSE },
  { "Siglip", TRUE, FALSE, 224, TRUE, TRUE, FALSE },
  { "ConvNext", FALSE, FALSE, 384, TRUE, TRUE, TRUE },
};

/* Smallest size that ConvNext's processor squashes instead of cropping. */
#define CONVNEXT_SQUASHED 384

static gboolean is_processor(const char *type, const char *name)
{
  static const char *const suffixes[] = { "ImageProcessor", "ImageProcessorFast",
                                          "FeatureExtractor", NULL };
  return g_str_has_prefix(type, name) && g_strv_contains(suffixes, type + strlen(name));
}

/* Finds the processor that the file names, or else that of the network.
 * @processor: (out)
 * @named: (out): whether the file names it */
static gboolean find_processor(const JsonFields *fields, const char *model_type,
                               const Processor **processor, gboolean *named)
{
  const char *field = vitgate__fields_has(fields, "image_processor_type")
                          ? "image_processor_type"
                          : "feature_extractor_type";
  const char *type = vitgate__json_get_string(fields->object, field);
  *named = vitgate__fields_has(fields, field);
  *processor = &processors[!g_strcmp0(model_type, "deit")];
  if (!*named)
    return TRUE;
  g_autoptr(GString) expected = g_string_new("one of ");
  for (guint i = 0; i < G_N_ELEMENTS(processors); i++) {
    *processor = &processors[i];
    if (type && is_processor(type, processors[i].name))
      return TRUE;
    g_string_append_printf(expected, "%s%sImageProcessor", i ? ", " : "", processors[i].name);
  }
  return vitgate__field_refuse(fields, VITGATE_ERROR_UNSUPPORTED, field, expected->str);
}

/* Reads a number, or an object with the shorter side or two equal sides.
 * @square: (inout): whether the size is that of both sides */
static gboolean read_size(const JsonFields *fields, const char *field, guint64 *size,
                          gboolean *square)
{
  JsonNode *node = json_object_get_member(fields->object, field);
  JsonObject *object = vitgate__json_get_object(fields->object, field);
  guint64 height;
  if (!object)
    return vitgate__json_get_count(node, size) ||
           vitgate__field_refuse(fields, VITGATE_ERROR_METADATA, field, "a size in pixels");
  const JsonFields inside = vitgate__fields_inside(fields, field);
  const gboolean limited = vitgate__fields_has(&inside, "longest_edge");
  *square = FALSE;
  if (!limited && vitgate__json_get_count(json_object_get_member(object, "shortest_edge"), size))
    return TRUE;
  *square = TRUE;
  if (!limited && vitgate__json_get_count(json_object_get_member(object, "height"), &height) &&
      vitgate__json_get_count(json_object_get_member(object, "width"), size) && height == *size)
    return TRUE;
  return vitgate__field_refuse(fields, VITGATE_ERROR_UNSUPPORTED, field,
                               "shortest_edge, or equal height and width");
}

/* ConvNext's processor: @size is the side of the crop, or of what is squashed. */
static gboolean apply_convnext(const JsonFields *fields, guint64 size, const char *expected,
                               Description *d)
{
  if (size != d->image_size)
    return vitgate__field_refuse(fields, VITGATE_ERROR_METADATA, "size", expected);
  if (size >= CONVNEXT_SQUASHED) {
    d->preprocessing.fit = VITGATE_FIT_SQUASH;
    return set_resize(fields, "size", (double)size, d);
  }
  d->preprocessing.fit = VITGATE_FIT_MODEL;
  return vitgate__fields_has(fields, "crop_pct") ? apply_crop_share(fields, d)
                                                 : set_resize(fields, "size", size * 256 / 224, d);
}

static gboolean check_crop_size(const JsonFields *fields, const char *expected,
                                const Description *d)
{
  guint64 crop = d->image_size;
  gboolean square = TRUE;
  if (vitgate__fields_has(fields, "crop_size") && !read_size(fields, "crop_size", &crop, &square))
    return FALSE;
  return crop == d->image_size ||
         vitgate__field_refuse(fields, VITGATE_ERROR_METADATA, "crop_size", expected);
}

/* @named: the file names the processor; otherwise other fields tell how sizes are meant */
static gboolean apply_sizes(const JsonFields *fields, const Processor *processor, gboolean named,
                            Description *d)
{
  g_autofree char *expected = g_strdup_printf("%u, as in the weights", d->image_size);
  gboolean resizes = TRUE, square = processor->square;
  gboolean crops = processor->crops || (!named && vitgate__fields_has(fields, "crop_size"));
  guint64 size = processor->size;
  if (!vitgate__field_read_flag(fields, "do_resize", &resizes) ||
      !vitgate__field_read_flag(fields, "do_center_crop", &crops) ||
      !vitgate__field_read_flag(fields, "default_to_square", &square))
    return FALSE;
  if (!resizes)
    return vitgate__field_refuse(fields, VITGATE_ERROR_UNSUPPORTED, "do_resize", "true");
  if (vitgate__fields_has(fields, "size") && !read_size(fields, "size", &size, &square))
    return FALSE;
  if (processor->crop_share ||
      (!named && vitgate__fields_has(fields, "crop_pct") && size == d->image_size))
    return apply_convnext(fields, size, expected, d);
  if (crops && !check_crop_size(fields, expected, d))
    return FALSE;
  if (!named && !vitgate__fields_has(fields, "size"))
    return TRUE;
  if (!crops && size != d->image_size)
    return vitgate__field_refuse(fields, VITGATE_ERROR_METADATA, "size", expected);
  /* Without a crop, their library can use only square images if it resizes the shorter side. */
  d->preprocessing.fit = square ? VITGATE_FIT_SQUASH : VITGATE_FIT_MODEL;
  return set_resize(fields, "size", (double)size, d);
}

static gboolean apply_resample(const JsonFields *fields, const Processor *processor, gboolean named,
                               Description *d)
{
  enum { PIL_BILINEAR = 2, PIL_BICUBIC = 3 };
  guint64 filter;
  if (!vitgate__fields_has(fields, "resample")) {
    if (named)
      d->preprocessing.bicubic = processor->bicubic;
    return TRUE;
  }
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
  gboolean rescales = TRUE;
  if (!vitgate__field_read_flag(fields, "do_rescale", &rescales))
    return FALSE;
  if (!rescales)
    return vitgate__field_refuse(fields, VITGATE_ERROR_UNSUPPORTED, "do_rescale", "true");
  if (vitgate__fields_has(fields, "rescale_factor") &&
      (!vitgate__json_get_number(json_object_get_member(fields->object, "rescale_factor"),
                                 &factor) ||
       fabs(factor * 255 - 1) > 1e-3))
    return vitgate__field_refuse(fields, VITGATE_ERROR_UNSUPPORTED, "rescale_factor",
                                 "1/255, for pixels from 0 to 1");
  return TRUE;
}

/* Checks that no step is switched on that this function does not know: padding, another order of
 * colours, and so on. */
static gboolean check_steps(const JsonFields *fields)
{
  static const char *const known[] = { "do_resize",        "do_center_crop",
                                       "do_rescale",       "do_normalize",
                                       "do_convert_rgb", /* always RGB here */
                                       "do_reduce_labels", NULL };
  static const char *const others[] = { "keep_aspect_ratio", "offset", "rescale_offset",
                                        "include_top", NULL };
  g_autoptr(GList) names = json_object_get_members(fields->object);
  for (GList *name = names; name; name = name->next) {
    const gboolean is_step = g_str_has_prefix(name->data, "do_");
    gboolean on = FALSE;
    if (g_strv_contains(known, name->data) || (!is_step && !g_strv_contains(others, name->data)))
      continue;
    if (!vitgate__field_read_flag(fields, name->data, &on))
      return FALSE;
    if (on)
      return vitgate__field_refuse(fields, VITGATE_ERROR_UNSUPPORTED, name->data, "false");
  }
  return TRUE;
}

static gboolean apply_normalization(const JsonFields *fields, const Processor *processor,
                                    gboolean named, Preprocessing *p)
{
  gboolean normalizes = TRUE;
  if (!vitgate__field_read_flag(fields, "do_normalize", &normalizes))
    return FALSE;
  for (guint i = 0; i < 3; i++) {
    if (!normalizes) {
      p->mean[i] = 0;
      p->std[i] = 1;
    } else if (named && processor->half) {
      p->mean[i] = p->std[i] = 0.5f;
    }
  }
  if (!normalizes)
    return TRUE;
  if (named && !processor->half && !vitgate__fields_has(fields, "image_mean"))
    return vitgate__field_fail(fields, "image_mean", "three numbers: red, green and blue");
  if (named && !processor->half && !vitgate__fields_has(fields, "image_std"))
    return vitgate__field_fail(fields, "image_std", "three numbers: red, green and blue");
  return apply_rgb(fields, "image_mean", 0, p->mean) &&
         apply_rgb(fields, "image_std", 1e-3, p->std);
}

gboolean vitgate__config_apply_pixels(const JsonFields *fields, const char *model_type,
                                      Description *d)
{
  const Processor *processor;
  gboolean named;
  return find_processor(fields, model_type, &processor, &named) && check_steps(fields) &&
         check_rescaling(fields) && apply_resample(fields, processor, named, d) &&
         apply_sizes(fields, processor, named, d) &&
         apply_normalization(fields, processor, named, &d->preprocessing);
}
