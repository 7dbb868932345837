#include "config/config.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secrets.h"
#include "config/config-key.h"
#include "config/credentials.h"
#include "config/fingerprint.h"
#include "config/status-socket.h"

#define CAMERA_PREFIX "camera "
#define DEFAULTS      "defaults"
#define DAY           86400.0

const char *const config_precisions[] = { "auto", "float32", "bf16", "int8", NULL };
const char *const config_temporals[] = { "off", "auto", "on", NULL };
const char *const config_fits[] = { "squares", "squash", "letterbox", "crop", "model", NULL };
static const char *const frame_lines[] = { "none", "changes", "all", NULL };
static const char *const transports[] = { "auto", "tcp", "udp", NULL };

/* ---- Keys ---------------------------------------------------------------------------------- */

#define OFFSET(field) G_STRUCT_OFFSET(STRUCTURE, field)

#define STRUCTURE Config
static const Key watch_keys[] = {
  { "sync-interval", KEY_SECONDS, OFFSET(sync_interval), 0, 3600 },
  { "status-socket", KEY_PATH, OFFSET(status_socket) },
  { NULL },
};
#undef STRUCTURE

#define STRUCTURE LogConfig
static const Key log_keys[] = {
  { "file", KEY_PATH, OFFSET(file) },
  { "events-file", KEY_PATH, OFFSET(events_file) },
  { "size", KEY_SIZE, OFFSET(size), 4096, 1099511627776.0 },
  { "files", KEY_COUNT, OFFSET(files), 1, 1000 },
  { "frames", KEY_CHOICE, OFFSET(frames), .choices = frame_lines },
  { NULL },
};
#undef STRUCTURE

#define STRUCTURE MqttConfig
static const Key mqtt_keys[] = {
  { "host", KEY_TEXT, OFFSET(host) },
  { "port", KEY_COUNT, OFFSET(port), 1, 65535 },
  { "tls", KEY_SWITCH, OFFSET(tls) },
  { "ca-file", KEY_PATH, OFFSET(ca_file) },
  { "client-certificate", KEY_PATH, OFFSET(client_certificate) },
  { "client-key", KEY_PATH, OFFSET(client_key) },
  { "credentials-file", KEY_PATH, OFFSET(credentials_file) },
  { "credentials-env", KEY_TEXT, OFFSET(credentials_env) },
  { "topic", KEY_TEXT, OFFSET(topic) },
  { "client-id", KEY_TEXT, OFFSET(client_id) },
  { "spool", KEY_PATH, OFFSET(spool) },
  { "spool-size", KEY_SIZE, OFFSET(spool_size), 16384, 1099511627776.0 },
  { "frames", KEY_CHOICE, OFFSET(frames), .choices = frame_lines },
  { "retry-least", KEY_SECONDS, OFFSET(retry_min), 0.01, DAY },
  { "retry-most", KEY_SECONDS, OFFSET(retry_max), 0.01, DAY },
  { NULL },
};
#undef STRUCTURE

#define STRUCTURE CameraConfig
static const Key camera_keys[] = {
  { "url", KEY_TEXT, OFFSET(url) },
  { "credentials-file", KEY_PATH, OFFSET(credentials_file) },
  { "credentials-env", KEY_TEXT, OFFSET(credentials_env) },
  { "ca-file", KEY_PATH, OFFSET(ca_file) },
  { "certificate-sha256", KEY_TEXT, OFFSET(certificate_sha256) },
  { "insecure", KEY_SWITCH, OFFSET(insecure) },
  { "transport", KEY_CHOICE, OFFSET(transport), .choices = transports },
  { "latency", KEY_SECONDS, OFFSET(latency), 0, 60 },
  { "connect-timeout", KEY_SECONDS, OFFSET(connect_timeout), 0.1, 3600 },
  { "stall-timeout", KEY_SECONDS, OFFSET(stall_timeout), 0.1, 3600 },
  { "retry-least", KEY_SECONDS, OFFSET(retry_min), 0.01, DAY },
  { "retry-most", KEY_SECONDS, OFFSET(retry_max), 0.01, DAY },
  { "repeat", KEY_SWITCH, OFFSET(repeat) },
  { "real-time", KEY_SWITCH, OFFSET(real_time) },
  { "model", KEY_PATH, OFFSET(model) },
  { "model-labels", KEY_PATH, OFFSET(model_labels) },
  { "precision", KEY_CHOICE, OFFSET(precision), .choices = config_precisions },
  { "fit", KEY_CHOICE, OFFSET(fit), .choices = config_fits },
  { "threads", KEY_COUNT, OFFSET(threads), 1, 64 },
  { "top-k", KEY_COUNT, OFFSET(top_k), 1, 1000 },
  { "inference-interval", KEY_COUNT, OFFSET(interval), 1, 1000000 },
  { "compute", KEY_RATIO, OFFSET(compute), 0, 1 },
  { "min-compute", KEY_RATIO, OFFSET(min_compute), 0, 1 },
  { "latency-budget", KEY_SECONDS, OFFSET(latency_budget), 0, 60 },
  { "temporal", KEY_CHOICE, OFFSET(temporal), .choices = config_temporals },
  { "change-threshold", KEY_RATIO, OFFSET(change_threshold), 0, 1 },
  { "refresh-interval", KEY_COUNT, OFFSET(refresh_interval), 0, 1000000 },
  { "reuse-threshold", KEY_RATIO, OFFSET(reuse_threshold), 0, 1 },
  { "max-age", KEY_SECONDS, OFFSET(max_age), 0, DAY },
  { "labels", KEY_LIST, OFFSET(labels) },
  { "threshold", KEY_RATIO, OFFSET(threshold), 0, 1 },
  { "keep-threshold", KEY_RATIO, OFFSET(keep_threshold), 0, 1 },
  { "appear-after", KEY_SECONDS, OFFSET(appear_after), 0, DAY },
  { "vanish-after", KEY_SECONDS, OFFSET(vanish_after), 0, DAY },
  { NULL },
};
#undef STRUCTURE

static const CameraConfig camera_defaults = {
  .transport = TRANSPORT_TCP,
  .latency = 0.2,
  .connect_timeout = 20,
  .stall_timeout = 10,
  .retry_min = 1,
  .retry_max = 60,
  .threads = 1,
  .top_k = 5,
  .interval = 1,
  .compute = -1,
  .min_compute = -1,
  .temporal = 1, /* auto */
  .change_threshold = -1,
  .refresh_interval = 50,
  .reuse_threshold = -1,
  .max_age = 10,
  .threshold = 0.5,
  .keep_threshold = -1,
  .appear_after = 0.5,
  .vanish_after = 2,
};

/* ---- Groups -------------------------------------------------------------------------------- */

static gboolean is_variable(const char *name)
{
  static const char first[] = G_CSET_A_2_Z G_CSET_a_2_z "_";
  return strchr(first, *name) && !name[strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_")];
}

static gboolean check_credentials(const KeySource *source, const char *group, const char *file,
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
  if (file && strchr(file, ':') && access(file, F_OK) < 0)
    return key_fail(source, group, key, error, "expected a file that contains USER:PASSWORD");
  if (!credentials_read(file, variable, &user, &password, &wrong))
    return key_fail(source, group, key, error, "%s", wrong->message);
  return TRUE;
}

/* A path that does not exist yet is created at the start, with its folders, so its nearest parent
 * is checked.
 * @folder: that must exist */
static gboolean check_writable(const KeySource *source, const char *group, const char *key,
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

static gboolean check_readable(const KeySource *source, const char *group, const char *key,
                               const char *path, GError **error)
{
  struct stat status;
  if (!path)
    return TRUE;
  if (stat(path, &status) < 0 || access(path, R_OK) < 0)
    return key_fail(source, group, key, error, "%s cannot be read: %s", path, g_strerror(errno));
  return S_ISREG(status.st_mode) ||
         key_fail(source, group, key, error, "%s is not a regular file", path);
}

static gboolean check_retries(const KeySource *source, const char *group, double min, double max,
                              GError **error)
{
  return min <= max || key_fail(source, group, "retry-least", error,
                                "%g is greater than retry-most (%g)", min, max);
}

/* Returns: (transfer full): "log.events.jsonl" for "log.jsonl" */
static char *name_events_file(const char *file)
{
  g_autofree char *folder = g_path_get_dirname(file), *name = g_path_get_basename(file);
  const char *dot = strrchr(name, '.');
  gsize length = dot && dot > name ? (gsize)(dot - name) : strlen(name);
  g_autofree char *events = g_strdup_printf("%.*s.events%s", (int)length, name, name + length);
  return g_build_filename(folder, events, NULL);
}

static gboolean check_log_file(const KeySource *source, const char *key, const char *path,
                               GError **error)
{
  g_autofree char *folder = g_path_get_dirname(path);
  return check_writable(source, "log", key, path, folder, error);
}

static gboolean read_log(const KeySource *source, Config *config, GError **error)
{
  LogConfig *log = &config->log;
  *log = (LogConfig){ .size = 10 << 20, .files = 5, .frames = FRAME_LINES_CHANGES };
  if (!g_key_file_has_group(source->file, "log"))
    return TRUE;
  if (!keys_read(source, "log", log_keys, log, error))
    return FALSE;
  if (!log->file)
    return key_fail(source, "log", "file", error, "is missing");
  log->frames_unset = !g_key_file_has_key(source->file, "log", "frames", NULL);
  if (!log->events_file)
    log->events_file = name_events_file(log->file);
  if (!strcmp(log->events_file, log->file))
    return key_fail(source, "log", "events-file", error, "is the same as file");
  return check_log_file(source, "file", log->file, error) &&
         check_log_file(source, "events-file", log->events_file, error);
}

static gboolean check_mqtt_tls(const KeySource *source, const MqttConfig *mqtt, GError **error)
{
  const char *key = mqtt->ca_file              ? "ca-file"
                    : mqtt->client_certificate ? "client-certificate"
                    : mqtt->client_key         ? "client-key"
                                               : NULL;
  g_autoptr(GError) wrong = NULL;
  if (key && !mqtt->tls)
    return key_fail(source, "mqtt", key, error, "is set, but tls is not true");
  if (!mqtt->client_certificate != !mqtt->client_key)
    return key_fail(source, "mqtt", key, error,
                    "client-certificate and client-key need each other");
  if (mqtt->client_key && !credentials_check_file(mqtt->client_key, &wrong))
    return key_fail(source, "mqtt", "client-key", error, "%s", wrong->message);
  return check_readable(source, "mqtt", "ca-file", mqtt->ca_file, error) &&
         check_readable(source, "mqtt", "client-certificate", mqtt->client_certificate, error);
}

static gboolean check_mqtt(const KeySource *source, const MqttConfig *mqtt, GError **error)
{
  if (!mqtt->host)
    return key_fail(source, "mqtt", "host", error, "is missing");
  if (mqtt->host[strcspn(mqtt->host, "@/ ")])
    return key_fail(source, "mqtt", "host", error,
                    "expected a host name or an address; port and credentials have their own keys");
  if (!mqtt->spool)
    return key_fail(source, "mqtt", "spool", error, "is missing (a folder for waiting messages)");
  if (strpbrk(mqtt->topic, "+#"))
    return key_fail(source, "mqtt", "topic", error, "\"%s\" contains a wildcard", mqtt->topic);
  if (!check_mqtt_tls(source, mqtt, error))
    return FALSE;
  return check_retries(source, "mqtt", mqtt->retry_min, mqtt->retry_max, error) &&
         check_credentials(source, "mqtt", mqtt->credentials_file, mqtt->credentials_env, error) &&
         check_writable(source, "mqtt", "spool", mqtt->spool, mqtt->spool, error);
}

static gboolean read_mqtt(const KeySource *source, Config *config, GError **error)
{
  MqttConfig *mqtt = &config->mqtt;
  *mqtt = (MqttConfig){
    .topic = g_strdup("vitgate"),
    .spool_size = 64 << 20,
    .retry_min = 1,
    .retry_max = 60,
  };
  if (!g_key_file_has_group(source->file, "mqtt"))
    return TRUE;
  if (!keys_read(source, "mqtt", mqtt_keys, mqtt, error) || !check_mqtt(source, mqtt, error))
    return FALSE;
  if (!mqtt->port)
    mqtt->port = mqtt->tls ? 8883 : 1883;
  return TRUE;
}

/* ---- Cameras ------------------------------------------------------------------------------- */

static gboolean check_url(const KeySource *source, const char *group, const char *url,
                          GError **error)
{
  static const char *const schemes[] = { "rtsp", "rtsps", "file", "v4l2", "http", "https", NULL };
  g_autofree char *shown = secrets_hide_url(url);
  if (strchr(url, ' '))
    return key_fail(source, group, "url", error, "contains a space (write %%20)");
  g_autoptr(GUri) uri = g_uri_parse(
      url, G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_ENCODED | G_URI_FLAGS_PARSE_RELAXED, NULL);
  /* GUri's reason could show a password, as the port that it would be. */
  if (!uri)
    return key_fail(source, group, "url", error, "\"%s\" is not a URL", shown);
  if (g_uri_get_userinfo(uri))
    return key_fail(source, group, "url", error,
                    "set user and password in credentials-file or credentials-env instead");
  const char *scheme = g_uri_get_scheme(uri), *host = g_uri_get_host(uri);
  if (!g_strv_contains(schemes, scheme)) {
    g_autofree char *known = g_strjoinv(", ", (char **)schemes);
    return key_fail(source, group, "url", error, "\"%s\": expected a scheme of %s", shown, known);
  }
  gboolean local = !strcmp(scheme, "file") || !strcmp(scheme, "v4l2");
  /* GUri resolves dots: it makes the path "/b" of "file:a/../b". */
  const gboolean absolute = g_str_has_prefix(strchr(url, ':'), ":/") && *g_uri_get_path(uri) == '/';
  if (local && (!absolute || (host && *host)))
    return key_fail(source, group, "url", error, "\"%s\": expected %s:///PATH", shown, scheme);
  if (!local && (!host || !*host))
    return key_fail(source, group, "url", error, "\"%s\" has no host", shown);
  return TRUE;
}

static gboolean check_scheme(const KeySource *source, const char *group, const CameraConfig *camera,
                             GError **error)
{
  gboolean file = config_is_file(camera);
  if (camera->repeat && !file)
    return key_fail(source, group, "repeat", error, "only file:/// URLs can be repeated");
  if (camera->real_time && !file)
    return key_fail(source, group, "real-time", error, "is only for file:/// URLs");
  if ((camera->credentials_file || camera->credentials_env) && !config_is_on_network(camera))
    return key_fail(source, group, "url", error, "takes no credentials");
  return TRUE;
}

/* A camera's own keys must have an effect; those of [defaults] may be for other cameras. */
static gboolean check_tls(const KeySource *source, const char *group, const CameraConfig *camera,
                          GError **error)
{
  static const char *const keys[] = { "ca-file", "certificate-sha256", "insecure" };
  const gboolean set[] = { camera->ca_file != NULL, camera->certificate_sha256 != NULL,
                           camera->insecure };
  for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
    if (set[i] && !config_uses_tls(camera) &&
        g_key_file_has_key(source->file, group, keys[i], NULL))
      return key_fail(source, group, keys[i], error, "is only for rtsps:// and https:// URLs");
  if (set[0] + set[1] + set[2] > 1)
    return key_fail(source, group, keys[set[0] ? 0 : 1], error,
                    "expected only one of ca-file, certificate-sha256 and insecure");
  if (camera->certificate_sha256) {
    g_autofree char *digits = fingerprint_parse(camera->certificate_sha256);
    if (!digits)
      return key_fail(source, group, "certificate-sha256", error,
                      "\"%s\": expected the SHA-256 of the certificate in DER form, as 64 "
                      "hexadecimal digits with or without colons",
                      camera->certificate_sha256);
  }
  return check_readable(source, group, "ca-file", camera->ca_file, error);
}

static gboolean check_camera(const KeySource *source, const char *group, const CameraConfig *camera,
                             GError **error)
{
  if (!camera->url)
    return key_fail(source, group, "url", error, "is missing");
  if (camera->keep_threshold > camera->threshold)
    return key_fail(source, group, "keep-threshold", error, "%g is greater than threshold (%g)",
                    camera->keep_threshold, camera->threshold);
  if (camera->compute >= 0 && camera->min_compute > camera->compute)
    return key_fail(source, group, "min-compute", error, "%g is greater than compute (%g)",
                    camera->min_compute, camera->compute);
  return check_url(source, group, camera->url, error) &&
         check_scheme(source, group, camera, error) && check_tls(source, group, camera, error) &&
         check_retries(source, group, camera->retry_min, camera->retry_max, error) &&
         check_credentials(source, group, camera->credentials_file, camera->credentials_env,
                           error) &&
         check_readable(source, group, "model", camera->model, error) &&
         check_readable(source, group, "model-labels", camera->model_labels, error);
}

/* A name is used as a level of a topic and in lines. */
static gboolean check_name(const KeySource *source, const char *group, const char *name,
                           GError **error)
{
  if (!*name)
    return key_fail(source, group, NULL, error, "the camera has no name: [camera NAME]");
  if (strpbrk(name, "/+#\\\"") || *name == ' ' || g_str_has_suffix(name, " "))
    return key_fail(source, group, NULL, error,
                    "a camera's name must not contain / + # \\ \" or start or end with a space");
  return TRUE;
}

static void camera_free(CameraConfig *self)
{
  keys_clear(camera_keys, self);
  g_free(self->name);
  g_free(self->shown_url);
  g_free(self->fingerprint);
  g_free(self);
}

static gboolean read_camera(const KeySource *source, const char *group, Config *config,
                            GError **error)
{
  CameraConfig *camera = g_new(CameraConfig, 1);
  *camera = camera_defaults;
  g_ptr_array_add(config->cameras, camera);
  camera->name = g_strdup(group + strlen(CAMERA_PREFIX));
  if (!check_name(source, group, camera->name, error))
    return FALSE;
  if (g_key_file_has_group(source->file, DEFAULTS) &&
      !keys_read(source, DEFAULTS, camera_keys, camera, error))
    return FALSE;
  if (!keys_read(source, group, camera_keys, camera, error))
    return FALSE;
  if (camera->keep_threshold < 0)
    camera->keep_threshold = 0.8 * camera->threshold;
  camera->shown_url = camera->url ? secrets_hide_url(camera->url) : NULL;
  camera->fingerprint = keys_fingerprint(camera_keys, camera);
  return check_camera(source, group, camera, error);
}

/* ---- The file ------------------------------------------------------------------------------ */

static gboolean read_cameras(const KeySource *source, Config *config, GError **error)
{
  static const char *const others[] = { "watch", "log", "mqtt", DEFAULTS, NULL };
  g_auto(GStrv) groups = g_key_file_get_groups(source->file, NULL);
  for (guint i = 0; groups[i]; i++) {
    if (g_str_has_prefix(groups[i], CAMERA_PREFIX)) {
      if (!read_camera(source, groups[i], config, error))
        return FALSE;
    } else if (!g_strv_contains(others, groups[i])) {
      return key_fail(source, groups[i], NULL, error,
                      "unknown group, expected one of watch, log, mqtt, defaults, camera NAME");
    }
  }
  if (config->cameras->len > 0)
    return TRUE;
  g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_GROUP_NOT_FOUND,
              "%s: has no cameras (expected a group [camera NAME])", source->path);
  return FALSE;
}

/* A resumed TLS session is not checked again, so all cameras of a server need the same check. */
static gboolean check_tls_servers(const KeySource *source, const Config *config, GError **error)
{
  g_autoptr(GHashTable) policies = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  for (guint i = 0; i < config->cameras->len; i++) {
    const CameraConfig *camera = config->cameras->pdata[i];
    if (!config_uses_tls(camera))
      continue;
    g_autofree char *server = config_tls_server(camera), *policy = config_tls_policy(camera);
    const char *other = g_hash_table_lookup(policies, server);
    if (other && strcmp(other, policy)) {
      g_autofree char *group = g_strconcat(CAMERA_PREFIX, camera->name, NULL);
      return key_fail(source, group, "url", error,
                      "ca-file, certificate-sha256 or insecure differs from another camera of %s",
                      server);
    }
    g_hash_table_replace(policies, g_steal_pointer(&server), g_steal_pointer(&policy));
  }
  return TRUE;
}

static gboolean read_groups(const KeySource *source, Config *config, GError **error)
{
  config->sync_interval = 5;
  if (g_key_file_has_group(source->file, "watch") &&
      !keys_read(source, "watch", watch_keys, config, error))
    return FALSE;
  if (!config->status_socket)
    config->status_socket = status_socket_find(source->file, source->folder);
  return read_log(source, config, error) && read_mqtt(source, config, error) &&
         read_cameras(source, config, error) && check_tls_servers(source, config, error);
}

static gboolean load(KeySource *source, Config *config, GError **error)
{
  g_autofree char *text = NULL;
  gsize length;
  if (!g_file_get_contents(source->path, &text, &length, error))
    return FALSE;
  if (strlen(text) != length || !g_utf8_validate(text, -1, NULL)) {
    g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_PARSE, "%s: is not UTF-8 text",
                source->path);
    return FALSE;
  }
  const char *start = text_after_mark(text);
  if (!keys_check_lines(source, start, error))
    return FALSE;
  if (!g_key_file_load_from_data(source->file, start, strlen(start), G_KEY_FILE_NONE, error)) {
    g_prefix_error(error, "%s: ", source->path);
    return FALSE;
  }
  return keys_check_unique(source, start, error) && read_groups(source, config, error);
}

Config *config_load(const char *path, GError **error)
{
  g_autofree char *absolute = g_canonicalize_filename(path, NULL);
  g_autofree char *folder = g_path_get_dirname(absolute);
  g_autoptr(GKeyFile) file = g_key_file_new();
  KeySource source = { .path = path, .folder = folder, .file = file };
  g_autoptr(Config) config = g_new0(Config, 1);
  g_atomic_ref_count_init(&config->references);
  config->path = g_strdup(path);
  config->cameras = g_ptr_array_new_with_free_func((GDestroyNotify)camera_free);
  return load(&source, config, error) ? g_steal_pointer(&config) : NULL;
}

Config *config_ref(Config *self)
{
  g_atomic_ref_count_inc(&self->references);
  return self;
}

void config_unref(Config *self)
{
  if (!g_atomic_ref_count_dec(&self->references))
    return;
  keys_clear(watch_keys, self);
  keys_clear(log_keys, &self->log);
  keys_clear(mqtt_keys, &self->mqtt);
  g_ptr_array_unref(self->cameras);
  g_free(self->path);
  g_free(self);
}

gboolean config_is_file(const CameraConfig *camera)
{
  return g_str_has_prefix(camera->url, "file:");
}

gboolean config_is_on_network(const CameraConfig *camera)
{
  return !config_is_file(camera) && !g_str_has_prefix(camera->url, "v4l2:");
}

gboolean config_uses_tls(const CameraConfig *camera)
{
  return g_str_has_prefix(camera->url, "rtsps:") || g_str_has_prefix(camera->url, "https:");
}

char *config_tls_server(const CameraConfig *camera)
{
  g_autoptr(GUri) uri = g_uri_parse(camera->url, G_URI_FLAGS_PARSE_RELAXED, NULL);
  g_autofree char *host = g_ascii_strdown(uri ? g_uri_get_host(uri) : "", -1);
  int port = uri ? g_uri_get_port(uri) : -1;
  if (port < 0)
    port = g_str_has_prefix(camera->url, "https:") ? 443 : 322;
  return g_strdup_printf("%s:%d", host, port);
}

char *config_tls_policy(const CameraConfig *camera)
{
  g_autofree char *digits =
      camera->certificate_sha256 ? fingerprint_parse(camera->certificate_sha256) : NULL;
  return g_strdup_printf("%d %s %s", camera->insecure, digits ? digits : "",
                         camera->ca_file ? camera->ca_file : "");
}

gboolean config_mqtt_equal(const MqttConfig *a, const MqttConfig *b)
{
  g_autofree char *one = keys_fingerprint(mqtt_keys, a), *other = keys_fingerprint(mqtt_keys, b);
  return !strcmp(one, other);
}
