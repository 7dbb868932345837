#include "base/members.h"

#include "base/json-write.h"

void member_add_string(JsonBuilder *builder, const char *member, const char *value)
{
  /* Error messages contain file names, which can be any bytes. */
  g_autofree char *valid = value ? g_utf8_make_valid(value, -1) : NULL;
  json_builder_set_member_name(builder, member);
  if (valid)
    json_builder_add_string_value(builder, valid);
  else
    json_builder_add_null_value(builder);
}

void member_add_count(JsonBuilder *builder, const char *member, guint64 value)
{
  json_builder_set_member_name(builder, member);
  json_builder_add_int_value(builder, (gint64)value);
}

void member_add_boolean(JsonBuilder *builder, const char *member, gboolean value)
{
  json_builder_set_member_name(builder, member);
  json_builder_add_boolean_value(builder, value);
}

void member_add_double(JsonBuilder *builder, const char *member, double value)
{
  json_builder_set_member_name(builder, member);
  json_builder_add_double_value(builder, value);
}

char *member_to_line(JsonBuilder *builder)
{
  g_autoptr(JsonNode) root = json_builder_get_root(builder);
  return vitgate__json_write(root, FALSE);
}

/* Returns: (nullable): a member that is neither an array, an object nor null */
static JsonNode *get_value(JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member(object, member);
  return node && JSON_NODE_HOLDS_VALUE(node) ? node : NULL;
}

const char *member_get_string(JsonObject *object, const char *member)
{
  JsonNode *node = get_value(object, member);
  return node && json_node_get_value_type(node) == G_TYPE_STRING ? json_node_get_string(node)
                                                                 : NULL;
}

double member_get_double(JsonObject *object, const char *member, double otherwise)
{
  JsonNode *node = get_value(object, member);
  GType type = node ? json_node_get_value_type(node) : G_TYPE_INVALID;
  return type == G_TYPE_DOUBLE || type == G_TYPE_INT64 ? json_node_get_double(node) : otherwise;
}

JsonObject *member_get_object(JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member(object, member);
  return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}
