#include "page/http/body.h"

#include <gio/gio.h>
#include <string.h>

#define MAX_DEPTH 16

/* The parser calls itself for each level, so a body of brackets only would use up the stack. It
 * also takes several values, and uses the last one. */
static gboolean is_flat(const char *text, gsize length)
{
  guint depth = 0, n_roots = 0;
  gboolean in_string = FALSE;
  for (gsize i = 0; i < length; i++) {
    if (in_string && text[i] == '\\')
      i++;
    else if (text[i] == '"')
      in_string = !in_string;
    else if (!in_string && (text[i] == '/' || text[i] == '\''))
      return FALSE; /* the parser takes comments, which could hide brackets */
    else if (!in_string && (text[i] == '{' || text[i] == '[') &&
             ((n_roots += depth == 0) > 1 || ++depth > MAX_DEPTH))
      return FALSE;
    else if (!in_string && (text[i] == '}' || text[i] == ']') && depth > 0)
      depth--;
  }
  return TRUE;
}

static gboolean fail(GError **error, const char *reason)
{
  g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "body: %s", reason);
  return FALSE;
}

JsonObject *body_parse(const char *text, gsize length, GError **error)
{
  g_autoptr(JsonParser) parser = json_parser_new();
  g_autoptr(GError) wrong = NULL;
  if (!g_utf8_validate(text, (gssize)length, NULL)) {
    fail(error, "is not UTF-8 text");
    return NULL;
  }
  if (!is_flat(text, length)) {
    fail(error, "is not JSON, or is nested too deeply");
    return NULL;
  }
  if (!json_parser_load_from_data(parser, text, (gssize)length, &wrong)) {
    fail(error, wrong->message);
    return NULL;
  }
  JsonNode *root = json_parser_get_root(parser);
  if (!root || !JSON_NODE_HOLDS_OBJECT(root)) {
    fail(error, "expected a JSON object");
    return NULL;
  }
  return json_object_ref(json_node_get_object(root));
}
