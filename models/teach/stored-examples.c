#include "teach/stored-examples.h"

#include <string.h>

#include "base/error.h"
#include "file/architecture.h"
#include "file/weights.h"

/* Bytes in the description for each picture: its hash, class and group. */
#define BYTES_PER_PICTURE 30
#define HASH_DIGITS       16

typedef struct {
  JsonArray *shown, *groups;
  const char *hashes;
  guint n, per_picture;
} Fields;

static gboolean fail(const Source *source, GError **error)
{
  vitgate__set_error(error, VITGATE_ERROR_METADATA,
                     "%s: metadata field 'teach' is not as vitgate teach writes it, so the model "
                     "cannot be taught more; leave out --add",
                     vitgate__safetensors_get_path(source->file));
  return FALSE;
}

static JsonArray *get_array(JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member(object, name);
  return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

static gboolean get_count(JsonNode *node, guint max, guint *value)
{
  if (!node || !JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_INT64)
    return FALSE;
  const gint64 found = json_node_get_int(node);
  *value = (guint)found;
  return found >= 0 && found <= max;
}

static gboolean read_fields(const Description *d, Fields *fields)
{
  JsonNode *hashes = json_object_get_member(d->teach, "hashes");
  fields->shown = get_array(d->teach, "shown");
  fields->groups = get_array(d->teach, "groups");
  if (!fields->shown || !fields->groups || !hashes || !JSON_NODE_HOLDS_VALUE(hashes) ||
      json_node_get_value_type(hashes) != G_TYPE_STRING ||
      !get_count(json_object_get_member(d->teach, "per_picture"), EXAMPLES_MAX_VIEWS,
                 &fields->per_picture) ||
      !fields->per_picture)
    return FALSE;
  fields->hashes = json_node_get_string(hashes);
  fields->n = json_array_get_length(fields->shown);
  return d->n_views == fields->n * fields->per_picture &&
         json_array_get_length(fields->groups) == fields->n &&
         strlen(fields->hashes) == (gsize)fields->n * HASH_DIGITS && d->labels;
}

static gboolean read_shown(JsonNode *node, Example *example, guint n_classes)
{
  guint class;
  if (!JSON_NODE_HOLDS_ARRAY(node)) {
    if (!get_count(node, n_classes - 1, &class))
      return FALSE;
    example->shown[class] = 1;
    return TRUE;
  }
  JsonArray *array = json_node_get_array(node);
  for (guint i = 0; i < json_array_get_length(array); i++) {
    if (!get_count(json_array_get_element(array, i), n_classes - 1, &class))
      return FALSE;
    example->shown[class] = 1;
  }
  return TRUE;
}

static gboolean read_picture(const Fields *fields, guint i, Examples *examples)
{
  char digits[HASH_DIGITS + 1], *end;
  guint group;
  g_strlcpy(digits, fields->hashes + (gsize)i * HASH_DIGITS, sizeof digits);
  const guint64 hash = g_ascii_strtoull(digits, &end, 16);
  return !*end && get_count(json_array_get_element(fields->groups, i), G_MAXINT, &group) &&
         read_shown(json_array_get_element(fields->shown, i),
                    examples_add(examples, hash, group, NULL), examples->labels->len);
}

static gboolean read_features(const Source *source, Examples *examples, GError **error)
{
  const gsize n = (gsize)examples->n_views * examples->n_features;
  g_autofree float *values = g_new(float, examples->list->len *n);
  const Tensor *tensor = vitgate__safetensors_find(source->file, TEACH_FEATURES);
  const Tensor *scale = vitgate__safetensors_find(source->file, TEACH_FEATURES "_scale");
  if (!tensor || vitgate__tensor_n_elements(tensor) != examples->list->len * n ||
      (scale &&
       vitgate__tensor_n_elements(scale) != (gsize)examples->list->len * examples->n_views))
    return fail(source, error);
  if (!vitgate__tensor_to_float(values, tensor, error))
    return FALSE;
  if (scale) {
    g_autofree float *scales = g_new(float, (gsize)examples->list->len * examples->n_views);
    if (!vitgate__tensor_to_float(scales, scale, error))
      return FALSE;
    for (gsize i = 0; i < examples->list->len * n; i++)
      values[i] *= scales[i / examples->n_features];
  }
  for (guint i = 0; i < examples->list->len; i++)
    memcpy(examples_get(examples, i)->features, values + i * n, n * sizeof(float));
  return TRUE;
}

Examples *stored_examples_read(const Source *source, const Description *d, GError **error)
{
  Fields fields = { 0 };
  g_autoptr(GPtrArray) labels = g_ptr_array_new();
  for (guint c = 0; d->labels && c < d->n_classes; c++)
    g_ptr_array_add(labels, d->labels[c]);
  if (!read_fields(d, &fields)) {
    fail(source, error);
    return NULL;
  }
  g_autoptr(Examples) examples =
      examples_new(labels, vitgate__description_head_inputs(d), fields.per_picture);
  for (guint i = 0; i < fields.n; i++)
    if (!read_picture(&fields, i, examples)) {
      fail(source, error);
      return NULL;
    }
  return read_features(source, examples, error) ? g_steal_pointer(&examples) : NULL;
}

/* Chooses as many pictures of each class, as long as there are some.
 * Returns: (transfer full): [examples] 1: chosen */
static guint8 *sample(const Examples *examples, guint n)
{
  const guint n_all = examples->list->len, n_classes = examples->labels->len;
  guint8 *chosen = g_new0(guint8, n_all + 1);
  g_autofree guint *next = g_new0(guint, n_classes + 1);
  for (guint n_chosen = 0, before = 1; n_chosen < MIN(n, n_all) && before;) {
    before = 0;
    for (guint c = 0; c <= n_classes && n_chosen < n; c++) { /* the last: no class */
      while (next[c] < n_all && examples_class(examples, next[c]) != (c < n_classes ? (int)c : -1))
        next[c]++;
      if (next[c] >= n_all)
        continue;
      chosen[next[c]++] = 1;
      n_chosen++;
      before++;
    }
  }
  return chosen;
}

static JsonNode *shown_node(const Example *example, guint n_classes, gboolean several)
{
  JsonNode *node = json_node_new(several ? JSON_NODE_ARRAY : JSON_NODE_VALUE);
  JsonArray *array = several ? json_array_new() : NULL;
  for (guint c = 0; c < n_classes; c++)
    if (example->shown[c] && several)
      json_array_add_int_element(array, c);
    else if (example->shown[c])
      json_node_set_int(node, c);
  if (several)
    json_node_take_array(node, array);
  return node;
}

JsonObject *stored_examples_write(const Examples *examples, gboolean several, gint64 budget,
                                  EncodedTensors **storage, guint *n_stored)
{
  const guint n_all = examples->list->len, f = examples->n_features;
  const gint64 row = f + (gint64)sizeof(float);
  guint per_picture = examples->n_views;
  gint64 n = MIN(budget, STORED_EXAMPLES_MAX) / (per_picture * row + BYTES_PER_PICTURE);
  if (n < n_all) {
    per_picture = 1;
    n = MIN(budget, STORED_EXAMPLES_MAX) / (row + BYTES_PER_PICTURE);
  }
  *storage = NULL;
  *n_stored = 0;
  if (n < n_all && n < 2 * (gint64)examples->labels->len)
    return NULL;
  g_autofree guint8 *chosen = sample(examples, (guint)MIN(n, n_all));
  g_autoptr(GString) hashes = g_string_new(NULL);
  g_autofree float *values = g_new(float, (gsize)MIN(n, n_all) * per_picture * f);
  JsonArray *shown = json_array_new(), *groups = json_array_new();
  for (guint i = 0; i < n_all; i++) {
    const Example *example = examples_get(examples, i);
    if (!chosen[i])
      continue;
    memcpy(values + (gsize)*n_stored * per_picture * f, example->features,
           (gsize)per_picture * f * sizeof(float));
    json_array_add_element(shown, shown_node(example, examples->labels->len, several));
    json_array_add_int_element(groups, example->group);
    g_string_append_printf(hashes, "%016" G_GINT64_MODIFIER "x", example->hash);
    (*n_stored)++;
  }
  const guint64 shape[] = { (guint64)*n_stored * per_picture, f };
  *storage = encoded_tensors_new(VITGATE_PRECISION_INT8);
  encoded_tensors_add(*storage, TEACH_FEATURES, shape, 2, values);
  JsonObject *object = json_object_new();
  json_object_set_int_member(object, "views", (gint64)shape[0]);
  json_object_set_int_member(object, "per_picture", per_picture);
  json_object_set_array_member(object, "shown", shown);
  json_object_set_array_member(object, "groups", groups);
  json_object_set_string_member(object, "hashes", hashes->str);
  json_object_set_int_member(object, "left_out", n_all - *n_stored);
  return object;
}
