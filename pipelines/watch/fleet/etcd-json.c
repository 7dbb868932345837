#include "fleet/etcd-json.h"

#include <string.h>

#include "base/members.h"

static void add_bytes(JsonBuilder *builder, const char *member, const char *bytes, gsize length)
{
  g_autofree char *text = g_base64_encode((const guchar *)bytes, length);
  member_add_string(builder, member, text);
}

void etcd_json_add_text(JsonBuilder *builder, const char *member, const char *text)
{
  add_bytes(builder, member, text, strlen(text));
}

void etcd_json_add_number(JsonBuilder *builder, const char *member, gint64 number)
{
  g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, number);
  member_add_string(builder, member, text);
}

void etcd_json_add_range(JsonBuilder *builder, const char *prefix, const char *first)
{
  /* The end is not part of the range: the prefix with its last byte counted up. UTF-8 has no 255.
   */
  g_autofree char *end = g_strdup(prefix);
  end[strlen(end) - 1]++;
  etcd_json_add_text(builder, "key", first ? first : prefix);
  etcd_json_add_text(builder, "range_end", end);
}

gint64 etcd_json_get_number(JsonObject *object, const char *member)
{
  const char *text = member_get_string(object, member);
  gint64 number = 0;
  if (text)
    return g_ascii_string_to_signed(text, 10, G_MININT64, G_MAXINT64, &number, NULL) ? number : 0;
  JsonNode *node = json_object_get_member(object, member);
  return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_INT64
             ? json_node_get_int(node)
             : 0;
}

JsonArray *etcd_json_get_array(JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member(object, member);
  return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

JsonObject *etcd_json_get_element(JsonArray *array, guint i)
{
  JsonNode *node = json_array_get_element(array, i);
  return JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

static char *decode(const char *text, gsize *length)
{
  *length = 0;
  return text && *text ? (char *)g_base64_decode(text, length) : NULL;
}

EtcdItem *etcd_json_get_item(JsonObject *object, gboolean deleted)
{
  gsize length, value_length;
  g_autofree char *key = decode(member_get_string(object, "key"), &length);
  if (!key || !g_utf8_validate(key, (gssize)length, NULL))
    return NULL;
  g_autofree char *value = decode(member_get_string(object, "value"), &value_length);
  EtcdItem *item = g_new0(EtcdItem, 1);
  item->key = g_strndup(key, length);
  if (!deleted) {
    item->value = g_malloc(value_length + 1);
    if (value_length)
      memcpy(item->value, value, value_length);
    item->value[value_length] = '\0';
    item->length = value_length;
  }
  item->create_revision = etcd_json_get_number(object, "create_revision");
  item->mod_revision = etcd_json_get_number(object, "mod_revision");
  item->lease = etcd_json_get_number(object, "lease");
  return item;
}

void etcd_item_free(EtcdItem *item)
{
  if (!item)
    return;
  g_free(item->key);
  g_free(item->value);
  g_free(item);
}
