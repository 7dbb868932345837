/* Checks where a request comes from. */
#pragma once

#include <glib.h>

/* Checks the Host header, against names of other machines that lead here (DNS rebinding).
 * @host: (nullable): with or without a port
 * @names: (nullable): further names
 * Returns: whether it is an address, "localhost" or one of @names */
gboolean guard_is_host(const char *host, char *const *names);

/* Does the same for a name without a port and brackets. */
gboolean guard_is_name(const char *name, char *const *names);

/* Checks that the page itself asks for a change.
 * @host: the Host header
 * @origin, @fetch_site: (nullable): the headers Origin and Sec-Fetch-Site */
gboolean guard_is_same_origin(const char *host, const char *origin, const char *fetch_site);

/* Finds a cookie in the header Cookie.
 * @cookies: (nullable)
 * Returns: (transfer full) (nullable): its value */
char *guard_find_cookie(const char *cookies, const char *name);
