/* json-fixture.c: a vitgatejson element, and its lines read back. */
#include "json/json-fixture.h"

#include <string.h>

#include "attached.h"
#include "fixture.h"

GstHarness *json_harness;

void json_setup(void)
{
  json_harness = attached_harness("vitgatejson");
  gst_harness_set_src_caps_str(json_harness, "video/x-raw, format=RGB, width=64, height=48");
}

void json_teardown(void)
{
  fixture_free(json_harness);
}

char *json_convert_to_text(GstBuffer *frame)
{
  GstBuffer *out = fixture_process(json_harness, frame);
  GstMapInfo map;
  char *text;

  fail_unless(gst_buffer_map(out, &map, GST_MAP_READ));
  text = g_strndup((const char *)map.data, map.size);
  fail_unless(g_utf8_validate(text, -1, NULL), "not UTF-8: %s", text);
  fail_unless(strlen(text) == map.size && strchr(text, '\n') == text + map.size - 1,
              "not one line: %s", text);
  gst_buffer_unmap(out, &map);
  gst_buffer_unref(out);
  return text;
}

JsonNode *json_convert(GstBuffer *frame)
{
  g_autofree char *text = json_convert_to_text(frame);
  g_autoptr(GError) error = NULL;
  JsonNode *node = json_from_string(text, &error);

  fail_unless(node && JSON_NODE_HOLDS_OBJECT(node), "%s: %s", error ? error->message : "no object",
              text);
  return node;
}

JsonNode *json_find(JsonNode *node, const char *path)
{
  g_auto(GStrv) names = g_strsplit(path, "/", -1);

  for (char **name = names; node && *name; name++) {
    if (JSON_NODE_HOLDS_ARRAY(node)) {
      JsonArray *array = json_node_get_array(node);
      const guint i = (guint)g_ascii_strtoull(*name, NULL, 10);
      node = i < json_array_get_length(array) ? json_array_get_element(array, i) : NULL;
    } else {
      node = json_object_get_member(json_node_get_object(node), *name);
    }
  }
  return node;
}

JsonNode *json_get(JsonNode *root, const char *path)
{
  JsonNode *node = json_find(root, path);

  fail_unless(node, "no %s", path);
  return node;
}

const char *json_get_string(JsonNode *root, const char *path)
{
  fail_unless_equals_int(json_node_get_value_type(json_get(root, path)), G_TYPE_STRING);
  return json_node_get_string(json_get(root, path));
}

gint64 json_get_int(JsonNode *root, const char *path)
{
  fail_unless_equals_int(json_node_get_value_type(json_get(root, path)), G_TYPE_INT64);
  return json_node_get_int(json_get(root, path));
}

double json_get_double(JsonNode *root, const char *path)
{
  fail_unless_equals_int(json_node_get_value_type(json_get(root, path)), G_TYPE_DOUBLE);
  return json_node_get_double(json_get(root, path));
}

guint json_get_length(JsonNode *root, const char *path)
{
  fail_unless(JSON_NODE_HOLDS_ARRAY(json_get(root, path)), "%s is not an array", path);
  return json_array_get_length(json_node_get_array(json_get(root, path)));
}
