#include "labels/literal.h"

#include <string.h>

#include "base/error.h"
#include "file/json.h"
#include "labels/rows.h"

static const char *skip_space(const char *text)
{
  return text + strspn(text, " \t\r\n");
}

static gboolean is_quote(char c)
{
  return c == '"' || c == '\'';
}

/* Returns: whether @line is a quoted string and a comma */
static gboolean is_quoted_item(const char *line)
{
  if (!is_quote(*line))
    return FALSE;
  gsize length = strcspn(line, "\n");
  while (length && g_ascii_isspace(line[length - 1]))
    length--;
  return length > 3 && line[length - 1] == ',' && line[length - 2] == *line;
}

/* Returns: whether @line is a number, a colon and a quoted string */
static gboolean is_numbered_item(const char *line)
{
  const gsize digits = strspn(line, "0123456789");
  const char *colon = skip_space(line + digits);
  return digits && *colon == ':' && is_quote(*skip_space(colon + 1));
}

gboolean vitgate__label_literal_matches(const char *text)
{
  text = skip_space(text);
  const char inner = *text ? *skip_space(text + 1) : '\0';
  if (*text == '{')
    return is_quote(inner) || inner == '}' || g_ascii_isdigit(inner);
  if (*text == '[')
    return is_quote(inner) || (inner && strchr("[(]", inner));
  return is_numbered_item(text) || is_quoted_item(text);
}

/* ---- From Python's spelling to JSON ---- */

typedef struct {
  const char *at;
  guint line;
  GString *json;
} Conversion;

static void add_escape(Conversion *c)
{
  const char escaped = *++c->at;
  if (escaped == 'x' && g_ascii_isxdigit(c->at[1]) && g_ascii_isxdigit(c->at[2]))
    g_string_append(c->json, "\\u00"); /* the two digits follow */
  else if (escaped == '\'')
    g_string_append_c(c->json, '\'');
  else if (escaped) /* JSON knows the same escapes, or the parser refuses this one */
    g_string_append_printf(c->json, "\\%c", escaped);
  c->at += escaped != '\0';
}

/* Returns: FALSE if the string has no end on its line */
static gboolean add_string(Conversion *c)
{
  const char quote = *c->at++;
  g_string_append_c(c->json, '"');
  while (*c->at && *c->at != quote && *c->at != '\n') {
    if (*c->at == '\\') {
      add_escape(c);
      continue;
    }
    if (*c->at == '"')
      g_string_append_c(c->json, '\\');
    g_string_append_c(c->json, *c->at++);
  }
  g_string_append_c(c->json, '"');
  return *c->at++ == quote;
}

/* In JSON, the names of members are strings. */
static void add_word(Conversion *c)
{
  const gsize length =
      strspn(c->at, "0123456789+-.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
  const gboolean names = *skip_space(c->at + length) == ':';
  g_string_append_printf(c->json, names ? "\"%.*s\"" : "%.*s", (int)length, c->at);
  c->at += length;
}

/* Returns: FALSE if the text has something else than strings, words and punctuation, or a string
 * without an end */
static gboolean convert(Conversion *c)
{
  while (*c->at) {
    const char next = *c->at;
    if (is_quote(next) || (next == 'u' && is_quote(c->at[1]))) {
      c->at += next == 'u';
      if (!add_string(c))
        return FALSE;
      continue;
    }
    if (g_ascii_isalnum(next) || next == '-') {
      add_word(c);
      continue;
    }
    const char after = next == ',' ? *skip_space(c->at + 1) : ' ';
    if (!strchr("{}[]():, \t\r\n", next))
      return FALSE;
    if (after && !strchr("}])", after)) /* not a comma after the last item */
      g_string_append_c(c->json, next == '(' ? '[' : next == ')' ? ']' : next);
    c->line += next == '\n';
    c->at++;
  }
  return TRUE;
}

/* Returns: (transfer full): an object with the converted text as its member "labels", or NULL */
static JsonNode *parse(const char *text, const char *path, GError **error)
{
  const char first = *skip_space(text);
  const char *open = first == '{' || first == '[' ? "" : is_quote(first) ? "[" : "{";
  g_autoptr(GString) json = g_string_new("{\"labels\":");
  g_string_append(json, open);
  Conversion conversion = { .at = text, .line = 1, .json = json };
  if (!convert(&conversion)) {
    vitgate__set_error(error, VITGATE_ERROR_LABELS,
                       "%s: line %u is neither JSON nor an item of a Python dictionary or list",
                       path, conversion.line);
    return NULL;
  }
  g_string_append(json, *open == '[' ? "]" : *open ? "}" : "");
  g_string_append_c(json, '}');
  return vitgate__json_parse_object(json->str, json->len, path, VITGATE_ERROR_LABELS, error);
}

/* ---- Rows ---- */

static gboolean fail(const char *path, const char *what, GError **error)
{
  vitgate__set_error(error, VITGATE_ERROR_LABELS,
                     "%s: '%s': expected a label, an id and a label, or a class number", path,
                     what);
  return FALSE;
}

/* Adds a label, or an id and a label.
 * @name: of the item, for the error */
static gboolean add_item(GArray *rows, JsonNode *item, gint64 number, const char *name,
                         const char *path, GError **error)
{
  const char *text = vitgate__json_get_text(item), *id = NULL;
  JsonArray *pair = item && JSON_NODE_HOLDS_ARRAY(item) ? json_node_get_array(item) : NULL;
  if (pair && json_array_get_length(pair) == 2) {
    id = vitgate__json_get_text(json_array_get_element(pair, 0));
    text = id ? vitgate__json_get_text(json_array_get_element(pair, 1)) : NULL;
  }
  if (!text)
    return fail(path, name, error);
  LabelRow *row = vitgate__label_rows_add(rows, 0, g_strdup(text));
  row->number = number;
  row->id = g_strdup(id);
  return TRUE;
}

/* A member is a number with its label, or a label with its number. All must be alike. */
static gboolean add_member(GArray *rows, const char *name, JsonNode *value, gboolean *reversed,
                           const char *path, GError **error)
{
  guint64 number;
  const gboolean by_label = vitgate__json_get_count(value, &number);
  if (rows->len && by_label != *reversed)
    return fail(path, name, error);
  *reversed = by_label;
  if (by_label) {
    vitgate__label_rows_add(rows, 0, g_strdup(name))->number = (gint64)MIN(number, G_MAXINT);
    return TRUE;
  }
  if (!g_ascii_string_to_unsigned(name, 10, 0, G_MAXINT, &number, NULL))
    return fail(path, name, error);
  return add_item(rows, value, (gint64)number, name, path, error);
}

static gboolean add_members(GArray *rows, JsonObject *object, const char *path, GError **error)
{
  JsonObjectIter members;
  const char *name;
  JsonNode *value;
  gboolean reversed = FALSE;
  JsonObject *inner = vitgate__json_get_object(object, "id2label");
  if (!inner)
    inner = vitgate__json_get_object(object, "label2id");
  json_object_iter_init_ordered(&members, inner ? inner : object);
  while (json_object_iter_next_ordered(&members, &name, &value))
    if (!add_member(rows, name, value, &reversed, path, error))
      return FALSE;
  return TRUE;
}

static gboolean add_elements(GArray *rows, JsonArray *array, const char *path, GError **error)
{
  for (guint i = 0; i < json_array_get_length(array); i++) {
    g_autofree char *name = g_strdup_printf("item %u", i + 1);
    if (!add_item(rows, json_array_get_element(array, i), -1, name, path, error))
      return FALSE;
  }
  return TRUE;
}

GArray *vitgate__label_literal_read(const char *text, const char *path, GError **error)
{
  g_autoptr(JsonNode) root = parse(text, path, error);
  if (!root)
    return NULL;
  g_autoptr(GArray) rows = vitgate__label_rows_new();
  JsonNode *labels = json_object_get_member(json_node_get_object(root), "labels");
  const gboolean fine = labels && JSON_NODE_HOLDS_OBJECT(labels)
                            ? add_members(rows, json_node_get_object(labels), path, error)
                        : labels && JSON_NODE_HOLDS_ARRAY(labels)
                            ? add_elements(rows, json_node_get_array(labels), path, error)
                            : fail(path, "labels", error);
  return fine ? g_steal_pointer(&rows) : NULL;
}
