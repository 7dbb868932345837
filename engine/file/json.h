/* Reads untrusted JSON: json-glib parses it within limits set here, and typed functions read its
 * members. */
#pragma once

#include <json-glib/json-glib.h>

#include "vitgate.h"

/* Parses text that must be one JSON object without repeated names and with finite numbers.
 * @what: name of the text in errors, such as the path of its file
 * Returns: (transfer full): the node of the object, or NULL with @error set to @code */
JsonNode *vitgate__json_parse_object(const char *text, gsize length, const char *what,
                                     VitgateError code, GError **error);

/* Parses a small file in the same way.
 * Returns: (transfer full): the node, or NULL with VITGATE_ERROR_NOT_FOUND, _IO or @code */
JsonNode *vitgate__json_read_object(const char *path, VitgateError code, GError **error);

/* Each reads a value of one type. Returns FALSE or NULL if it is absent or has another type. */
gboolean vitgate__json_get_count(JsonNode *node, guint64 *value);
gboolean vitgate__json_get_number(JsonNode *node, double *value);
gboolean vitgate__json_get_boolean(JsonNode *node, gboolean *value);
const char *vitgate__json_get_text(JsonNode *node);
const char *vitgate__json_get_string(JsonObject *object, const char *name);
JsonArray *vitgate__json_get_array(JsonObject *object, const char *name);
JsonObject *vitgate__json_get_object(JsonObject *object, const char *name);

/* Reads three numbers from @min to @max: red, green, blue.
 * @rgb: (out caller-allocates): undefined if it returns FALSE */
gboolean vitgate__json_get_rgb(JsonObject *object, const char *name, double min, double max,
                               float rgb[3]);
