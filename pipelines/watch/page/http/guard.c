#include "page/http/guard.h"

#include <string.h>

#include <gio/gio.h>

/* Returns: (transfer full) (nullable): the host without its port and brackets */
static char *split_host(const char *host)
{
  if (*host == '[') {
    const char *end = strchr(host, ']');
    return end && (!end[1] || end[1] == ':') ? g_strndup(host + 1, (gsize)(end - host - 1)) : NULL;
  }
  return g_strndup(host, strcspn(host, ":"));
}

gboolean guard_is_host(const char *host, char *const *names)
{
  g_autofree char *name = host ? split_host(host) : NULL;
  return name && guard_is_name(name, names);
}

gboolean guard_is_name(const char *name, char *const *names)
{
  if (!g_ascii_strcasecmp(name, "localhost") || g_hostname_is_ip_address(name))
    return TRUE;
  for (; names && *names; names++)
    if (!g_ascii_strcasecmp(*names, name))
      return TRUE;
  return FALSE;
}

gboolean guard_is_same_origin(const char *host, const char *origin, const char *fetch_site)
{
  if (!origin)
    return fetch_site && !strcmp(fetch_site, "same-origin");
  const char *start = strstr(origin, "://");
  /* A proxy in front may speak TLS, so http and https are the same here. */
  return start && (g_str_has_prefix(origin, "http://") || g_str_has_prefix(origin, "https://")) &&
         !g_ascii_strcasecmp(start + strlen("://"), host);
}

char *guard_find_cookie(const char *cookies, const char *name)
{
  g_auto(GStrv) pairs = g_strsplit(cookies ? cookies : "", ";", 64);
  const gsize length = strlen(name);
  for (guint i = 0; pairs[i]; i++) {
    const char *pair = g_strstrip(pairs[i]);
    if (!strncmp(pair, name, length) && pair[length] == '=')
      return g_strdup(pair + length + 1);
  }
  return NULL;
}
