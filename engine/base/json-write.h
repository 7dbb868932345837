/* Writes JSON that every reader takes. */
#pragma once

#include <json-glib/json-glib.h>

/* Writes @root as text: on one line, or with @pretty indented over several.
 * Returns: (transfer full): valid JSON that is safe for a terminal (see vitgate__escape_json()),
 * without a newline at its end */
char *vitgate__json_write(JsonNode *root, gboolean pretty);
