#include "page/http/route.h"

#include <string.h>

#define MAX_PARAMETERS 32

static gboolean is_text(const char *text)
{
  if (!g_utf8_validate(text, -1, NULL))
    return FALSE;
  for (; *text; text = g_utf8_next_char(text))
    if (g_unichar_iscntrl(g_utf8_get_char(text)))
      return FALSE;
  return TRUE;
}

/* Returns: (transfer full) (nullable) */
static char *decode_part(const char *part)
{
  g_autofree char *decoded = g_uri_unescape_string(part, "/");
  return decoded && *decoded && is_text(decoded) ? g_steal_pointer(&decoded) : NULL;
}

char **route_match(const char *pattern, const char *path)
{
  g_auto(GStrv) expected = g_strsplit(pattern, "/", -1), given = g_strsplit(path, "/", 32);
  g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(g_free);
  if (g_strv_length(expected) != g_strv_length(given))
    return NULL;
  for (guint i = 0; expected[i]; i++) {
    char *part = strcmp(expected[i], "*") ? NULL : decode_part(given[i]);
    if (part)
      g_ptr_array_add(parts, part);
    else if (strcmp(expected[i], given[i]) || !strcmp(expected[i], "*"))
      return NULL;
  }
  g_ptr_array_add(parts, NULL);
  return (char **)g_ptr_array_free(g_steal_pointer(&parts), FALSE);
}

gboolean route_parse_query(const char *query, GHashTable **parameters)
{
  g_autoptr(GHashTable) found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_auto(GStrv) pairs = g_strsplit(query ? query : "", "&", MAX_PARAMETERS + 1);
  *parameters = NULL;
  if (g_strv_length(pairs) > MAX_PARAMETERS)
    return FALSE;
  for (guint i = 0; pairs[i]; i++) {
    g_strdelimit(pairs[i], "+", ' ');
    char *equals = strchr(pairs[i], '=');
    g_autofree char *name = g_uri_unescape_segment(pairs[i], equals, NULL);
    g_autofree char *value = g_uri_unescape_string(equals ? equals + 1 : "", NULL);
    if (!name || !value || !is_text(name) || !is_text(value))
      return FALSE;
    if (*name)
      g_hash_table_replace(found, g_steal_pointer(&name), g_steal_pointer(&value));
  }
  if (g_hash_table_size(found))
    *parameters = g_steal_pointer(&found);
  return TRUE;
}
