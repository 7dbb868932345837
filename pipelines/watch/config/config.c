#include "config/config.h"

#include <string.h>

#include "config/checks.h"
#include "config/config-key.h"
#include "config/credentials.h"
#include "config/status-socket.h"

#define CAMERA_PREFIX "camera "
#define LOOK_PREFIX   "look "

/* ---- Keys ---------------------------------------------------------------------------------- */

#define OFFSET(field) G_STRUCT_OFFSET(STRUCTURE, field)

#define STRUCTURE Config
static const Key own_watch_keys[] = {
  { "sync-interval", KEY_SECONDS, OFFSET(sync_interval), 0, 3600 },
  { "status-socket", KEY_PATH, OFFSET(status_socket) },
  { NULL },
};

static const Key *watch_keys(void)
{
  static gsize keys;
  if (g_once_init_enter(&keys))
    g_once_init_leave(&keys, (gsize)keys_join(own_watch_keys, fetch_keys, OFFSET(fetch)));
  return (const Key *)keys;
}
#undef STRUCTURE

#define STRUCTURE LogConfig
static const Key log_keys[] = {
  { "file", KEY_PATH, OFFSET(file) },
  { "events-file", KEY_PATH, OFFSET(events_file) },
  { "size", KEY_SIZE, OFFSET(size), 4096, 1099511627776.0 },
  { "files", KEY_COUNT, OFFSET(files), 1, 1000 },
  { "frames", KEY_CHOICE, OFFSET(frames), .choices = frame_line_names },
  { NULL },
};
#undef STRUCTURE

#define STRUCTURE MqttConfig
static const Key own_mqtt_keys[] = {
  { "host", KEY_TEXT, OFFSET(host) },
  { "port", KEY_COUNT, OFFSET(port), 1, 65535 },
  { "topic", KEY_TEXT, OFFSET(topic) },
  { "home-assistant", KEY_SWITCH, OFFSET(home_assistant) },
  { "discovery-prefix", KEY_TEXT, OFFSET(discovery_prefix) },
  { NULL },
};

static const Key *mqtt_keys(void)
{
  static gsize keys;
  if (g_once_init_enter(&keys))
    g_once_init_leave(&keys, (gsize)keys_join(own_mqtt_keys, broker_keys, OFFSET(broker)));
  return (const Key *)keys;
}
#undef STRUCTURE

/* ---- Groups -------------------------------------------------------------------------------- */

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

static gboolean check_mqtt(const KeySource *source, const MqttConfig *mqtt, GError **error)
{
  if (!mqtt->host)
    return key_fail(source, "mqtt", "host", error, "is missing");
  if (mqtt->host[strcspn(mqtt->host, "@/ ")])
    return key_fail(source, "mqtt", "host", error,
                    "expected a host name or an address; port and credentials have their own keys");
  if (strpbrk(mqtt->topic, "+#"))
    return key_fail(source, "mqtt", "topic", error, "\"%s\" contains a wildcard", mqtt->topic);
  if (strpbrk(mqtt->discovery_prefix, "+#"))
    return key_fail(source, "mqtt", "discovery-prefix", error, "\"%s\" contains a wildcard",
                    mqtt->discovery_prefix);
  return broker_config_check(&mqtt->broker, source, "mqtt", error);
}

static gboolean read_mqtt(const KeySource *source, Config *config, GError **error)
{
  MqttConfig *mqtt = &config->mqtt;
  *mqtt = (MqttConfig){
    .topic = g_strdup("vitgate"),
    .discovery_prefix = g_strdup("homeassistant"),
    .broker = broker_defaults,
  };
  if (!g_key_file_has_group(source->file, "mqtt"))
    return TRUE;
  if (!keys_read(source, "mqtt", mqtt_keys(), mqtt, error) || !check_mqtt(source, mqtt, error))
    return FALSE;
  if (!mqtt->port)
    mqtt->port = mqtt->broker.tls ? 8883 : 1883;
  return TRUE;
}

/* ---- The file ------------------------------------------------------------------------------ */

static CameraConfig *find_camera(const Config *config, const char *name)
{
  for (guint i = 0; i < config->cameras->len; i++) {
    CameraConfig *camera = config->cameras->pdata[i];
    if (!strcmp(camera->name, name))
      return camera;
  }
  return NULL;
}

static gboolean read_camera(const KeySource *source, const char *group, Config *config,
                            GError **error)
{
  CameraConfig *camera = camera_config_new(group + strlen(CAMERA_PREFIX));
  g_ptr_array_add(config->cameras, camera);
  return camera_config_read(camera, source, group, error);
}

/* Reads a look into its camera. */
static gboolean read_look(const KeySource *source, const char *group, Config *config,
                          GError **error)
{
  LookConfig *look = look_config_new(group + strlen(LOOK_PREFIX));
  gboolean read = look_config_read(look, source, group, error);
  CameraConfig *camera = read ? find_camera(config, look->camera) : NULL;
  if (camera) {
    g_ptr_array_add(camera->looks, look);
    return TRUE;
  }
  if (read)
    key_fail(source, group, "camera", error, "\"%s\": there is no group [camera %s]", look->camera,
             look->camera);
  look_config_free(look);
  return FALSE;
}

static gboolean complete_cameras(const KeySource *source, Config *config, GError **error)
{
  for (guint i = 0; i < config->cameras->len; i++) {
    CameraConfig *camera = config->cameras->pdata[i];
    g_autofree char *group = g_strconcat(CAMERA_PREFIX, camera->name, NULL);
    if (!camera_config_complete(camera, source, group, &config->fetch, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean read_cameras(const KeySource *source, Config *config, GError **error)
{
  static const char *const others[] = { "watch", "log",   "mqtt",   "kafka",
                                        "page",  "fleet", DEFAULTS, NULL };
  g_auto(GStrv) groups = g_key_file_get_groups(source->file, NULL);
  for (guint i = 0; groups[i]; i++) {
    if (g_str_has_prefix(groups[i], CAMERA_PREFIX)) {
      if (!read_camera(source, groups[i], config, error))
        return FALSE;
    } else if (!g_strv_contains(others, groups[i]) && !g_str_has_prefix(groups[i], LOOK_PREFIX)) {
      return key_fail(source, groups[i], NULL, error,
                      "unknown group, expected one of watch, log, mqtt, kafka, page, fleet, "
                      "defaults, camera NAME, look NAME");
    }
  }
  if (config->cameras->len == 0 && !config->fleet.etcd) {
    g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_GROUP_NOT_FOUND,
                "%s: has no cameras (expected a group [camera NAME] or [fleet])", source->path);
    return FALSE;
  }
  if (config->fleet.etcd && !camera_config_check_defaults(source, error))
    return FALSE;
  for (guint i = 0; groups[i]; i++)
    if (g_str_has_prefix(groups[i], LOOK_PREFIX) && !read_look(source, groups[i], config, error))
      return FALSE;
  return complete_cameras(source, config, error);
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

static gboolean read_kafka(const KeySource *source, Config *config, GError **error)
{
  if (!kafka_config_read(&config->kafka, source, error))
    return FALSE;
  return !config->kafka.broker.spool ||
         g_strcmp0(config->kafka.broker.spool, config->mqtt.broker.spool) ||
         key_fail(source, "kafka", "spool", error, "is the folder of [mqtt] too");
}

static gboolean read_groups(const KeySource *source, Config *config, GError **error)
{
  config->sync_interval = 5;
  config->fetch = fetch_config_defaults();
  if (g_key_file_has_group(source->file, "watch") &&
      !keys_read(source, "watch", watch_keys(), config, error))
    return FALSE;
  if (!fetch_config_check(&config->fetch, source, error))
    return FALSE;
  if (!config->status_socket)
    config->status_socket = status_socket_find(source->file, source->folder);
  return read_log(source, config, error) && read_mqtt(source, config, error) &&
         read_kafka(source, config, error) && fleet_config_read(&config->fleet, source, error) &&
         page_config_read(&config->page, source, config->log.file, error) &&
         read_cameras(source, config, error) && check_tls_servers(source, config, error);
}

/* Parses the text, but reads no keys. */
static gboolean load_text(KeySource *source, const char *text, gsize length, GError **error)
{
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
  return keys_check_unique(source, start, error);
}

Config *config_load(const char *path, GError **error)
{
  g_autofree char *text = NULL;
  gsize length;
  return g_file_get_contents(path, &text, &length, error) ? config_parse(path, text, length, error)
                                                          : NULL;
}

Config *config_parse(const char *path, const char *text, gsize length, GError **error)
{
  g_autofree char *absolute = g_canonicalize_filename(path, NULL);
  g_autofree char *folder = g_path_get_dirname(absolute);
  g_autoptr(GKeyFile) file = g_key_file_new();
  KeySource source = { .path = path, .folder = folder, .file = file };
  g_autoptr(Config) config = g_new0(Config, 1);
  g_atomic_ref_count_init(&config->references);
  config->path = g_strdup(path);
  config->text = g_strndup(text, length);
  config->checksum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)text, length);
  config->cameras = g_ptr_array_new_with_free_func((GDestroyNotify)camera_config_free);
  return load_text(&source, text, length, error) && read_groups(&source, config, error)
             ? g_steal_pointer(&config)
             : NULL;
}

/* ---- Cameras of a fleet -------------------------------------------------------------------- */

/* Checks that there is nothing but the camera and its looks. */
static gboolean check_camera_groups(const KeySource *source, const char *name, GError **error)
{
  g_autofree char *own = g_strconcat(CAMERA_PREFIX, name, NULL);
  g_auto(GStrv) groups = g_key_file_get_groups(source->file, NULL);
  for (guint i = 0; groups[i]; i++)
    if (strcmp(groups[i], own) && !g_str_has_prefix(groups[i], LOOK_PREFIX))
      return key_fail(source, groups[i], NULL, error, "expected only [%s] and its [look NAME]",
                      own);
  if (g_key_file_has_group(source->file, own))
    return TRUE;
  g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_GROUP_NOT_FOUND,
              "%s: there is no group [%s]", source->path, own);
  return FALSE;
}

static void copy_defaults(GKeyFile *to, const char *text)
{
  g_autoptr(GKeyFile) from = g_key_file_new();
  const char *start = text_after_mark(text);
  g_key_file_load_from_data(from, start, strlen(start), G_KEY_FILE_NONE, NULL);
  g_auto(GStrv) keys = g_key_file_get_keys(from, DEFAULTS, NULL, NULL);
  for (guint i = 0; keys && keys[i]; i++) {
    g_autofree char *value = g_key_file_get_value(from, DEFAULTS, keys[i], NULL);
    g_key_file_set_value(to, DEFAULTS, keys[i], value);
  }
}

CameraConfig *config_parse_camera(const Config *base, const char *name, const char *text,
                                  GError **error)
{
  g_autofree char *what = g_strdup_printf("camera %s of the fleet", name);
  g_autofree char *absolute = g_canonicalize_filename(base ? base->path : "camera", NULL);
  g_autofree char *folder = g_path_get_dirname(absolute);
  g_autoptr(GKeyFile) file = g_key_file_new();
  KeySource source = {
    .path = what, .folder = folder, .file = file, .text = text, .elsewhere = !base
  };
  g_autoptr(GPtrArray) cameras = g_ptr_array_new_with_free_func((GDestroyNotify)camera_config_free);
  Config config = { .cameras = cameras };
  if (base)
    config.fetch = base->fetch;
  if (!load_text(&source, text, strlen(text), error) || !check_camera_groups(&source, name, error))
    return NULL;
  if (base)
    copy_defaults(file, base->text);
  return read_cameras(&source, &config, error) ? g_ptr_array_steal_index(cameras, 0) : NULL;
}

/* Checks that there are cameras, and nothing but them and their looks. */
static gboolean check_only_cameras(const KeySource *source, GError **error)
{
  gboolean any = FALSE;
  g_auto(GStrv) groups = g_key_file_get_groups(source->file, NULL);
  for (guint i = 0; groups[i]; i++) {
    const gboolean camera = g_str_has_prefix(groups[i], CAMERA_PREFIX);
    any = any || camera;
    if (!camera && !g_str_has_prefix(groups[i], LOOK_PREFIX))
      return key_fail(source, groups[i], NULL, error,
                      "expected only [camera NAME] and [look NAME]; the other groups belong in the "
                      "key file of each node");
  }
  if (any)
    return TRUE;
  g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_GROUP_NOT_FOUND,
              "%s: has no cameras (expected a group [camera NAME])", source->path);
  return FALSE;
}

GPtrArray *config_parse_cameras(const char *path, const char *text, gsize length, GError **error)
{
  g_autoptr(GKeyFile) file = g_key_file_new();
  g_autofree char *folder = g_get_current_dir();
  KeySource source = {
    .path = path, .folder = folder, .file = file, .text = text, .elsewhere = TRUE
  };
  g_autoptr(GPtrArray) cameras = g_ptr_array_new_with_free_func((GDestroyNotify)camera_config_free);
  Config config = { .cameras = cameras };
  return load_text(&source, text, length, error) && check_only_cameras(&source, error) &&
                 read_cameras(&source, &config, error) && check_tls_servers(&source, &config, error)
             ? g_steal_pointer(&cameras)
             : NULL;
}

/* Returns: (transfer full) (nullable): why the camera cannot be one of the configuration */
static char *find_conflict(const Config *config, const CameraConfig *camera)
{
  if (find_camera(config, camera->name))
    return g_strdup("this machine has a camera of that name in its key file");
  if (!config_uses_tls(camera))
    return NULL;
  g_autofree char *server = config_tls_server(camera), *policy = config_tls_policy(camera);
  for (guint i = 0; i < config->cameras->len; i++) {
    const CameraConfig *other = config->cameras->pdata[i];
    if (!config_uses_tls(other))
      continue;
    g_autofree char *its_server = config_tls_server(other), *its_policy = config_tls_policy(other);
    if (!strcmp(server, its_server) && strcmp(policy, its_policy))
      return g_strdup_printf("ca-file, certificate-sha256 or insecure differs from camera %s, "
                             "which has the same server",
                             other->name);
  }
  return NULL;
}

Config *config_with_cameras(Config *base, GPtrArray *cameras, GPtrArray *problems)
{
  Config *self = g_new(Config, 1);
  *self = *base;
  g_atomic_ref_count_init(&self->references);
  self->base = config_ref(base);
  self->cameras = g_ptr_array_new();
  for (guint i = 0; i < base->cameras->len; i++)
    g_ptr_array_add(self->cameras, base->cameras->pdata[i]);
  for (guint i = 0; i < cameras->len;) {
    g_autofree char *conflict = find_conflict(self, cameras->pdata[i]);
    if (!conflict)
      g_ptr_array_add(self->cameras, g_ptr_array_steal_index(cameras, i));
    else if (problems)
      g_ptr_array_add(problems,
                      g_strdup_printf("camera %s of the fleet: %s",
                                      ((CameraConfig *)cameras->pdata[i])->name, conflict));
    if (conflict)
      i++;
  }
  return self;
}

/* Frees what @self has beside its base. */
static void free_with_cameras(Config *self)
{
  for (guint i = self->base->cameras->len; i < self->cameras->len; i++)
    camera_config_free(self->cameras->pdata[i]);
  g_ptr_array_unref(self->cameras);
  config_unref(self->base);
  g_free(self);
}

const CameraConfig *config_find_camera(const Config *self, const char *name)
{
  for (guint i = 0; i < self->cameras->len; i++) {
    const CameraConfig *camera = self->cameras->pdata[i];
    if (!strcmp(camera->name, name))
      return camera;
  }
  return NULL;
}

/* ---- References ---------------------------------------------------------------------------- */

Config *config_ref(Config *self)
{
  g_atomic_ref_count_inc(&self->references);
  return self;
}

void config_unref(Config *self)
{
  if (!g_atomic_ref_count_dec(&self->references))
    return;
  if (self->base) {
    free_with_cameras(self);
    return;
  }
  keys_clear(watch_keys(), self);
  keys_clear(log_keys, &self->log);
  keys_clear(mqtt_keys(), &self->mqtt);
  page_config_free(self->page);
  kafka_config_clear(&self->kafka);
  fleet_config_clear(&self->fleet);
  g_ptr_array_unref(self->cameras);
  g_free(self->path);
  g_free(self->checksum);
  g_free(self->text);
  g_free(self);
}

gboolean config_mqtt_equal(const MqttConfig *a, const MqttConfig *b)
{
  g_autofree char *one = keys_fingerprint(mqtt_keys(), a),
                  *other = keys_fingerprint(mqtt_keys(), b);
  return !strcmp(one, other);
}
