/* Adds members to JSON objects, and reads those of objects that anyone may have written. */
#pragma once

#include <json-glib/json-glib.h>

/* @value: (nullable): NULL adds null */
void member_add_string(JsonBuilder *builder, const char *member, const char *value);
void member_add_count(JsonBuilder *builder, const char *member, guint64 value);
void member_add_boolean(JsonBuilder *builder, const char *member, gboolean value);
void member_add_double(JsonBuilder *builder, const char *member, double value);

/* Returns: (transfer none) (nullable): NULL if the member is missing or has another type; so do the
 * next two, with @otherwise */
const char *member_get_string(JsonObject *object, const char *member);
double member_get_double(JsonObject *object, const char *member, double otherwise);
JsonObject *member_get_object(JsonObject *object, const char *member);

/* Returns: (transfer full): the built JSON as one line, without a newline */
char *member_to_line(JsonBuilder *builder);
