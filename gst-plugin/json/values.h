/* values.h: values that every format of vitgatejson writes in the same way. */
#pragma once

#include <gst/gst.h>
#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* Each adds a member, unless its value is unknown: NULL, or GST_CLOCK_TIME_NONE.
 *
 * Bytes that are not UTF-8 become U+FFFD. A number that is not finite becomes null. An integer of
 * 2^53 or more is followed by a string of the same digits, in a member with "_exact" at the end of
 * its name, since many readers hold every number in a double. */
void gst_vitgate_json_add_string(JsonObject *object, const char *member, const char *value);
void gst_vitgate_json_add_uint(JsonObject *object, const char *member, guint64 value);
void gst_vitgate_json_add_double(JsonObject *object, const char *member, double value);
void gst_vitgate_json_add_time(JsonObject *object, const char *member, GstClockTime time);

/* Adds @tags, unless it is NULL, as the member "tags". */
void gst_vitgate_json_add_tags(JsonObject *object, JsonObject *tags);

/* Adds a string, an integer or a double. Other types, and a string that is NULL, become null. */
void gst_vitgate_json_add_value(JsonObject *object, const char *member, const GValue *value);

/* Returns: (transfer full) (nullable): the value that @text holds, or NULL with @error set. */
JsonNode *gst_vitgate_json_parse(const char *text, GError **error);

/* Writes @object (transfer full).
 * @length: (out): length of the line in bytes
 * Returns: (transfer full): a line with a newline at its end */
char *gst_vitgate_json_to_line(JsonObject *object, gsize *length);

G_END_DECLS
