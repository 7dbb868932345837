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

static ResultState get_state(JsonObject *result)
{
  const char *state = json_object_get_string_member_with_default(result, "state", "");
  return !strcmp(state, "fresh")       ? RESULT_FRESH
         : !strcmp(state, "unchanged") ? RESULT_UNCHANGED
         : !strcmp(state, "late")      ? RESULT_LATE
                                       : RESULT_OLD;
}

static void read_compute(FrameResult *self, JsonObject *result)
{
  JsonNode *node = json_object_get_member(result, "compute");
  if (!node || !JSON_NODE_HOLDS_OBJECT(node))
    return;
  JsonObject *compute = json_node_get_object(node);
  self->dial = json_object_get_double_member_with_default(compute, "dial", 0);
  self->seconds = json_object_get_double_member_with_default(compute, "time", 0) / 1e9;
  if (self->state != RESULT_FRESH)
    return;
  self->compute = json_object_get_double_member_with_default(compute, "ratio", 0);
  self->gmacs = json_object_get_double_member_with_default(compute, "gmacs", 0);
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
  FrameResult result = {
    .look = g_strdup(json_object_get_string_member_with_default(object, "look", NULL)),
    .label = g_strdup(json_object_get_string_member_with_default(object, "label", NULL)),
    .score = json_object_get_double_member_with_default(object, "score", 0),
    .state = get_state(object),
    .n_classes = (guint)json_object_get_int_member_with_default(object, "class_count", 0),
    .unknown = is_unknown(object),
    .seen = g_array_new(FALSE, FALSE, sizeof(SeenClass)),
  };
  result.looked = result.state == RESULT_FRESH || result.state == RESULT_UNCHANGED;
  read_compute(&result, object);
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

  JsonObject *object = json_node_get_object(root);
  *self = (FrameLine){
    .results = g_array_new(FALSE, FALSE, sizeof(FrameResult)),
    .width = (guint)json_object_get_int_member_with_default(object, "width", 0),
    .height = (guint)json_object_get_int_member_with_default(object, "height", 0),
  };
  g_array_set_clear_func(self->results, clear_result);
  JsonArray *results = get_array(object, "results");
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
