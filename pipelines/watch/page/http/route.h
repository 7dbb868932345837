/* Patterns of paths, such as "/api/v1/cameras/STAR/live", where STAR is an asterisk that stands for
 * one part of the path. */
#pragma once

#include <glib.h>

/* @path: encoded, as in a request
 * Returns: (transfer full) (nullable): what the asterisks stand for, decoded; NULL if the path does
 * not match, or if a part is empty, is not UTF-8, or has a slash or control character */
char **route_match(const char *pattern, const char *path);

/* @query: (nullable): encoded, without the question mark
 * @parameters: (out) (transfer full): of char * to char *; NULL if there are none
 * Returns: FALSE if it is not UTF-8, has a control character or has too many parameters */
gboolean route_parse_query(const char *query, GHashTable **parameters);
