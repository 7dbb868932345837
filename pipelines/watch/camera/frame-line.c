#include "camera/frame-line.h"

#include <string.h>

#include <json-glib/json-glib.h>

static void free_class(gpointer seen)
{
  g_free(((SeenClass *)seen)->label);
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

static double get_compute(JsonObject *result)
{
  JsonNode *node = json_object_get_member(result, "compute");
  const char *state = json_object_get_string_member_with_default(result, "state", "");
  if (!node || !JSON_NODE_HOLDS_OBJECT(node) || strcmp(state, "fresh") != 0)
    return 0;
  return json_object_get_double_member_with_default(json_node_get_object(node), "ratio", 0);
}

/* Sightings wait and have thresholds of their own, so they see each inference as it is.
 * @result: a frame's or a region's */
static void add_result(FrameLine *self, JsonObject *result)
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
      add_result(self, region);
  }
}

gboolean frame_line_parse(FrameLine *self, const char *line, gsize length)
{
  g_autoptr(JsonParser) parser = json_parser_new_immutable();
  if (!json_parser_load_from_data(parser, line, (gssize)length, NULL))
    return FALSE;
  JsonNode *root = json_parser_get_root(parser);
  if (!root || !JSON_NODE_HOLDS_OBJECT(root))
    return FALSE;

  *self = (FrameLine){ .seen = g_array_new(FALSE, FALSE, sizeof(SeenClass)) };
  g_array_set_clear_func(self->seen, free_class);
  JsonArray *results = get_array(json_node_get_object(root), "results");
  for (guint i = 0; results && i < json_array_get_length(results); i++) {
    JsonObject *result = get_element(results, i);
    if (!result)
      continue;
    if (i == 0) {
      self->label = g_strdup(json_object_get_string_member_with_default(result, "label", NULL));
      self->score = json_object_get_double_member_with_default(result, "score", 0);
      self->compute = get_compute(result);
    }
    add_result(self, result);
  }
  return TRUE;
}

void frame_line_clear(FrameLine *self)
{
  g_clear_pointer(&self->label, g_free);
  g_clear_pointer(&self->seen, g_array_unref);
}
