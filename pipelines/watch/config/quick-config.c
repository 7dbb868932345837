#include "config/quick-config.h"

#include <string.h>

#include <glib/gstdio.h>

#include "base/secrets.h"

#define NAME   "page.conf"
#define FORMER "page.conf.old"

typedef struct {
  char *name, *url;
  char *credentials; /* (nullable): USER:PASSWORD */
  gboolean is_file;
} Source;

static void free_source(gpointer data)
{
  Source *source = data;
  g_free(source->name);
  g_free(source->url);
  g_free(source->credentials);
  g_free(source);
}

static gboolean fail(GError **error, const char *argument, const char *reason)
{
  g_autofree char *shown = secrets_hide_url(argument);
  g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "%s: %s", shown, reason);
  return FALSE;
}

/* ---- Arguments ----------------------------------------------------------------------------- */

/* @argument: a path */
static gboolean read_path(Source *source, const char *argument, GError **error)
{
  g_autofree char *path = g_canonicalize_filename(argument, NULL);
  GStatBuf status;
  if (g_stat(path, &status) < 0)
    return fail(error, argument, "is neither a URL nor a file");
  if (S_ISCHR(status.st_mode)) {
    source->url = g_strconcat("v4l2://", path, NULL);
    return TRUE;
  }
  if (!S_ISREG(status.st_mode))
    return fail(error, argument, "is neither a file nor a camera");
  source->url = g_filename_to_uri(path, NULL, error);
  source->is_file = TRUE;
  return source->url != NULL;
}

/* Moves user and password out of the URL. */
static gboolean read_url(Source *source, const char *argument, GError **error)
{
  const GUriFlags flags =
      G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_ENCODED_PATH | G_URI_FLAGS_ENCODED_QUERY;
  g_autoptr(GUri) uri = g_uri_parse(argument, flags, NULL);
  if (!uri)
    return fail(error, argument, "is not a URL");
  const char *user = g_uri_get_user(uri), *password = g_uri_get_password(uri);
  const char *host = g_uri_get_host(uri);
  source->is_file = !strcmp(g_uri_get_scheme(uri), "file");
  source->name = host && *host ? g_strdup(host) : NULL;
  if (!user) {
    source->url = g_strdup(argument);
    return TRUE;
  }
  if (strpbrk(user, ":\r\n") || (password && strpbrk(password, "\r\n")))
    return fail(error, argument, "the user has a colon, or the password a line break");
  source->credentials = g_strdup_printf("%s:%s", user, password ? password : "");
  source->url = g_uri_join(flags, g_uri_get_scheme(uri), NULL, host, g_uri_get_port(uri),
                           g_uri_get_path(uri), g_uri_get_query(uri), NULL);
  return TRUE;
}

static gboolean has_name(const GPtrArray *sources, const char *name)
{
  for (guint i = 0; i < sources->len; i++)
    if (!g_strcmp0(((const Source *)sources->pdata[i])->name, name))
      return TRUE;
  return FALSE;
}

/* The host, or camera1, camera2 and so on. */
static void set_name(Source *source, const GPtrArray *others)
{
  g_autofree char *host = g_steal_pointer(&source->name);
  if (host)
    g_strdelimit(host, "/+#\\\" ", '-');
  if (host && !has_name(others, host)) {
    source->name = g_steal_pointer(&host);
    return;
  }
  for (guint i = host ? 2 : 1; !source->name; i++) {
    g_autofree char *name =
        host ? g_strdup_printf("%s-%u", host, i) : g_strdup_printf("camera%u", i);
    if (!has_name(others, name))
      source->name = g_steal_pointer(&name);
  }
}

/* Returns: (transfer full) (nullable): of Source; NULL with an error */
static GPtrArray *read_sources(char *const *arguments, GError **error)
{
  g_autoptr(GPtrArray) sources = g_ptr_array_new_with_free_func(free_source);
  for (; *arguments; arguments++) {
    Source *source = g_new0(Source, 1);
    const gboolean good = strstr(*arguments, ":/") ? read_url(source, *arguments, error)
                                                   : read_path(source, *arguments, error);
    if (good)
      set_name(source, sources);
    g_ptr_array_add(sources, source);
    if (!good)
      return NULL;
  }
  return g_steal_pointer(&sources);
}

/* ---- The file ------------------------------------------------------------------------------ */

static char *name_group(const Source *source)
{
  return g_strconcat("camera ", source->name, NULL);
}

/* Returns: whether the file has these cameras, and no others */
static gboolean has_sources(const char *path, const GPtrArray *sources)
{
  g_autoptr(GKeyFile) file = g_key_file_new();
  guint n = 0;
  if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL))
    return FALSE;
  g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);
  for (guint i = 0; groups[i]; i++)
    n += g_str_has_prefix(groups[i], "camera ");
  for (guint i = 0; i < sources->len; i++) {
    const Source *source = sources->pdata[i];
    g_autofree char *group = name_group(source);
    g_autofree char *url = g_key_file_get_string(file, group, "url", NULL);
    if (g_strcmp0(url, source->url))
      return FALSE;
  }
  return n == sources->len;
}

static gboolean write_credentials(const char *folder, const Source *source, GError **error)
{
  g_autofree char *name = g_strconcat(source->name, ".secret", NULL);
  g_autofree char *path = g_build_filename(folder, name, NULL);
  g_autofree char *line = g_strconcat(source->credentials, "\n", NULL);
  return g_file_set_contents_full(path, line, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);
}

static void add_camera(GKeyFile *file, const Source *source)
{
  g_autofree char *group = name_group(source);
  g_key_file_set_string(file, group, "url", source->url);
  if (source->credentials) {
    g_autofree char *name = g_strconcat(source->name, ".secret", NULL);
    g_key_file_set_string(file, group, "credentials-file", name);
  }
  if (source->is_file) {
    g_key_file_set_boolean(file, group, "repeat", TRUE);
    g_key_file_set_boolean(file, group, "real-time", TRUE);
  }
}

static gboolean write_file(const char *path, const GPtrArray *sources, GError **error)
{
  g_autoptr(GKeyFile) file = g_key_file_new();
  g_key_file_set_string(file, "log", "file", "log.jsonl");
  g_key_file_set_string(file, "log", "frames", "changes");
  g_key_file_set_string(file, "page", "listen", "127.0.0.1:8470");
  g_key_file_set_comment(file, NULL, NULL,
                         " Written by \"vitgate-watch --page\". vitgate-watch.conf in its "
                         "documentation folder explains every key.",
                         NULL);
  for (guint i = 0; i < sources->len; i++)
    add_camera(file, sources->pdata[i]);
  g_autofree char *text = g_key_file_to_data(file, NULL, NULL);
  return g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);
}

char *quick_config_write(char *const *arguments, GError **error)
{
  g_autoptr(GPtrArray) sources = read_sources(arguments, error);
  if (!sources)
    return NULL;
  g_autofree char *folder = g_build_filename(g_get_user_state_dir(), "vitgate-watch", NULL);
  g_autofree char *path = g_build_filename(folder, NAME, NULL);
  g_autofree char *former = g_build_filename(folder, FORMER, NULL);
  if (g_mkdir_with_parents(folder, 0700) < 0) {
    fail(error, folder, "cannot be created");
    return NULL;
  }
  for (guint i = 0; i < sources->len; i++) {
    const Source *source = sources->pdata[i];
    if (source->credentials && !write_credentials(folder, source, error))
      return NULL;
  }
  if (has_sources(path, sources))
    return g_steal_pointer(&path);
  g_rename(path, former);
  return write_file(path, sources, error) ? g_steal_pointer(&path) : NULL;
}
