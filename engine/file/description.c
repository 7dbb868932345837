#include "file/description.h"

#include <math.h>

#include "base/error.h"
#include "file/json.h"
#include "file/weights.h"

static const char *const families[] = { "vit", "t2t", NULL };
static const char *const stems[] = { "performer", "transformer", NULL }; /* STEM_PERFORMER … */

const char *vitgate__description_family(const Description *d)
{
  return families[d->stem != STEM_PATCHES];
}

const char *vitgate__description_stem(const Description *d)
{
  return d->stem ? stems[d->stem - STEM_PERFORMER] : NULL;
}

void vitgate__description_clear_calibration(Description *d)
{
  for (guint i = 0; i < d->n_calibration; i++)
    g_free(d->calibration[i].thresholds);
  g_clear_pointer(&d->calibration, g_free);
  d->n_calibration = 0;
}

void vitgate__description_free(Description **description)
{
  Description *d = g_steal_pointer(description);
  if (!d)
    return;
  g_free(d->name);
  g_free(d->blocks);
  g_strfreev(d->labels);
  g_strfreev(d->label_ids);
  vitgate__description_clear_calibration(d);
  g_clear_pointer(&d->provenance, json_object_unref);
  g_free(d);
}

/* ---- Reading ---- */

/* Where a field that is being read stands, for errors. */
typedef struct {
  const char *path;
  JsonObject *object;
  GError **error;
} Reader;

static gboolean fail_as(const Reader *reader, VitgateError code, const char *field,
                        const char *expected)
{
  JsonNode *node = json_object_get_member(reader->object, field);
  g_autofree char *found = node ? json_to_string(node, FALSE) : g_strdup("absent");
  vitgate__set_error(reader->error, code, "%s: metadata field '%s' is %.60s, expected %s",
                     reader->path, field, found, expected);
  return FALSE;
}

static gboolean fail(const Reader *reader, const char *field, const char *expected)
{
  return fail_as(reader, VITGATE_ERROR_METADATA, field, expected);
}

static gboolean read_uint(const Reader *reader, const char *field, guint least, guint most,
                          guint *value)
{
  guint64 count;
  if (vitgate__json_get_count(json_object_get_member(reader->object, field), &count) &&
      count >= least && count <= most) {
    *value = (guint)count;
    return TRUE;
  }
  g_autofree char *expected = g_strdup_printf("a whole number from %u to %u", least, most);
  return fail(reader, field, expected);
}

static gboolean read_number(const Reader *reader, const char *field, double most, double *value)
{
  if (vitgate__json_get_number(json_object_get_member(reader->object, field), value) &&
      *value > 0 && *value <= most)
    return TRUE;
  g_autofree char *expected = g_strdup_printf("a number above 0 and up to %g", most);
  return fail(reader, field, expected);
}

static gboolean read_bool(const Reader *reader, const char *field, gboolean *value)
{
  return vitgate__json_get_boolean(json_object_get_member(reader->object, field), value) ||
         fail(reader, field, "true or false");
}

/* A word that is not among @words may be one of a later version's. */
static gboolean read_word(const Reader *reader, const char *field, const char *const *words,
                          guint *which)
{
  const char *found = vitgate__json_get_string(reader->object, field);
  for (*which = 0; words[*which]; ++*which)
    if (!g_strcmp0(found, words[*which]))
      return TRUE;
  g_autofree char *list = g_strjoinv(" or ", (char **)words);
  return fail_as(reader, found ? VITGATE_ERROR_UNSUPPORTED : VITGATE_ERROR_METADATA, field, list);
}

static gboolean read_rgb(const Reader *reader, const char *field, double least, float rgb[3])
{
  return vitgate__json_get_rgb(reader->object, field, least, 1e3, rgb) ||
         fail(reader, field, "three numbers, red, green and blue");
}

static gboolean read_strings(const Reader *reader, const char *field, guint n, char ***strings)
{
  if (!json_object_has_member(reader->object, field))
    return TRUE;
  JsonArray *array = vitgate__json_get_array(reader->object, field);
  guint length = array ? json_array_get_length(array) : 0;
  if (!array || length != n) {
    vitgate__set_error(reader->error, VITGATE_ERROR_LABELS,
                       "%s: metadata field '%s' has %u strings, expected one for each of %u "
                       "classes",
                       reader->path, field, length, n);
    return FALSE;
  }
  g_auto(GStrv) values = g_new0(char *, n + 1);
  for (guint i = 0; i < n; i++) {
    const char *text = vitgate__json_get_text(json_array_get_element(array, i));
    if (!text)
      return fail(reader, field, "an array of strings");
    values[i] = g_strdup(text);
  }
  *strings = g_steal_pointer(&values);
  return TRUE;
}

/* Absent: no gate; only a module that exists can have one. */
static gboolean read_gate(const Reader *reader, const char *field, guint units, gboolean *gate)
{
  *gate = FALSE;
  if (!json_object_has_member(reader->object, field))
    return TRUE;
  return read_bool(reader, field, gate) &&
         (!*gate || units || fail(reader, field, "false for a module that does not exist"));
}

static gboolean read_blocks(const Reader *reader, Description *d)
{
  JsonArray *array = vitgate__json_get_array(reader->object, "blocks");
  if (!array || json_array_get_length(array) != d->depth)
    return fail(reader, "blocks", "an array with one object for each of depth blocks");
  d->blocks = g_new0(BlockShape, d->depth);
  for (guint i = 0; i < d->depth; i++) {
    JsonNode *node = json_array_get_element(array, i);
    if (!JSON_NODE_HOLDS_OBJECT(node))
      return fail(reader, "blocks", "an array of objects");
    Reader block = { reader->path, json_node_get_object(node), reader->error };
    if (!read_uint(&block, "heads", 0, DESCRIPTION_MAX_DIM / d->head_dim, &d->blocks[i].heads) ||
        !read_uint(&block, "neurons", 0, DESCRIPTION_MAX_NEURONS, &d->blocks[i].neurons) ||
        !read_gate(&block, "attention_gate", d->blocks[i].heads, &d->blocks[i].attention_gate) ||
        !read_gate(&block, "mlp_gate", d->blocks[i].neurons, &d->blocks[i].mlp_gate))
      return FALSE;
  }
  return TRUE;
}

static gboolean read_preprocessing(const Reader *parent, Description *d)
{
  static const char *const interpolations[] = { "bilinear", "bicubic", NULL };
  Reader reader = { parent->path, vitgate__json_get_object(parent->object, "preprocessing"),
                    parent->error };
  Preprocessing *p = &d->preprocessing;
  guint interpolation;
  if (!reader.object)
    return fail(parent, "preprocessing", "an object");
  if (!read_uint(&reader, "resize", d->image_size, 4 * DESCRIPTION_MAX_IMAGE, &p->resize) ||
      !read_word(&reader, "interpolation", interpolations, &interpolation) ||
      !read_rgb(&reader, "mean", 0, p->mean) || !read_rgb(&reader, "std", 1e-6, p->std))
    return FALSE;
  p->bicubic = interpolation == 1;
  return TRUE;
}

static gboolean read_dense(const Reader *parent, Description *d)
{
  Reader reader = { parent->path, vitgate__json_get_object(parent->object, "dense"),
                    parent->error };
  double parameters;
  if (!reader.object)
    return fail(parent, "dense", "an object");
  if (!read_number(&reader, "gmacs", 1e9, &d->dense_gmacs) ||
      !read_number(&reader, "parameters", 1e15, &parameters))
    return FALSE;
  d->dense_parameters = (guint64)parameters;
  return TRUE;
}

static gboolean read_point(const Reader *reader, guint depth, CalibrationPoint *point)
{
  JsonArray *thresholds = vitgate__json_get_array(reader->object, "merge_thresholds");
  if (!read_number(reader, "compute", 2, &point->compute) ||
      !vitgate__json_get_number(json_object_get_member(reader->object, "agreement"),
                                &point->agreement) ||
      !vitgate__json_get_number(json_object_get_member(reader->object, "gate_bias"),
                                &point->gate_bias) ||
      !thresholds || json_array_get_length(thresholds) != depth)
    return FALSE;
  point->thresholds = g_new0(double, depth + 1);
  for (guint b = 0; b < depth; b++)
    if (!vitgate__json_get_number(json_array_get_element(thresholds, b), &point->thresholds[b]) ||
        !(point->thresholds[b] >= -1 && point->thresholds[b] <= 2))
      return FALSE;
  return fabs(point->gate_bias) <= 1e3;
}

/* Absent: the model has no dial. */
static gboolean read_calibration(const Reader *parent, Description *d)
{
  const char *expected = "points with compute ascending, agreement, gate_bias and one of "
                         "merge_thresholds for each block";
  if (!json_object_has_member(parent->object, "calibration"))
    return TRUE;
  JsonArray *array = vitgate__json_get_array(parent->object, "calibration");
  const guint n = array ? json_array_get_length(array) : 0;
  if (!n || n > DESCRIPTION_MAX_CALIBRATION)
    return fail(parent, "calibration", expected);
  d->calibration = g_new0(CalibrationPoint, n);
  d->n_calibration = n;
  for (guint i = 0; i < n; i++) {
    JsonNode *node = json_array_get_element(array, i);
    CalibrationPoint *point = &d->calibration[i];
    Reader reader = { parent->path, NULL, NULL };
    if (!JSON_NODE_HOLDS_OBJECT(node))
      return fail(parent, "calibration", expected);
    reader.object = json_node_get_object(node);
    if (!read_point(&reader, d->depth, point) || (i && point->compute <= point[-1].compute))
      return fail(parent, "calibration", expected);
  }
  return read_number(parent, "default_compute", 2, &d->default_compute);
}

/* Absent, or lacking one: not known. A model that tells nothing of float32 is its own teacher. */
static gboolean read_agreement(const Reader *parent, Description *d)
{
  JsonObject *object = vitgate__json_get_object(parent->object, "precision_agreement");
  if (!object)
    return !json_object_has_member(parent->object, "precision_agreement") ||
           fail(parent, "precision_agreement", "an object");
  d->agreement[VITGATE_PRECISION_FLOAT32] = 1;
  for (guint p = VITGATE_PRECISION_FLOAT32; p < VITGATE_N_PRECISIONS; p++) {
    const char *name = vitgate_precision_name((VitgatePrecision)p);
    double *share = &d->agreement[p];
    if (json_object_has_member(object, name) &&
        (!vitgate__json_get_number(json_object_get_member(object, name), share) ||
         !(*share >= 0 && *share <= 1)))
      return fail(parent, "precision_agreement", "shares from 0 to 1 of float32, bf16 and int8");
  }
  return TRUE;
}

/* Booleans that may be absent, and what they are then. */
static gboolean read_oddities(const Reader *reader, Description *d)
{
  gboolean biased = TRUE, class_position = TRUE;
  const struct {
    const char *field;
    gboolean *value;
  } oddities[] = { { "qkv_bias", &biased },
                   { "layer_scale", &d->layer_scale },
                   { "class_position", &class_position } };
  for (guint i = 0; i < G_N_ELEMENTS(oddities); i++)
    if (json_object_has_member(reader->object, oddities[i].field) &&
        !read_bool(reader, oddities[i].field, oddities[i].value))
      return FALSE;
  d->qkv_unbiased = !biased;
  d->no_class_position = !class_position;
  return TRUE;
}

static gboolean read_pooling(const Reader *reader, Description *d)
{
  static const char *const poolings[] = { "class-token", "mean", NULL };
  guint pooling;
  if (!read_word(reader, "pooling", poolings, &pooling))
    return FALSE;
  d->mean_pooling = pooling == 1;
  return !d->distilled || !d->mean_pooling ||
         fail(reader, "pooling", "class-token for a distilled model");
}

/* T2T-ViT's stem. */
static gboolean read_stem(const Reader *parent, Description *d)
{
  Reader reader = { parent->path, vitgate__json_get_object(parent->object, "stem"), parent->error };
  guint kind;
  if (!reader.object)
    return fail(parent, "stem", "an object for a model of family t2t");
  if (!read_word(&reader, "kind", stems, &kind) ||
      !read_uint(&reader, "token_dim", 1, DESCRIPTION_MAX_TOKEN_DIM, &d->token_dim))
    return FALSE;
  d->stem = STEM_PERFORMER + kind;
  return (d->stem == STEM_TRANSFORMER ||
          read_uint(&reader, "features", 1, DESCRIPTION_MAX_TOKEN_DIM, &d->n_features)) &&
         (d->patch_size == T2T_PATCH || fail(parent, "patch_size", "16 for family t2t")) &&
         (!d->distilled || fail(parent, "distilled", "false for family t2t"));
}

static gboolean read_dimensions(const Reader *reader, Description *d)
{
  static const char *const precisions[] = { "float32", "float16", "bfloat16", "int8", NULL };
  guint version, family, word;
  return read_uint(reader, "version", 1, G_MAXUINT, &version) &&
         (version == DESCRIPTION_VERSION || fail_as(reader, VITGATE_ERROR_UNSUPPORTED, "version",
                                                    G_STRINGIFY(DESCRIPTION_VERSION))) &&
         read_word(reader, "family", families, &family) &&
         read_word(reader, "precision", precisions, &word) && (d->precision = precisions[word]) &&
         read_uint(reader, "image_size", 1, DESCRIPTION_MAX_IMAGE, &d->image_size) &&
         read_uint(reader, "patch_size", 1, d->image_size, &d->patch_size) &&
         (d->image_size % d->patch_size == 0 ||
          fail(reader, "patch_size", "a divisor of image_size")) &&
         read_uint(reader, "dim", 1, DESCRIPTION_MAX_DIM, &d->dim) &&
         read_uint(reader, "head_dim", 1, DESCRIPTION_MAX_DIM, &d->head_dim) &&
         read_uint(reader, "depth", 0, DESCRIPTION_MAX_DEPTH, &d->depth) &&
         read_uint(reader, "n_classes", 1, DESCRIPTION_MAX_CLASSES, &d->n_classes) &&
         read_bool(reader, "distilled", &d->distilled) && read_pooling(reader, d) &&
         read_oddities(reader, d) && (family == 0 || read_stem(reader, d)) &&
         read_number(reader, "layer_norm_eps", 1, &d->layer_norm_eps) && read_blocks(reader, d);
}

static Description *description_parse(const char *path, JsonObject *object, GError **error)
{
  g_autoptr(Description) d = g_new0(Description, 1);
  Reader reader = { path, object, error };
  const char *name = vitgate__json_get_string(object, "name");
  d->name = g_strdup(name);
  if ((!name && !fail(&reader, "name", "a string")) || !read_dimensions(&reader, d) ||
      !read_preprocessing(&reader, d) || !read_dense(&reader, d) || !read_calibration(&reader, d) ||
      !read_agreement(&reader, d) || !read_strings(&reader, "labels", d->n_classes, &d->labels) ||
      !read_strings(&reader, "label_ids", d->n_classes, &d->label_ids))
    return NULL;
  JsonObject *provenance = vitgate__json_get_object(object, "provenance");
  d->provenance = provenance ? json_object_ref(provenance) : NULL;
  return g_steal_pointer(&d);
}

Description *vitgate__description_read_text(const Safetensors *file, GError **error)
{
  const char *path = vitgate__safetensors_get_path(file);
  const char *text = vitgate__safetensors_get_metadata(file, "vitgate");
  if (!text) {
    vitgate__set_error(error, VITGATE_ERROR_METADATA, "%s: has no metadata 'vitgate'", path);
    return NULL;
  }
  g_autofree char *what = g_strdup_printf("%s: metadata 'vitgate'", path);
  g_autoptr(JsonNode) node =
      vitgate__json_parse_object(text, strlen(text), what, VITGATE_ERROR_METADATA, error);
  return node ? description_parse(path, json_node_get_object(node), error) : NULL;
}

Description *vitgate__description_read(const Safetensors *file, const Hints *hints, GError **error)
{
  const Hints nothing = { 0 };
  g_autoptr(Description) d =
      vitgate__safetensors_get_metadata(file, "vitgate")
          ? vitgate__description_read_text(file, error)
          : vitgate__description_infer(file, hints ? hints : &nothing, error);
  return d && vitgate__weights_check(d, file, error) ? g_steal_pointer(&d) : NULL;
}

/* ---- Writing ---- */

static JsonArray *rgb_array(const float rgb[3])
{
  JsonArray *array = json_array_new();
  /* Six digits are what people wrote; a float's full expansion would show noise. */
  for (guint i = 0; i < 3; i++)
    json_array_add_double_element(array, round(rgb[i] * 1e6) / 1e6);
  return array;
}

static JsonArray *string_array(char **strings)
{
  JsonArray *array = json_array_new();
  for (; *strings; strings++)
    json_array_add_string_element(array, *strings);
  return array;
}

static JsonArray *block_array(const Description *d)
{
  JsonArray *array = json_array_new();
  for (guint i = 0; i < d->depth; i++) {
    JsonObject *block = json_object_new();
    json_object_set_int_member(block, "heads", d->blocks[i].heads);
    json_object_set_int_member(block, "neurons", d->blocks[i].neurons);
    if (d->blocks[i].attention_gate)
      json_object_set_boolean_member(block, "attention_gate", TRUE);
    if (d->blocks[i].mlp_gate)
      json_object_set_boolean_member(block, "mlp_gate", TRUE);
    json_array_add_object_element(array, block);
  }
  return array;
}

static JsonArray *calibration_array(const Description *d)
{
  JsonArray *array = json_array_new();
  for (guint i = 0; i < d->n_calibration; i++) {
    const CalibrationPoint *point = &d->calibration[i];
    JsonObject *object = json_object_new();
    JsonArray *thresholds = json_array_new();
    for (guint b = 0; b < d->depth; b++)
      json_array_add_double_element(thresholds, point->thresholds[b]);
    json_object_set_double_member(object, "compute", point->compute);
    json_object_set_double_member(object, "agreement", point->agreement);
    json_object_set_double_member(object, "gate_bias", point->gate_bias);
    json_object_set_array_member(object, "merge_thresholds", thresholds);
    json_array_add_object_element(array, object);
  }
  return array;
}

static JsonObject *agreement_object(const Description *d)
{
  JsonObject *object = json_object_new();
  for (guint p = VITGATE_PRECISION_FLOAT32; p < VITGATE_N_PRECISIONS; p++)
    if (d->agreement[p] > 0)
      json_object_set_double_member(object, vitgate_precision_name((VitgatePrecision)p),
                                    d->agreement[p]);
  return object;
}

static JsonObject *stem_object(const Description *d)
{
  JsonObject *object = json_object_new();
  json_object_set_string_member(object, "kind", vitgate__description_stem(d));
  json_object_set_int_member(object, "token_dim", d->token_dim);
  if (d->n_features)
    json_object_set_int_member(object, "features", d->n_features);
  return object;
}

char *vitgate__description_to_json(const Description *d)
{
  JsonObject *object = json_object_new();
  json_object_set_int_member(object, "version", DESCRIPTION_VERSION);
  json_object_set_string_member(object, "name", d->name);
  json_object_set_string_member(object, "family", vitgate__description_family(d));
  if (d->stem)
    json_object_set_object_member(object, "stem", stem_object(d));
  json_object_set_int_member(object, "image_size", d->image_size);
  json_object_set_int_member(object, "patch_size", d->patch_size);
  json_object_set_int_member(object, "dim", d->dim);
  json_object_set_int_member(object, "head_dim", d->head_dim);
  json_object_set_int_member(object, "depth", d->depth);
  json_object_set_int_member(object, "n_classes", d->n_classes);
  json_object_set_boolean_member(object, "distilled", d->distilled);
  if (d->qkv_unbiased)
    json_object_set_boolean_member(object, "qkv_bias", FALSE);
  if (d->layer_scale)
    json_object_set_boolean_member(object, "layer_scale", TRUE);
  if (d->no_class_position)
    json_object_set_boolean_member(object, "class_position", FALSE);
  json_object_set_string_member(object, "pooling", d->mean_pooling ? "mean" : "class-token");
  json_object_set_double_member(object, "layer_norm_eps", d->layer_norm_eps);
  json_object_set_string_member(object, "precision", d->precision ? d->precision : "float32");
  json_object_set_array_member(object, "blocks", block_array(d));

  JsonObject *preprocessing = json_object_new();
  json_object_set_int_member(preprocessing, "resize", d->preprocessing.resize);
  json_object_set_string_member(preprocessing, "interpolation",
                                d->preprocessing.bicubic ? "bicubic" : "bilinear");
  json_object_set_array_member(preprocessing, "mean", rgb_array(d->preprocessing.mean));
  json_object_set_array_member(preprocessing, "std", rgb_array(d->preprocessing.std));
  json_object_set_object_member(object, "preprocessing", preprocessing);

  JsonObject *dense = json_object_new();
  json_object_set_double_member(dense, "gmacs", d->dense_gmacs);
  json_object_set_int_member(dense, "parameters", (gint64)d->dense_parameters);
  json_object_set_object_member(object, "dense", dense);
  if (d->n_calibration) {
    json_object_set_array_member(object, "calibration", calibration_array(d));
    json_object_set_double_member(object, "default_compute", d->default_compute);
  }
  if (d->agreement[VITGATE_PRECISION_BF16] > 0 || d->agreement[VITGATE_PRECISION_INT8] > 0)
    json_object_set_object_member(object, "precision_agreement", agreement_object(d));
  if (d->labels)
    json_object_set_array_member(object, "labels", string_array(d->labels));
  if (d->label_ids)
    json_object_set_array_member(object, "label_ids", string_array(d->label_ids));
  if (d->provenance)
    json_object_set_object_member(object, "provenance", json_object_ref(d->provenance));

  g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
  json_node_take_object(node, object);
  return vitgate__json_write(node);
}
