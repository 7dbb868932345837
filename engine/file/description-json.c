#include "file/description-json.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/json-write.h"
#include "file/json-fields.h"
#include "file/json.h"
#include "file/taught-json.h"

/* ---- Reading ---- */

static gboolean read_strings(const JsonFields *fields, const char *field, guint n, char ***strings)
{
  if (!json_object_has_member(fields->object, field))
    return TRUE;
  JsonArray *array = vitgate__json_get_array(fields->object, field);
  if (!array)
    return vitgate__field_refuse(fields, VITGATE_ERROR_LABELS, field, "an array of strings");
  if (json_array_get_length(array) != n) {
    vitgate__set_error(fields->error, VITGATE_ERROR_LABELS,
                       "%s: the length of metadata field '%s' is %u, expected %u, one string for "
                       "each class",
                       fields->path, field, json_array_get_length(array), n);
    return FALSE;
  }
  g_auto(GStrv) values = g_new0(char *, n + 1);
  for (guint i = 0; i < n; i++) {
    const char *text = vitgate__json_get_text(json_array_get_element(array, i));
    if (!text)
      return vitgate__field_fail(fields, field, "an array of strings");
    values[i] = g_strdup(text);
  }
  *strings = g_steal_pointer(&values);
  return TRUE;
}

/* Without the field there is no gate. Only a module that exists can have one. */
static gboolean read_gate(const JsonFields *fields, const char *field, guint units, gboolean *gate)
{
  *gate = FALSE;
  if (!json_object_has_member(fields->object, field))
    return TRUE;
  return vitgate__read_bool(fields, field, gate) &&
         (!*gate || units ||
          vitgate__field_fail(fields, field, "false for a module that does not exist"));
}

/* The same for a token gate and its substitute. */
static gboolean read_token_gate(const JsonFields *fields, const char *field, guint units,
                                gboolean gated, guint dim, TokenGate *gate)
{
  if (!json_object_has_member(fields->object, field))
    return TRUE;
  const JsonFields inside = vitgate__fields_inside(fields, field);
  if (!inside.object)
    return vitgate__field_fail(fields, field, "an object");
  gate->present = TRUE;
  return vitgate__read_uint(&inside, "rank", 0, dim, &gate->rank) &&
         (units || vitgate__field_fail(fields, field, "none for a module that does not exist")) &&
         (!gated || vitgate__field_fail(fields, field, "none for a module with a gate for images"));
}

/* Reads the units of a block and its gates. */
static gboolean read_block(const JsonFields *fields, const Description *d, BlockShape *block)
{
  return vitgate__read_uint(fields, "heads", 0, DESCRIPTION_MAX_DIM / d->head_dim, &block->heads) &&
         vitgate__read_uint(fields, "neurons", 0, DESCRIPTION_MAX_NEURONS, &block->neurons) &&
         read_gate(fields, "attention_gate", block->heads, &block->attention_gate) &&
         read_gate(fields, "mlp_gate", block->neurons, &block->mlp_gate) &&
         read_token_gate(fields, "attention_token_gate", block->heads, block->attention_gate,
                         d->dim, &block->attention_tokens) &&
         read_token_gate(fields, "mlp_token_gate", block->neurons, block->mlp_gate, d->dim,
                         &block->mlp_tokens);
}

static gboolean read_blocks(const JsonFields *fields, Description *d)
{
  JsonArray *array = vitgate__json_get_array(fields->object, "blocks");
  if (!array || json_array_get_length(array) != d->depth)
    return vitgate__field_fail(fields, "blocks", "an array of depth objects, one for each block");
  d->blocks = g_new0(BlockShape, d->depth);
  for (guint i = 0; i < d->depth; i++) {
    JsonNode *node = json_array_get_element(array, i);
    if (!JSON_NODE_HOLDS_OBJECT(node))
      return vitgate__field_fail(fields, "blocks", "an array of objects");
    JsonFields block = *fields;
    block.object = json_node_get_object(node);
    if (!read_block(&block, d, &d->blocks[i]))
      return FALSE;
  }
  return TRUE;
}

static gboolean read_preprocessing(const JsonFields *parent, Description *d)
{
  static const char *const interpolations[] = { "bilinear", "bicubic", NULL };
  const JsonFields fields = vitgate__fields_inside(parent, "preprocessing");
  Preprocessing *p = &d->preprocessing;
  guint interpolation, fit = 0;
  if (!fields.object)
    return vitgate__field_fail(parent, "preprocessing", "an object");
  const gboolean stated = json_object_has_member(fields.object, "fit");
  if (!vitgate__read_uint(&fields, "resize", d->image_size, 4 * DESCRIPTION_MAX_IMAGE,
                          &p->resize) ||
      !vitgate__read_word(&fields, "interpolation", interpolations, &interpolation) ||
      !vitgate__read_rgb(&fields, "mean", 0, 1e3, p->mean) ||
      !vitgate__read_rgb(&fields, "std", 1e-6, 1e3, p->std) ||
      (stated && !vitgate__read_word(&fields, "fit", vitgate__fit_names + VITGATE_FIT_CROP, &fit)))
    return FALSE;
  p->fit = stated ? VITGATE_FIT_CROP + fit : VITGATE_FIT_MODEL;
  p->bicubic = interpolation == 1;
  return TRUE;
}

static gboolean read_dense(const JsonFields *parent, Description *d)
{
  const JsonFields fields = vitgate__fields_inside(parent, "dense");
  double parameters;
  if (!fields.object)
    return vitgate__field_fail(parent, "dense", "an object");
  if (!vitgate__read_number(&fields, "gmacs", 1e9, &d->dense_gmacs) ||
      !vitgate__read_number(&fields, "parameters", 1e15, &parameters))
    return FALSE;
  d->dense_parameters = (guint64)parameters;
  return TRUE;
}

static gboolean read_point(const JsonFields *fields, guint depth, CalibrationPoint *point)
{
  JsonArray *thresholds = vitgate__json_get_array(fields->object, "merge_thresholds");
  if (!vitgate__read_number(fields, "compute", 2, &point->compute) ||
      !vitgate__json_get_number(json_object_get_member(fields->object, "agreement"),
                                &point->agreement) ||
      !vitgate__json_get_number(json_object_get_member(fields->object, "gate_bias"),
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

/* Without the field the model has no dial. */
static gboolean read_calibration(const JsonFields *parent, Description *d)
{
  const char *expected = "points in ascending order of compute, with agreement, gate_bias and one "
                         "of merge_thresholds for each block";
  if (!json_object_has_member(parent->object, "calibration"))
    return TRUE;
  JsonArray *array = vitgate__json_get_array(parent->object, "calibration");
  const guint n = array ? json_array_get_length(array) : 0;
  if (!n || n > DESCRIPTION_MAX_CALIBRATION)
    return vitgate__field_fail(parent, "calibration", expected);
  d->calibration = g_new0(CalibrationPoint, n);
  d->n_calibration = n;
  for (guint i = 0; i < n; i++) {
    JsonNode *node = json_array_get_element(array, i);
    CalibrationPoint *point = &d->calibration[i];
    JsonFields fields = { .path = parent->path, .what = parent->what }; /* one error for all */
    if (!JSON_NODE_HOLDS_OBJECT(node))
      return vitgate__field_fail(parent, "calibration", expected);
    fields.object = json_node_get_object(node);
    if (!read_point(&fields, d->depth, point) || (i && point->compute <= point[-1].compute))
      return vitgate__field_fail(parent, "calibration", expected);
  }
  return vitgate__read_number(parent, "default_compute", 2, &d->default_compute);
}

/* A precision without a share is unknown, except float32: such a model is its own teacher. */
static gboolean read_agreement(const JsonFields *parent, Description *d)
{
  JsonObject *object = vitgate__json_get_object(parent->object, "precision_agreement");
  if (!object)
    return !json_object_has_member(parent->object, "precision_agreement") ||
           vitgate__field_fail(parent, "precision_agreement", "an object");
  d->agreement[VITGATE_PRECISION_FLOAT32] = 1;
  for (guint p = VITGATE_PRECISION_FLOAT32; p < VITGATE_N_PRECISIONS; p++) {
    const char *name = vitgate_precision_name((VitgatePrecision)p);
    double *share = &d->agreement[p];
    if (json_object_has_member(object, name) &&
        (!vitgate__json_get_number(json_object_get_member(object, name), share) ||
         !(*share >= 0 && *share <= 1)))
      return vitgate__field_fail(parent, "precision_agreement",
                                 "shares from 0 to 1 for float32, bf16 and int8");
  }
  return TRUE;
}

/* These fields are optional. */
static gboolean read_flags(const JsonFields *fields, Description *d)
{
  gboolean biased = TRUE, class_position = TRUE, distillation_head = TRUE;
  const struct {
    const char *field;
    gboolean *value;
  } flags[] = { { "qkv_bias", &biased },
                { "layer_scale", &d->layer_scale },
                { "class_position", &class_position },
                { "distillation_head", &distillation_head } };
  for (guint i = 0; i < G_N_ELEMENTS(flags); i++)
    if (json_object_has_member(fields->object, flags[i].field) &&
        !vitgate__read_bool(fields, flags[i].field, flags[i].value))
      return FALSE;
  d->qkv_unbiased = !biased;
  d->no_class_position = !class_position;
  d->class_head_only = !distillation_head;
  return !d->class_head_only || d->distilled ||
         vitgate__field_fail(fields, "distillation_head", "true for a model that is not distilled");
}

static gboolean read_pooling(const JsonFields *fields, Description *d)
{
  static const char *const poolings[] = { "class-token", "mean", NULL };
  guint pooling;
  if (!vitgate__read_word(fields, "pooling", poolings, &pooling))
    return FALSE;
  d->mean_pooling = pooling == 1;
  return !d->distilled || !d->mean_pooling ||
         vitgate__field_fail(fields, "pooling", "class-token for a distilled model");
}

/* Without the field, classes exclude each other. The softmax of a single class would always be 1.
 */
static gboolean read_activation(const JsonFields *fields, Description *d)
{
  guint activation = d->n_classes == 1;
  if (json_object_has_member(fields->object, "activation") &&
      !vitgate__read_word(fields, "activation", vitgate__activation_names, &activation))
    return FALSE;
  d->activation = (VitgateActivation)activation;
  return d->n_classes > 1 || d->activation == VITGATE_ACTIVATION_SIGMOID ||
         vitgate__field_fail(fields, "activation", "sigmoid for a single class");
}

/* Finds the family by its name and, if it has kinds, by the kind of its stem. */
static gboolean read_family(const JsonFields *fields, Description *d)
{
  g_autoptr(GPtrArray) names = g_ptr_array_new(), kinds = g_ptr_array_new();
  guint name, kind;
  for (const Family *const *family = vitgate__families; *family; family++)
    if (!g_ptr_array_find_with_equal_func(names, (*family)->name, g_str_equal, NULL))
      g_ptr_array_add(names, (gpointer)(*family)->name);
  g_ptr_array_add(names, NULL);
  if (!vitgate__read_word(fields, "family", (const char *const *)names->pdata, &name))
    return FALSE;
  d->family = vitgate__family_find(names->pdata[name], NULL);
  if (d->family)
    return TRUE;
  for (const Family *const *family = vitgate__families; *family; family++)
    if (g_str_equal((*family)->name, names->pdata[name]))
      g_ptr_array_add(kinds, (gpointer)(*family)->kind);
  g_ptr_array_add(kinds, NULL);
  const JsonFields stem = vitgate__fields_inside(fields, "stem");
  if (!stem.object) {
    g_autofree char *expected =
        g_strdup_printf("an object for a model of family %s", (char *)names->pdata[name]);
    return vitgate__field_fail(fields, "stem", expected);
  }
  if (!vitgate__read_word(&stem, "kind", (const char *const *)kinds->pdata, &kind))
    return FALSE;
  d->family = vitgate__family_find(names->pdata[name], kinds->pdata[kind]);
  return TRUE;
}

/* Reads what else the stem has, after the dimensions that it depends on. */
static gboolean read_stem(const JsonFields *fields, Description *d)
{
  const JsonFields stem = vitgate__fields_inside(fields, "stem");
  return !d->family->read_stem || d->family->read_stem(fields, &stem, d);
}

static gboolean read_dimensions(const JsonFields *fields, Description *d)
{
  static const char *const precisions[] = { "float32", "float16", "bfloat16", "int8", NULL };
  guint version, word;
  return vitgate__read_uint(fields, "version", 1, G_MAXUINT, &version) &&
         (version == DESCRIPTION_VERSION ||
          vitgate__field_refuse(fields, VITGATE_ERROR_UNSUPPORTED, "version",
                                G_STRINGIFY(DESCRIPTION_VERSION))) &&
         read_family(fields, d) && vitgate__read_word(fields, "precision", precisions, &word) &&
         (d->precision = precisions[word]) &&
         vitgate__read_uint(fields, "image_size", 1, DESCRIPTION_MAX_IMAGE, &d->image_size) &&
         vitgate__read_uint(fields, "patch_size", 1, d->image_size, &d->patch_size) &&
         (d->image_size % d->patch_size == 0 ||
          vitgate__field_fail(fields, "patch_size", "a divisor of image_size")) &&
         vitgate__read_uint(fields, "dim", 1, DESCRIPTION_MAX_DIM, &d->dim) &&
         vitgate__read_uint(fields, "head_dim", 1, DESCRIPTION_MAX_DIM, &d->head_dim) &&
         vitgate__read_uint(fields, "depth", 0, DESCRIPTION_MAX_DEPTH, &d->depth) &&
         vitgate__read_uint(fields, "n_classes", 1, DESCRIPTION_MAX_CLASSES, &d->n_classes) &&
         read_activation(fields, d) && vitgate__read_bool(fields, "distilled", &d->distilled) &&
         read_pooling(fields, d) && read_flags(fields, d) && read_stem(fields, d) &&
         vitgate__read_number(fields, "layer_norm_eps", 1, &d->layer_norm_eps) &&
         read_blocks(fields, d);
}

static Description *parse(const char *path, JsonObject *object, GError **error)
{
  g_autoptr(Description) d = g_new0(Description, 1);
  const JsonFields fields = { path, "metadata field", object, error };
  const char *name = vitgate__json_get_string(object, "name");
  d->name = g_strdup(name);
  if ((!name && !vitgate__field_fail(&fields, "name", "a string")) ||
      !read_dimensions(&fields, d) || !read_preprocessing(&fields, d) || !read_dense(&fields, d) ||
      !read_calibration(&fields, d) || !read_agreement(&fields, d) ||
      !read_strings(&fields, "labels", d->n_classes, &d->labels) ||
      !read_strings(&fields, "label_ids", d->n_classes, &d->label_ids) ||
      !vitgate__taught_read(&fields, d))
    return NULL;
  JsonObject *provenance = vitgate__json_get_object(object, "provenance");
  d->provenance = provenance ? json_object_ref(provenance) : NULL;
  return g_steal_pointer(&d);
}

Description *vitgate__description_read(const Safetensors *file, GError **error)
{
  const char *path = vitgate__safetensors_get_path(file);
  const char *text = vitgate__safetensors_get_metadata(file, DESCRIPTION_KEY);
  if (!text) {
    vitgate__set_error(error, VITGATE_ERROR_METADATA, "%s: has no metadata '" DESCRIPTION_KEY "'",
                       path);
    return NULL;
  }
  g_autofree char *what = g_strdup_printf("%s: metadata '" DESCRIPTION_KEY "'", path);
  g_autoptr(JsonNode) node =
      vitgate__json_parse_object(text, strlen(text), what, VITGATE_ERROR_METADATA, error);
  return node ? parse(path, json_node_get_object(node), error) : NULL;
}

/* ---- Writing ---- */

static JsonArray *rgb_array(const float rgb[3])
{
  JsonArray *array = json_array_new();
  /* Six digits are what people wrote. The full expansion of a float would show noise. */
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

static void set_token_gate(JsonObject *block, const char *member, const TokenGate *gate)
{
  if (!gate->present)
    return;
  JsonObject *object = json_object_new();
  json_object_set_int_member(object, "rank", gate->rank);
  json_object_set_object_member(block, member, object);
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
    set_token_gate(block, "attention_token_gate", &d->blocks[i].attention_tokens);
    set_token_gate(block, "mlp_token_gate", &d->blocks[i].mlp_tokens);
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
    if (p == VITGATE_PRECISION_FLOAT32 || d->agreement[p] > 0) /* float32 defaults to 1 */
      json_object_set_double_member(object, vitgate_precision_name((VitgatePrecision)p),
                                    d->agreement[p]);
  return object;
}

static JsonObject *stem_object(const Description *d)
{
  JsonObject *object = json_object_new();
  json_object_set_string_member(object, "kind", d->family->kind);
  d->family->write_stem(d, object);
  return object;
}

char *vitgate__description_to_json(const Description *d)
{
  JsonObject *object = json_object_new();
  json_object_set_int_member(object, "version", DESCRIPTION_VERSION);
  json_object_set_string_member(object, "name", d->name);
  json_object_set_string_member(object, "family", d->family->name);
  if (d->family->kind)
    json_object_set_object_member(object, "stem", stem_object(d));
  json_object_set_int_member(object, "image_size", d->image_size);
  json_object_set_int_member(object, "patch_size", d->patch_size);
  json_object_set_int_member(object, "dim", d->dim);
  json_object_set_int_member(object, "head_dim", d->head_dim);
  json_object_set_int_member(object, "depth", d->depth);
  json_object_set_int_member(object, "n_classes", d->n_classes);
  if (d->activation != VITGATE_ACTIVATION_SOFTMAX)
    json_object_set_string_member(object, "activation", vitgate_activation_name(d->activation));
  json_object_set_boolean_member(object, "distilled", d->distilled);
  if (d->qkv_unbiased)
    json_object_set_boolean_member(object, "qkv_bias", FALSE);
  if (d->layer_scale)
    json_object_set_boolean_member(object, "layer_scale", TRUE);
  if (d->no_class_position)
    json_object_set_boolean_member(object, "class_position", FALSE);
  if (d->class_head_only)
    json_object_set_boolean_member(object, "distillation_head", FALSE);
  json_object_set_string_member(object, "pooling", d->mean_pooling ? "mean" : "class-token");
  json_object_set_double_member(object, "layer_norm_eps", d->layer_norm_eps);
  json_object_set_string_member(object, "precision", d->precision ? d->precision : "float32");
  json_object_set_array_member(object, "blocks", block_array(d));

  JsonObject *preprocessing = json_object_new();
  if (d->preprocessing.fit != VITGATE_FIT_MODEL)
    json_object_set_string_member(preprocessing, "fit", vitgate_fit_name(d->preprocessing.fit));
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
  vitgate__taught_write(d, object);
  if (d->provenance)
    json_object_set_object_member(object, "provenance", json_object_ref(d->provenance));

  g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
  json_node_take_object(node, object);
  return vitgate__json_write(node, FALSE);
}
