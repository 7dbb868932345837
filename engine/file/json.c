#include "file/json.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/regular-file.h"

/* json-glib's parser recurses once per level, so the depth is checked before it sees the text. */
#define MAX_DEPTH 16

/* Much larger than a file that names 22,000 classes. */
#define MAX_FILE (16 << 20)

/* Finds faults that json-glib accepts: comments, strings in apostrophes, and values after the
 * first. They are not JSON, and a quotation mark inside a comment would hide levels from this scan.
 * @colons: (out): their number outside strings, which is that of all objects' members
 * Returns: (nullable): what is wrong with the text, or NULL if nothing shows without parsing */
static const char *find_fault(const char *text, gsize length, gsize *colons)
{
  guint depth = 0;
  *colons = 0;
  gboolean in_string = FALSE, ended = FALSE;
  for (gsize i = 0; i < length; i++) {
    char c = text[i];
    if (in_string) {
      if (c == '\\')
        i++;
      else if (c == '"')
        in_string = FALSE;
    } else if (c == ':') {
      ++*colons;
    } else if (c == '/' || c == '\'') {
      return "not valid JSON: a comment or an apostrophe";
    } else if (ended && !g_ascii_isspace(c)) {
      return "not valid JSON: more text after the object";
    } else if (c == '"') {
      in_string = TRUE;
    } else if (c == '{' || c == '[') {
      if (++depth > MAX_DEPTH)
        return "the JSON is nested deeper than " G_STRINGIFY(MAX_DEPTH) " levels";
    } else if ((c == '}' || c == ']') && depth) {
      ended = --depth == 0;
    }
  }
  return NULL;
}

typedef struct {
  GHashTable *seen; /* "object address/member name" */
  char *duplicate;
} DuplicateFinder;

/* If two members have the same name, a JsonObject keeps the last one. Only this signal shows the
 * first. */
static void note_member(JsonParser *parser, JsonObject *object, const char *name, gpointer data)
{
  DuplicateFinder *finder = data;
  if (!g_hash_table_add(finder->seen, g_strdup_printf("%p/%s", (void *)object, name)) &&
      !finder->duplicate)
    finder->duplicate = g_strdup(name);
}

/* Parses text that holds more members than its tree.
 * Returns: (transfer full) (nullable): the first name that an object has twice */
static char *find_duplicate(const char *text, gsize length)
{
  DuplicateFinder finder = {
    .seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
  };
  g_autoptr(JsonParser) parser = json_parser_new();
  g_signal_connect(parser, "object-member", G_CALLBACK(note_member), &finder);
  json_parser_load_from_data(parser, text, (gssize)length, NULL);
  g_hash_table_unref(finder.seen);
  return finder.duplicate;
}

/* strtod() makes infinity of 1e999, which could not be written again.
 * @members: raised by the members of all objects */
static gboolean is_finite(JsonNode *node, gsize *members)
{
  if (JSON_NODE_HOLDS_VALUE(node))
    return json_node_get_value_type(node) != G_TYPE_DOUBLE || isfinite(json_node_get_double(node));
  gboolean finite = TRUE;
  if (JSON_NODE_HOLDS_ARRAY(node)) {
    JsonArray *array = json_node_get_array(node);
    for (guint i = 0; i < json_array_get_length(array); i++)
      finite &= is_finite(json_array_get_element(array, i), members);
  } else if (JSON_NODE_HOLDS_OBJECT(node)) {
    JsonObjectIter iter;
    JsonNode *member;
    json_object_iter_init(&iter, json_node_get_object(node));
    for (; json_object_iter_next(&iter, NULL, &member); ++*members)
      finite &= is_finite(member, members);
  }
  return finite;
}

JsonNode *vitgate__json_parse_object(const char *text, gsize length, const char *what,
                                     VitgateError code, GError **error)
{
  gsize colons, members = 0;
  const char *fault = find_fault(text, length, &colons);
  if (fault) {
    vitgate__set_error(error, code, "%s: %s", what, fault);
    return NULL;
  }
  g_autoptr(GError) json_error = NULL;
  g_autoptr(JsonParser) parser = json_parser_new_immutable();
  const gboolean parsed = json_parser_load_from_data(parser, text, (gssize)length, &json_error);
  JsonNode *root = parsed ? json_parser_get_root(parser) : NULL;
  const gboolean finite = root && is_finite(root, &members);
  g_autofree char *duplicate = parsed && members != colons ? find_duplicate(text, length) : NULL;
  if (!parsed)
    vitgate__set_error(error, code, "%s: not valid JSON: %s", what, json_error->message);
  else if (duplicate)
    vitgate__set_error(error, code, "%s: '%s' is named twice", what, duplicate);
  else if (!root || !JSON_NODE_HOLDS_OBJECT(root))
    vitgate__set_error(error, code, "%s: not a JSON object", what);
  else if (!finite)
    vitgate__set_error(error, code, "%s: a number is larger than any double", what);
  else
    return json_node_ref(root);
  return NULL;
}

JsonNode *vitgate__json_read_object(const char *path, VitgateError code, GError **error)
{
  gsize length;
  g_autofree char *text = vitgate__regular_file_read(path, &length, error);
  if (!text)
    return NULL;
  if (length > MAX_FILE) {
    vitgate__set_error(error, code, "%s: has %" G_GSIZE_FORMAT " bytes, expected at most %d", path,
                       length, MAX_FILE);
    return NULL;
  }
  return vitgate__json_parse_object(text, length, path, code, error);
}

gboolean vitgate__json_get_count(JsonNode *node, guint64 *value)
{
  if (!node || !JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_INT64 ||
      json_node_get_int(node) < 0)
    return FALSE;
  /* json-glib 1.10 turns every larger number into this one. */
  if (json_node_get_int(node) == G_MAXINT64)
    return FALSE;
  *value = (guint64)json_node_get_int(node);
  return TRUE;
}

gboolean vitgate__json_get_number(JsonNode *node, double *value)
{
  GType type = node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node) : G_TYPE_NONE;
  if (type != G_TYPE_INT64 && type != G_TYPE_DOUBLE)
    return FALSE;
  *value = json_node_get_double(node);
  return TRUE;
}

gboolean vitgate__json_get_boolean(JsonNode *node, gboolean *value)
{
  if (!node || !JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_BOOLEAN)
    return FALSE;
  *value = json_node_get_boolean(node);
  return TRUE;
}

const char *vitgate__json_get_text(JsonNode *node)
{
  return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING
             ? json_node_get_string(node)
             : NULL;
}

const char *vitgate__json_get_string(JsonObject *object, const char *name)
{
  return vitgate__json_get_text(json_object_get_member(object, name));
}

JsonArray *vitgate__json_get_array(JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member(object, name);
  return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

JsonObject *vitgate__json_get_object(JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member(object, name);
  return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

gboolean vitgate__json_get_rgb(JsonObject *object, const char *name, double min, double max,
                               float rgb[3])
{
  JsonArray *array = vitgate__json_get_array(object, name);
  gboolean valid = array && json_array_get_length(array) == 3;
  for (guint i = 0; valid && i < 3; i++) {
    double value;
    valid = vitgate__json_get_number(json_array_get_element(array, i), &value) && value >= min &&
            value <= max;
    rgb[i] = valid ? (float)value : 0.0f;
  }
  return valid;
}
