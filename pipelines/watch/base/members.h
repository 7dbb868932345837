/* Adds members to JSON objects. */
#pragma once

#include <json-glib/json-glib.h>

/* @value: (nullable): NULL adds null */
void member_add_string(JsonBuilder *builder, const char *member, const char *value);
void member_add_count(JsonBuilder *builder, const char *member, guint64 value);
void member_add_boolean(JsonBuilder *builder, const char *member, gboolean value);
void member_add_double(JsonBuilder *builder, const char *member, double value);

/* Returns: (transfer full): the built JSON as one line, without a newline */
char *member_to_line(JsonBuilder *builder);
