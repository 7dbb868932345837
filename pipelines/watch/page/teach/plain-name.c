#include "page/teach/plain-name.h"

#include <string.h>

#include "base/clean-text.h"

#define MAX_LENGTH 100 /* bytes */

/* "vitgate teach" leaves the first out; the second is the label of pictures that no class has. */
static const char *const taken[] = { "doubtful", "unknown", NULL };

/* Returns: (nullable): what is wrong with the name */
static const char *find_fault(const char *name)
{
  g_autofree char *clean = vitgate__clean_text(name);
  if (!*name)
    return "is empty";
  if (strlen(name) > MAX_LENGTH)
    return "is longer than 100 bytes";
  if (strcmp(clean, name) != 0)
    return "contains control characters";
  if (strpbrk(name, "/\\+#\"[];"))
    return "must not contain / \\ + # \" [ ] ;";
  if (*name == '.' || *name == ' ' || g_str_has_suffix(name, " "))
    return "must not start with a dot, or start or end with a space";
  if (g_strv_contains(taken, name))
    return "has a meaning of its own; choose another name";
  return NULL;
}

char *plain_name_new(const char *kind, const char *name, GError **error)
{
  g_autofree char *valid = g_utf8_make_valid(name, -1);
  g_autofree char *composed = g_utf8_normalize(valid, -1, G_NORMALIZE_DEFAULT_COMPOSE);
  const char *fault = find_fault(composed);
  if (!fault)
    return g_steal_pointer(&composed);
  g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "the name of the %s, \"%.100s\", %s",
              kind, composed, fault);
  return NULL;
}
