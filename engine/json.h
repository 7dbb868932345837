/* Untrusted JSON: parsed by json-glib behind bounds of our own, read by typed members. */
#pragma once

#include <json-glib/json-glib.h>

#include "vitgate.h"

/* Parses text that must be one JSON object without repeated names.
 * @what: names the text in errors, such as the file's path
 * Returns: (transfer full): its node, or NULL with @error set to @code */
JsonNode *vitgate__json_parse_object(const char *text, gsize length, const char *what,
                                     VitgateError code, GError **error);

/* The same of a small file.
 * Returns: (transfer full): or NULL with VITGATE_ERROR_NOT_FOUND, _IO or @code */
JsonNode *vitgate__json_read_object(const char *path, VitgateError code, GError **error);

/* Typed members; each returns FALSE, or NULL, where the member is absent or of another type. */
gboolean vitgate__json_get_count(JsonNode *node, guint64 *value);
gboolean vitgate__json_get_number(JsonNode *node, double *value);
const char *vitgate__json_get_string(JsonObject *object, const char *name);
JsonArray *vitgate__json_get_array(JsonObject *object, const char *name);
JsonObject *vitgate__json_get_object(JsonObject *object, const char *name);
