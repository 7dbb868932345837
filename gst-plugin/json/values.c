/* values.c: values that every format of vitgatejson writes in the same way. */
#include "json/values.h"

#include <math.h>
#include <string.h>

#include "base/json-write.h"

/* Doubles hold every integer below this one. */
#define FIRST_INEXACT (G_GUINT64_CONSTANT(1) << 53)

void gst_vitgate_json_add_string(JsonObject *object, const char *member, const char *value)
{
  g_autofree char *valid = value ? g_utf8_make_valid(value, -1) : NULL;

  if (valid)
    json_object_set_string_member(object, member, valid);
}

void gst_vitgate_json_add_uint(JsonObject *object, const char *member, guint64 value)
{
  json_object_set_int_member(object, member, (gint64)MIN(value, G_MAXINT64));
  if (value >= FIRST_INEXACT) {
    g_autofree char *name = g_strconcat(member, "_exact", NULL);
    char digits[24];

    g_snprintf(digits, sizeof digits, "%" G_GUINT64_FORMAT, value);
    json_object_set_string_member(object, name, digits);
  }
}

void gst_vitgate_json_add_double(JsonObject *object, const char *member, double value)
{
  if (isfinite(value))
    json_object_set_double_member(object, member, value);
  else
    json_object_set_null_member(object, member);
}

void gst_vitgate_json_add_time(JsonObject *object, const char *member, GstClockTime time)
{
  if (GST_CLOCK_TIME_IS_VALID(time))
    gst_vitgate_json_add_uint(object, member, time);
}

void gst_vitgate_json_add_tags(JsonObject *object, JsonObject *tags)
{
  if (tags)
    json_object_set_object_member(object, "tags", json_object_ref(tags));
}

void gst_vitgate_json_add_value(JsonObject *object, const char *member, const GValue *value)
{
  if (G_VALUE_HOLDS_STRING(value) && g_value_get_string(value))
    gst_vitgate_json_add_string(object, member, g_value_get_string(value));
  else if (G_VALUE_HOLDS_UINT64(value))
    gst_vitgate_json_add_uint(object, member, g_value_get_uint64(value));
  else if (G_VALUE_HOLDS_UINT(value))
    gst_vitgate_json_add_uint(object, member, g_value_get_uint(value));
  else if (G_VALUE_HOLDS_INT(value))
    json_object_set_int_member(object, member, g_value_get_int(value));
  else if (G_VALUE_HOLDS_DOUBLE(value))
    gst_vitgate_json_add_double(object, member, g_value_get_double(value));
  else
    json_object_set_null_member(object, member);
}

JsonNode *gst_vitgate_json_parse(const char *text, GError **error)
{
  g_autoptr(JsonNode) node = json_from_string(text, error), again = NULL;
  g_autofree char *written = node ? vitgate__json_write(node, FALSE) : NULL;

  /* A number that is larger than any double would be written as "inf". */
  again = written ? json_from_string(written, error) : NULL;
  return again ? g_steal_pointer(&node) : NULL;
}

char *gst_vitgate_json_to_line(JsonObject *object, gsize *length)
{
  g_autoptr(JsonNode) root = json_node_init_object(json_node_alloc(), object);
  g_autofree char *text = vitgate__json_write(root, FALSE);
  char *line = g_strconcat(text, "\n", NULL);

  json_object_unref(object);
  *length = strlen(line);
  return line;
}
