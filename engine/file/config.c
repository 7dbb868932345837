#include "file/config.h"

#include <string.h>

#include "base/error.h"
#include "file/config-pixels.h"
#include "file/json-fields.h"
#include "file/json.h"

/* ---- Reading ---- */

/* Returns: FALSE if the file exists but cannot be used */
static gboolean read_object(const char *path, FileStamp *stamp, JsonNode **node, GError **error)
{
  *stamp = vitgate__stamp_of_path(path);
  if (!g_file_test(path, G_FILE_TEST_EXISTS))
    return TRUE;
  *node = vitgate__json_read_object(path, VITGATE_ERROR_METADATA, error);
  return *node != NULL;
}

gboolean vitgate__config_read(Config *config, const char *weights, GError **error)
{
  g_autofree char *folder = g_path_get_dirname(weights);
  *config = (Config){ .path = g_build_filename(folder, "config.json", NULL),
                      .pixels_path = g_build_filename(folder, "preprocessor_config.json", NULL) };
  return read_object(config->path, &config->stamp, &config->network, error) &&
         read_object(config->pixels_path, &config->pixels_stamp, &config->pixels, error);
}

void vitgate__config_identify(const Config *config, Identity *identity)
{
  if (!config->path)
    return;
  vitgate__identity_add(identity, config->path, config->stamp);
  vitgate__identity_add(identity, config->pixels_path, config->pixels_stamp);
}

void vitgate__config_clear(Config *config)
{
  g_clear_pointer(&config->path, g_free);
  g_clear_pointer(&config->pixels_path, g_free);
  g_clear_pointer(&config->network, json_node_unref);
  g_clear_pointer(&config->pixels, json_node_unref);
}

/* ---- Fields that the weights do not show ---- */

static JsonFields network_fields(const Config *config, GError **error)
{
  return (JsonFields){ config->path, "field", json_node_get_object(config->network), error };
}

/* Returns: what timm calls the network's constructor with; its object is NULL if there is none */
static JsonFields model_args(const JsonFields *network)
{
  JsonFields fields = vitgate__fields_inside(network, "model_args");
  fields.what = "model_args field";
  return fields;
}

gboolean vitgate__config_pools(const Config *config, gboolean *class_token, GError **error)
{
  static const char *const pools[] = { "token", "avg", NULL };
  *class_token = FALSE;
  if (!config->network)
    return TRUE;
  const JsonFields fields = network_fields(config, error), args = model_args(&fields);
  const JsonFields *const both[] = { &fields, args.object ? &args : NULL, NULL };
  for (guint i = 0; both[i]; i++) {
    if (!vitgate__field_check_word(both[i], "global_pool", pools))
      return FALSE;
    if (vitgate__fields_has(both[i], "global_pool"))
      *class_token = !strcmp(vitgate__json_get_string(both[i]->object, "global_pool"), pools[0]);
  }
  return TRUE;
}

static gboolean hint_heads(const JsonFields *fields, const char *field, Hints *hints)
{
  guint heads;
  if (!vitgate__fields_has(fields, field))
    return TRUE;
  if (!vitgate__read_uint(fields, field, 1, DESCRIPTION_MAX_DIM, &heads))
    return FALSE;
  if (!hints->heads)
    hints->heads = heads;
  return TRUE;
}

gboolean vitgate__config_hint(const Config *config, Hints *hints, GError **error)
{
  if (!config->network)
    return TRUE;
  const JsonFields fields = network_fields(config, error), args = model_args(&fields);
  if (!hint_heads(&fields, "num_attention_heads", hints) ||
      (args.object && !hint_heads(&args, "num_heads", hints)))
    return FALSE;
  if (vitgate__fields_has(&fields, "layer_norm_eps") &&
      (!vitgate__json_get_number(json_object_get_member(fields.object, "layer_norm_eps"),
                                 &hints->layer_norm_eps) ||
       !(hints->layer_norm_eps > 0 && hints->layer_norm_eps <= 1)))
    return vitgate__field_refuse(&fields, VITGATE_ERROR_METADATA, "layer_norm_eps",
                                 "a number above 0 and at most 1");
  return TRUE;
}

/* ---- Labels ---- */

/* Hugging Face writes "LABEL_7" if class 7 has no name. */
static gboolean is_nameless(const char *label, guint i)
{
  g_autofree char *number = g_strdup_printf("LABEL_%u", i);
  return !strcmp(label, number);
}

static gboolean refuse_labels(const JsonFields *fields, const char *field, guint found,
                              guint expected)
{
  vitgate__set_error(fields->error, VITGATE_ERROR_LABELS,
                     "%s: the length of field '%s' is %u, expected %u, one name for each class",
                     fields->path, field, found, expected);
  return FALSE;
}

/* Reads Hugging Face's labels: { "0": "tench", … } */
static gboolean apply_id2label(const JsonFields *fields, Description *d)
{
  JsonObject *names = vitgate__json_get_object(fields->object, "id2label");
  if (!vitgate__fields_has(fields, "id2label"))
    return TRUE;
  if (!names)
    return vitgate__field_refuse(fields, VITGATE_ERROR_LABELS, "id2label", "an object");
  if (json_object_get_size(names) != d->n_classes)
    return refuse_labels(fields, "id2label", json_object_get_size(names), d->n_classes);
  g_auto(GStrv) labels = g_new0(char *, d->n_classes + 1);
  guint n_nameless = 0;
  for (guint i = 0; i < d->n_classes; i++) {
    g_autofree char *id = g_strdup_printf("%u", i);
    const char *label = vitgate__json_get_string(names, id);
    if (!label) {
      vitgate__set_error(fields->error, VITGATE_ERROR_LABELS,
                         "%s: field 'id2label' has no name for class %u", fields->path, i);
      return FALSE;
    }
    labels[i] = g_strdup(label);
    n_nameless += is_nameless(label, i);
  }
  if (n_nameless < d->n_classes)
    d->labels = g_steal_pointer(&labels);
  return TRUE;
}

/* Reads timm's labels. If there are label_descriptions, they hold the labels, and label_names holds
 * their ids. */
static gboolean apply_label_names(const JsonFields *fields, Description *d)
{
  JsonArray *names = vitgate__json_get_array(fields->object, "label_names");
  JsonObject *texts = vitgate__json_get_object(fields->object, "label_descriptions");
  if (!vitgate__fields_has(fields, "label_names"))
    return TRUE;
  if (!names)
    return vitgate__field_refuse(fields, VITGATE_ERROR_LABELS, "label_names",
                                 "an array of strings");
  if (json_array_get_length(names) != d->n_classes)
    return refuse_labels(fields, "label_names", json_array_get_length(names), d->n_classes);
  g_auto(GStrv) ids = g_new0(char *, d->n_classes + 1), labels = g_new0(char *, d->n_classes + 1);
  for (guint i = 0; i < d->n_classes; i++) {
    const char *id = vitgate__json_get_text(json_array_get_element(names, i));
    if (!id)
      return vitgate__field_refuse(fields, VITGATE_ERROR_LABELS, "label_names",
                                   "an array of strings");
    ids[i] = g_strdup(id);
    const char *text = texts ? vitgate__json_get_string(texts, ids[i]) : NULL;
    labels[i] = g_strdup(text ? text : ids[i]);
  }
  d->labels = g_steal_pointer(&labels);
  if (texts)
    d->label_ids = g_steal_pointer(&ids);
  return TRUE;
}

/* ---- The whole ---- */

static gboolean check_image_size(const JsonFields *fields, const char *field, const Description *d)
{
  JsonArray *sides = vitgate__json_get_array(fields->object, field);
  if (!sides)
    return vitgate__field_check_count(fields, field, d->image_size);
  for (guint i = 0; i < json_array_get_length(sides); i++) {
    guint64 side;
    if (!vitgate__json_get_count(json_array_get_element(sides, i), &side) ||
        side != d->image_size) {
      g_autofree char *expected = g_strdup_printf("%u, as in the weights", d->image_size);
      return vitgate__field_refuse(fields, VITGATE_ERROR_METADATA, field, expected);
    }
  }
  return TRUE;
}

/* timm computes the mean of the tokens before their norm. */
static gboolean check_pooling(const JsonFields *fields, const Description *d)
{
  const char *pool = vitgate__json_get_string(fields->object, "global_pool");
  return !pool || !strcmp(pool, d->mean_pooling ? "avg" : "token") ||
         vitgate__field_refuse(fields, VITGATE_ERROR_UNSUPPORTED, "global_pool",
                               d->mean_pooling ? "avg, because the weights have an fc_norm"
                                               : "token, because the weights have no fc_norm");
}

static gboolean check_qkv_bias(const JsonFields *fields, const Description *d)
{
  gboolean biased;
  return !vitgate__fields_has(fields, "qkv_bias") ||
         (vitgate__json_get_boolean(json_object_get_member(fields->object, "qkv_bias"), &biased) &&
          biased == !d->qkv_unbiased) ||
         vitgate__field_refuse(fields, VITGATE_ERROR_METADATA, "qkv_bias",
                               d->qkv_unbiased ? "false, as in the weights"
                                               : "true, as in the weights");
}

/* Hugging Face's heads. With a single class, its library applies a sigmoid, whatever the type. */
static gboolean apply_problem_type(const JsonFields *fields, Description *d)
{
  static const char *const types[] = { "single_label_classification", "multi_label_classification",
                                       NULL };
  if (!vitgate__field_check_word(fields, "problem_type", types))
    return FALSE;
  if (vitgate__fields_has(fields, "problem_type") && d->n_classes > 1)
    d->activation = strcmp(vitgate__json_get_string(fields->object, "problem_type"), types[0])
                        ? VITGATE_ACTIVATION_SIGMOID
                        : VITGATE_ACTIVATION_SOFTMAX;
  return TRUE;
}

/* Arguments that are checked below, that the tensors show, or that have no effect after training.
 */
static gboolean is_shown(const char *argument)
{
  static const char *const shown[] = {
    "act_layer",       "attn_drop_rate",   "depth",           "drop_path_rate",  "drop_rate",
    "dynamic_img_pad", "dynamic_img_size", "embed_dim",       "fc_norm",         "fix_init",
    "global_pool",     "img_size",         "in_chans",        "init_values",     "mlp_ratio",
    "no_embed_class",  "num_classes",      "num_heads",       "patch_drop_rate", "patch_size",
    "pos_drop_rate",   "pre_norm",         "proj_bias",       "proj_drop_rate",  "qk_norm",
    "qkv_bias",        "reg_tokens",       "strict_img_size", "weight_init",     NULL
  };
  return g_strv_contains(shown, argument);
}

/* Checks timm's model_args. One that is not known may change what the network computes. */
static gboolean check_model_args(const JsonFields *network, const Description *d)
{
  static const char *const functions[] = { "gelu", NULL };
  const JsonFields args = model_args(network);
  if (!vitgate__fields_has(network, "model_args"))
    return TRUE;
  if (!args.object)
    return vitgate__field_fail(network, "model_args", "an object");
  g_autoptr(GList) names = json_object_get_members(args.object);
  for (GList *name = names; name; name = name->next) {
    JsonNode *value = json_object_get_member(args.object, name->data);
    gboolean on = TRUE;
    if (is_shown(name->data) || JSON_NODE_HOLDS_NULL(value))
      continue;
    /* All networks here have a class token. */
    const gboolean expected = !strcmp(name->data, "class_token");
    if (!vitgate__json_get_boolean(value, &on) || on != expected)
      return vitgate__field_refuse(&args, VITGATE_ERROR_UNSUPPORTED, name->data,
                                   expected ? "true" : "no such argument");
  }
  return vitgate__field_check_word(&args, "act_layer", functions) &&
         vitgate__field_check_count(&args, "patch_size", d->patch_size) &&
         vitgate__field_check_count(&args, "embed_dim", d->dim) &&
         vitgate__field_check_count(&args, "depth", d->depth) &&
         vitgate__field_check_count(&args, "in_chans", 3) &&
         vitgate__field_check_count(&args, "num_classes", d->n_classes) &&
         check_image_size(&args, "img_size", d) && check_qkv_bias(&args, d) &&
         check_pooling(&args, d);
}

/* Checks the fields of both libraries at once: no field means something else in the other. */
static gboolean apply_network(const JsonFields *fields, Description *d)
{
  static const char *const types[] = { "vit", "deit", NULL }, *const functions[] = { "gelu", NULL };
  if (!vitgate__field_check_word(fields, "model_type", types) ||
      !vitgate__field_check_word(fields, "hidden_act", functions) ||
      !vitgate__field_check_count(fields, "num_channels", 3) ||
      !vitgate__field_check_count(fields, "hidden_size", d->dim) ||
      !vitgate__field_check_count(fields, "num_features", d->dim) ||
      !vitgate__field_check_count(fields, "num_hidden_layers", d->depth) ||
      !vitgate__field_check_count(fields, "patch_size", d->patch_size) ||
      !vitgate__field_check_count(fields, "num_classes", d->n_classes) ||
      !vitgate__field_check_count(fields, "num_labels", d->n_classes) ||
      !check_pooling(fields, d) || !check_image_size(fields, "image_size", d) ||
      !check_qkv_bias(fields, d) || !check_model_args(fields, d))
    return FALSE;
  for (guint b = 0; b < d->depth; b++)
    if (!vitgate__field_check_count(fields, "intermediate_size", d->blocks[b].neurons))
      return FALSE;
  return apply_problem_type(fields, d) && apply_id2label(fields, d) && apply_label_names(fields, d);
}

gboolean vitgate__config_apply(const Config *config, Description *d, GError **error)
{
  if (config->network) {
    const JsonFields fields = network_fields(config, error);
    JsonFields timm = fields;
    /* Older files of timm have these fields at the top level, not in an object of their own. */
    if (vitgate__fields_has(&fields, "pretrained_cfg"))
      timm.object = vitgate__json_get_object(fields.object, "pretrained_cfg");
    if (!timm.object)
      return vitgate__field_refuse(&fields, VITGATE_ERROR_METADATA, "pretrained_cfg", "an object");
    if (!apply_network(&fields, d) || !vitgate__config_apply_timm_pixels(&timm, d))
      return FALSE;
  }
  if (!config->pixels)
    return TRUE;
  const JsonFields pixels = { config->pixels_path, "field", json_node_get_object(config->pixels),
                              error };
  const char *type =
      config->network
          ? vitgate__json_get_string(json_node_get_object(config->network), "model_type")
          : NULL;
  return vitgate__config_apply_pixels(&pixels, type, d);
}
