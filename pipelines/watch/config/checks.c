#include "config/checks.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/credentials.h"

gboolean check_readable(const KeySource *source, const char *group, const char *key,
                        const char *path, GError **error)
{
  struct stat status;
  if (!path || source->elsewhere)
    return TRUE;
  if (stat(path, &status) < 0 || access(path, R_OK) < 0)
    return key_fail(source, group, key, error, "%s cannot be read: %s", path, g_strerror(errno));
  return S_ISREG(status.st_mode) ||
         key_fail(source, group, key, error, "%s is not a regular file", path);
}

gboolean check_writable(const KeySource *source, const char *group, const char *key,
                        const char *path, const char *folder, GError **error)
{
  struct stat status;
  g_autofree char *at = g_strdup(path);
  while (access(at, F_OK) < 0 && strcmp(at, "/")) {
    char *parent = g_path_get_dirname(at);
    g_free(at);
    at = parent;
  }
  if (strcmp(at, path) && !g_file_test(at, G_FILE_TEST_IS_DIR))
    return key_fail(source, group, key, error, "%s: %s is not a folder", path, at);
  if (access(at, W_OK) == 0)
    return TRUE;
  if (lstat(folder, &status) == 0)
    return key_fail(source, group, key, error, "%s: no permission to write to %s", path, at);
  return key_fail(source, group, key, error,
                  "%s: no permission to create %s (the service's folder is created when it starts; "
                  "otherwise: sudo install -d -o %s %s)",
                  path, folder, g_get_user_name(), folder);
}

static gboolean is_variable(const char *name)
{
  static const char first[] = G_CSET_A_2_Z G_CSET_a_2_z "_";
  return strchr(first, *name) && !name[strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_")];
}

gboolean check_credentials(const KeySource *source, const char *group, const char *file,
                           const char *variable, GError **error)
{
  g_autofree char *user = NULL, *password = NULL;
  g_autoptr(GError) wrong = NULL;
  const char *key = file ? "credentials-file" : "credentials-env";
  if (file && variable)
    return key_fail(source, group, key, error, "credentials-env is set as well");
  /* A message with the value would show credentials that someone wrote here themselves. */
  if (variable && !is_variable(variable))
    return key_fail(source, group, key, error, "expected the name of an environment variable");
  if (source->elsewhere)
    return TRUE;
  if (file && strchr(file, ':') && access(file, F_OK) < 0)
    return key_fail(source, group, key, error, "expected a file that contains USER:PASSWORD");
  if (!credentials_read(file, variable, &user, &password, &wrong))
    return key_fail(source, group, key, error, "%s", wrong->message);
  return TRUE;
}

gboolean check_retries(const KeySource *source, const char *group, double min, double max,
                       GError **error)
{
  return min <= max || key_fail(source, group, "retry-least", error,
                                "%g is greater than retry-most (%g)", min, max);
}

gboolean check_name(const KeySource *source, const char *group, const char *kind, const char *name,
                    GError **error)
{
  if (!*name)
    return key_fail(source, group, NULL, error, "the %s has no name: [%s NAME]", kind, kind);
  if (strpbrk(name, "/+#\\\"") || *name == ' ' || g_str_has_suffix(name, " "))
    return key_fail(source, group, NULL, error,
                    "a %s's name must not contain / + # \\ \" or start or end with a space", kind);
  return TRUE;
}
