/* Untrusted JSON: parsed by json-glib behind bounds of our own, read by typed members. */
#pragma once

#include <json-glib/json-glib.h>

#include "vitgate.h"

/* Parses text that must be one JSON object without repeated names and with finite numbers.
 * @what: names the text in errors, such as the file's path
 * Returns: (transfer full): its node, or NULL with @error set to @code */
JsonNode *vitgate__json_parse_object(const char *text, gsize length, const char *what,
                                     VitgateError code, GError **error);

/* The same of a small file.
 * Returns: (transfer full): or NULL with VITGATE_ERROR_NOT_FOUND, _IO or @code */
JsonNode *vitgate__json_read_object(const char *path, VitgateError code, GError **error);

/* Returns: (transfer full): the text of @root on one line */
char *vitgate__json_write(JsonNode *root);

/* Typed members; each returns FALSE, or NULL, where the member is absent or of another type. */
gboolean vitgate__json_get_count(JsonNode *node, guint64 *value);
gboolean vitgate__json_get_number(JsonNode *node, double *value);
gboolean vitgate__json_get_boolean(JsonNode *node, gboolean *value);
const char *vitgate__json_get_text(JsonNode *node);
const char *vitgate__json_get_string(JsonObject *object, const char *name);
JsonArray *vitgate__json_get_array(JsonObject *object, const char *name);
JsonObject *vitgate__json_get_object(JsonObject *object, const char *name);

/* Three numbers from @least to @most: red, green, blue.
 * @rgb: (out caller-allocates): undefined where it returns FALSE */
gboolean vitgate__json_get_rgb(JsonObject *object, const char *name, double least, double most,
                               float rgb[3]);
