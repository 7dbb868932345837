#include "config/fleet-config.h"

#include <string.h>

#include "base/secrets.h"
#include "config/checks.h"
#include "config/credentials.h"

#define GROUP        "fleet"
#define MAX_NAME     100 /* bytes */
#define MAX_CAPACITY 1e9

/* What the key file has. */
typedef struct {
  FleetConfig config;
  char *capacity; /* "auto" or a number */
} Keys;

#define OFFSET(field) G_STRUCT_OFFSET(FleetConfig, field)

static const Key fleet_keys[] = {
  { "etcd", KEY_LIST, OFFSET(etcd) },
  { "name", KEY_TEXT, OFFSET(name) },
  { "node", KEY_TEXT, OFFSET(node) },
  { "lease", KEY_COUNT, OFFSET(lease), 2, 300 },
  { "ca-file", KEY_PATH, OFFSET(ca_file) },
  { "certificate", KEY_PATH, OFFSET(certificate) },
  { "key", KEY_PATH, OFFSET(key) },
  { "credentials-file", KEY_PATH, OFFSET(credentials_file) },
  { "credentials-env", KEY_TEXT, OFFSET(credentials_env) },
  { NULL },
};

static const Key file_keys[] = {
  { "capacity", KEY_TEXT, G_STRUCT_OFFSET(Keys, capacity) },
  { NULL },
};

gboolean fleet_config_check_url(const char *url, char **reason)
{
  g_autoptr(GUri) uri = strchr(url, '@') ? NULL : g_uri_parse(url, G_URI_FLAGS_PARSE_RELAXED, NULL);
  const char *scheme = uri ? g_uri_get_scheme(uri) : "", *host = uri ? g_uri_get_host(uri) : NULL;
  const char *path = uri ? g_uri_get_path(uri) : "";
  if ((!strcmp(scheme, "http") || !strcmp(scheme, "https")) && host && *host &&
      (!*path || !strcmp(path, "/")) && !g_uri_get_query(uri) && !g_uri_get_fragment(uri))
    return TRUE;
  g_autofree char *shown = secrets_hide_url(url);
  if (reason)
    *reason = g_strdup_printf("\"%s\": expected http://HOST:PORT or https://HOST:PORT, separated "
                              "by semicolons; credentials have their own keys",
                              shown);
  return FALSE;
}

gboolean fleet_config_check_name(const char *name)
{
  return *name && strlen(name) <= MAX_NAME && !strpbrk(name, "/+#\\\" ") &&
         !g_str_has_prefix(name, "-");
}

static gboolean check_names(const FleetConfig *self, const KeySource *source, GError **error)
{
  const char *const keys[] = { "name", "node" }, *const names[] = { self->name, self->node };
  for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
    if (!fleet_config_check_name(names[i]))
      return key_fail(source, GROUP, keys[i], error,
                      "\"%s\": expected at most %d bytes without spaces and / + # \\ \"", names[i],
                      MAX_NAME);
  return TRUE;
}

static gboolean check_urls(const FleetConfig *self, const KeySource *source, GError **error)
{
  if (!self->etcd)
    return key_fail(source, GROUP, "etcd", error, "is missing");
  for (guint i = 0; self->etcd[i]; i++) {
    g_autofree char *reason = NULL;
    if (!fleet_config_check_url(self->etcd[i], &reason))
      return key_fail(source, GROUP, "etcd", error, "%s", reason);
  }
  return TRUE;
}

static gboolean check_files(const FleetConfig *self, const KeySource *source, GError **error)
{
  const char *key = self->ca_file ? "ca-file" : self->certificate ? "certificate" : "key";
  g_autoptr(GError) wrong = NULL;
  gboolean tls = FALSE;
  for (guint i = 0; self->etcd[i]; i++)
    tls |= g_ascii_strncasecmp(self->etcd[i], "https:", 6) == 0;
  if (!tls && (self->ca_file || self->certificate || self->key))
    return key_fail(source, GROUP, key, error, "is set, but etcd has no https:// URL");
  if (!self->certificate != !self->key)
    return key_fail(source, GROUP, self->key ? "key" : "certificate", error,
                    "certificate and key need each other");
  if (self->key && !credentials_check_file(self->key, &wrong))
    return key_fail(source, GROUP, "key", error, "%s", wrong->message);
  return check_readable(source, GROUP, "ca-file", self->ca_file, error) &&
         check_readable(source, GROUP, "certificate", self->certificate, error) &&
         check_credentials(source, GROUP, self->credentials_file, self->credentials_env, error);
}

static gboolean read_capacity(FleetConfig *self, const char *text, const KeySource *source,
                              GError **error)
{
  char *end = NULL;
  if (!text || !strcmp(text, "auto"))
    return TRUE;
  self->capacity = g_ascii_strtod(text, &end);
  return (end != text && !*end && self->capacity > 0 && self->capacity <= MAX_CAPACITY) ||
         key_fail(source, GROUP, "capacity", error,
                  "\"%s\": expected auto or a number of GMAC/s greater than 0", text);
}

/* Both tables have a part of the group's keys, and no others are allowed. */
static gboolean read_keys(FleetConfig *self, const KeySource *source, GError **error)
{
  static gsize joined;
  if (g_once_init_enter(&joined))
    g_once_init_leave(&joined,
                      (gsize)keys_join(file_keys, fleet_keys, G_STRUCT_OFFSET(Keys, config)));
  Keys keys = { .config = *self };
  const gboolean good = keys_read(source, GROUP, (const Key *)joined, &keys, error);
  *self = keys.config;
  const gboolean fits = good && read_capacity(self, keys.capacity, source, error);
  g_free(keys.capacity);
  return fits;
}

gboolean fleet_config_read(FleetConfig *self, const KeySource *source, GError **error)
{
  *self = (FleetConfig){
    .name = g_strdup("default"),
    .node = g_strdup(g_get_host_name()),
    .lease = 10,
  };
  if (!g_key_file_has_group(source->file, GROUP))
    return TRUE;
#ifndef VITGATE_HAVE_FLEET
  return key_fail(source, GROUP, NULL, error,
                  "this vitgate-watch was built without the fleet (libsoup 3 is missing)");
#endif
  return read_keys(self, source, error) && check_urls(self, source, error) &&
         check_names(self, source, error) && check_files(self, source, error);
}

gboolean fleet_config_load(FleetConfig *self, const char *path, GError **error)
{
  g_autofree char *absolute = g_canonicalize_filename(path, NULL), *text = NULL;
  g_autofree char *folder = g_path_get_dirname(absolute);
  g_autoptr(GKeyFile) file = g_key_file_new();
  KeySource source = { .path = path, .folder = folder, .file = file };
  *self = (FleetConfig){ 0 };
  if (!g_file_get_contents(path, &text, NULL, error))
    return FALSE;
  const char *start = text_after_mark(text);
  source.text = start;
  if (!keys_check_lines(&source, start, error))
    return FALSE;
  if (!g_key_file_load_from_data(file, start, strlen(start), G_KEY_FILE_NONE, error)) {
    g_prefix_error(error, "%s: ", path);
    return FALSE;
  }
  if (g_key_file_has_group(file, GROUP))
    return fleet_config_read(self, &source, error);
  g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_GROUP_NOT_FOUND,
              "%s: there is no group [" GROUP "]", path);
  return FALSE;
}

void fleet_config_copy(FleetConfig *copy, const FleetConfig *self)
{
  keys_copy(fleet_keys, copy, self, sizeof *self);
}

void fleet_config_clear(FleetConfig *self)
{
  keys_clear(fleet_keys, self);
}

gboolean fleet_config_equal(const FleetConfig *a, const FleetConfig *b)
{
  g_autofree char *one = keys_fingerprint(fleet_keys, a), *other = keys_fingerprint(fleet_keys, b);
  return !strcmp(one, other);
}
