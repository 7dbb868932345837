/* Parses the JSON body of a request. */
#pragma once

#include <json-glib/json-glib.h>

/* Returns: (transfer full) (nullable): NULL with an error of G_IO_ERROR if the text is not one JSON
 * object, or is nested too deeply */
JsonObject *body_parse(const char *text, gsize length, GError **error);
