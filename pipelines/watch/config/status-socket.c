#include "config/status-socket.h"

#include <string.h>

#include "config/config-key.h"

/* Returns: (transfer full) (nullable): an absolute path */
static char *get_path(GKeyFile *file, const char *folder, const char *group, const char *key)
{
  g_autofree char *text = g_key_file_get_string(file, group, key, NULL);
  return text && *g_strchomp(text) ? g_canonicalize_filename(text, folder) : NULL;
}

char *status_socket_find(GKeyFile *file, const char *folder)
{
  char *path = get_path(file, folder, "watch", "status-socket");
  if (path)
    return path;
  g_autofree char *log = get_path(file, folder, "log", "file");
  g_autofree char *spool = get_path(file, folder, "mqtt", "spool");
  if (!spool)
    spool = get_path(file, folder, "kafka", "spool");
  if (!log)
    return spool ? g_build_filename(spool, "status", NULL) : NULL;
  char *name = strrchr(log, '/') + 1, *dot = strrchr(name, '.');
  return g_strdup_printf("%.*s.status", (int)(dot && dot > name ? dot - log : (long)strlen(log)),
                         log);
}

char *status_socket_of(const char *key_file, GError **error)
{
  g_autofree char *absolute = g_canonicalize_filename(key_file, NULL), *text = NULL;
  g_autofree char *folder = g_path_get_dirname(absolute);
  g_autoptr(GKeyFile) file = g_key_file_new();
  if (!g_file_get_contents(key_file, &text, NULL, error))
    return NULL;
  const char *start = text_after_mark(text);
  /* GKeyFile's error would show a line, which may be a password. */
  if (!g_key_file_load_from_data(file, start, strlen(start), G_KEY_FILE_NONE, NULL)) {
    g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_PARSE,
                "%s: is not a key file (see --check)", key_file);
    return NULL;
  }
  char *path = status_socket_find(file, folder);
  if (!path)
    g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_KEY_NOT_FOUND,
                "%s: has no log and no spool; set [watch] status-socket", key_file);
  return path;
}
