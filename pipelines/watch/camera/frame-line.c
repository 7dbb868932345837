#include "camera/frame-line.h"

#include <string.h>

#include <json-glib/json-glib.h>

static void free_class(gpointer seen)
{
  g_free(((SeenClass *)seen)->label);
}

static void clear_result(gpointer data)
{
  FrameResult *result = data;
  g_free(result->look);
  g_free(result->label);
  g_array_unref(result->seen);
}

static JsonArray *get_array(JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member(object, member);
  return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

static JsonObject *get_element(JsonArray *array, guint i)
{
  JsonNode *node = json_array_get_element(array, i);
  return JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

static double get_compute(JsonObject *result, const char *state)
{
  JsonNode *node = json_object_get_member(result, "compute");
  if (!node || !JSON_NODE_HOLDS_OBJECT(node) || strcmp(state, "fresh") != 0)
    return 0;
  return json_object_get_double_member_with_default(json_node_get_object(node), "ratio", 0);
}

/* Sightings and states wait and have thresholds of their own, so they see each inference as it is.
 * @result: a frame's result or a region's */
static void add_classes(FrameResult *self, JsonObject *result)
{
  JsonArray *raw = get_array(result, "raw_classes"), *regions = get_array(result, "regions");
  JsonArray *classes = raw ? raw : get_array(result, "classes");
  for (guint i = 0; classes && i < json_array_get_length(classes); i++) {
    JsonObject *object = get_element(classes, i);
    const char *label =
        object ? json_object_get_string_member_with_default(object, "label", NULL) : NULL;
    if (!label)
      continue;
    SeenClass seen = {
      .label = g_strdup(label),
      .score = json_object_get_double_member_with_default(object, "score", 0),
    };
    g_array_append_val(self->seen, seen);
  }
  for (guint i = 0; regions && i < json_array_get_length(regions); i++) {
    JsonObject *region = get_element(regions, i);
    if (region)
      add_classes(self, region);
  }
}

/* A class may have the same name, so the number tells. */
static gboolean is_unknown(JsonObject *result)
{
  gint64 n_classes = json_object_get_int_member_with_default(result, "class_count", -1);
  return json_object_has_member(result, "label") && n_classes >= 0 &&
         json_object_get_int_member_with_default(result, "index", -1) == n_classes;
}

static void add_result(FrameLine *self, JsonObject *object)
{
  const char *state = json_object_get_string_member_with_default(object, "state", "");
  FrameResult result = {
    .look = g_strdup(json_object_get_string_member_with_default(object, "look", NULL)),
    .label = g_strdup(json_object_get_string_member_with_default(object, "label", NULL)),
    .score = json_object_get_double_member_with_default(object, "score", 0),
    .compute = get_compute(object, state),
    .looked = !strcmp(state, "fresh") || !strcmp(state, "unchanged"),
    .unknown = is_unknown(object),
    .seen = g_array_new(FALSE, FALSE, sizeof(SeenClass)),
  };
  g_array_set_clear_func(result.seen, free_class);
  add_classes(&result, object);
  g_array_append_val(self->results, result);
}

gboolean frame_line_parse(FrameLine *self, const char *line, gsize length)
{
  g_autoptr(JsonParser) parser = json_parser_new_immutable();
  if (!json_parser_load_from_data(parser, line, (gssize)length, NULL))
    return FALSE;
  JsonNode *root = json_parser_get_root(parser);
  if (!root || !JSON_NODE_HOLDS_OBJECT(root))
    return FALSE;

  *self = (FrameLine){ .results = g_array_new(FALSE, FALSE, sizeof(FrameResult)) };
  g_array_set_clear_func(self->results, clear_result);
  JsonArray *results = get_array(json_node_get_object(root), "results");
  for (guint i = 0; results && i < json_array_get_length(results); i++) {
    JsonObject *result = get_element(results, i);
    if (result)
      add_result(self, result);
  }
  return TRUE;
}

const FrameResult *frame_line_find(const FrameLine *self, const char *look)
{
  for (guint i = 0; i < self->results->len; i++) {
    const FrameResult *result = &g_array_index(self->results, FrameResult, i);
    if (g_strcmp0(result->look, look) == 0)
      return result;
  }
  return NULL;
}

void frame_line_clear(FrameLine *self)
{
  g_clear_pointer(&self->results, g_array_unref);
}
