/* json-write.h: writes JSON. */
#pragma once

#include <json-glib/json-glib.h>

/* Writes @root as text: on one line, or with @pretty indented over several.
 * Returns: (transfer full): the text, without a newline at its end */
char *vitgate__json_write(JsonNode *root, gboolean pretty);
