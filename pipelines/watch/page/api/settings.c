#include "page/api/settings.h"

#include <string.h>

#include "base/console.h"
#include "config/key-edit.h"
#include "page/live-keys.h"

#define CONFLICT 409

struct _SettingsApi {
  Page *page;
  GHashTable *saved; /* of char *: GROUP/KEY that were written since the file was read */
  char *checksum;    /* (nullable): of the file as it was written last */
  char *read;        /* (nullable): of the file as it was read last */
};

/* What a request is about. */
typedef struct {
  Camera *camera;
  const CameraConfig *config;
  const LookConfig *look; /* the whole frame's, without a name */
  LiveSettings settings;
} Target;

/* Returns: FALSE if there is no such camera or look; the request has been answered */
static gboolean find_target(SettingsApi *self, HttpRequest *request, Target *target)
{
  const PageWatch *watch = page_get_watch(self->page);
  const char *camera = request->parts[0], *look = http_query(request, "look");
  target->camera = watch->find_camera(camera, watch->user_data);
  if (!target->camera) {
    http_answer_error(request, SOUP_STATUS_NOT_FOUND, "there is no camera \"%s\"", camera);
    return FALSE;
  }
  target->config = camera_get_config(target->camera);
  if (!live_table_get(camera_get_live(target->camera), look, &target->settings)) {
    http_answer_error(request, SOUP_STATUS_NOT_FOUND,
                      look ? "camera \"%s\" has no look \"%s\""
                           : "the whole frame of camera \"%s\" is not classified; choose a look",
                      camera, look);
    return FALSE;
  }
  target->look = &target->config->whole;
  for (guint i = 0; look && i < target->config->looks->len; i++) {
    const LookConfig *at = target->config->looks->pdata[i];
    if (!strcmp(at->name, look))
      target->look = at;
  }
  return TRUE;
}

static void answer_settings(HttpRequest *request, const Target *target)
{
  g_autoptr(JsonBuilder) builder = json_builder_new();
  json_builder_begin_object(builder);
  json_builder_set_member_name(builder, "settings");
  live_keys_add(builder, &target->settings);
  json_builder_end_object(builder);
  http_answer_json(request, SOUP_STATUS_OK, builder);
}

static void get_settings(HttpRequest *request, gpointer user_data)
{
  Target target;
  if (find_target(user_data, request, &target))
    answer_settings(request, &target);
}

static void change_settings(HttpRequest *request, gpointer user_data)
{
  g_autoptr(GError) error = NULL;
  Target target;
  if (!find_target(user_data, request, &target))
    return;
  if (!request->body) {
    http_answer_error(request, SOUP_STATUS_BAD_REQUEST, "expected an object of keys and values");
    return;
  }
  if (!live_keys_change(&target.settings, request->body, target.look, &error)) {
    http_answer_error(request, SOUP_STATUS_BAD_REQUEST, "%s", error->message);
    return;
  }
  live_table_set(camera_get_live(target.camera), target.look->name, &target.settings);
  answer_settings(request, &target);
}

/* ---- Saving -------------------------------------------------------------------------------- */

static char *name_group(const Target *target, const LiveKey *key)
{
  return target->look->name && !key->of_camera ? g_strconcat("look ", target->look->name, NULL)
                                               : g_strconcat("camera ", target->config->name, NULL);
}

/* Returns: whether the key must be written: it is not what the file says, or was written before */
static gboolean is_wanted(SettingsApi *self, const Target *target, const LiveKey *key,
                          const char *id)
{
  const LiveSettings loaded = live_settings_of(target->config, target->look);
  g_autofree char *now = live_key_text(key, &target->settings);
  g_autofree char *before = live_key_text(key, &loaded);
  return g_strcmp0(now, before) || g_hash_table_contains(self->saved, id);
}

/* Changes one key of @text.
 * Returns: FALSE with an error */
static gboolean edit_key(SettingsApi *self, const Target *target, const LiveKey *key, char **text,
                         GPtrArray *ids, GError **error)
{
  g_autofree char *group = name_group(target, key);
  g_autofree char *id = g_strconcat(group, "/", key->name, NULL);
  if (!is_wanted(self, target, key, id))
    return TRUE;
  g_autofree char *value = live_key_text(key, &target->settings);
  if (!value && key_edit_has(*text, DEFAULTS, key->name)) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED,
                "%s: [defaults] has a value; remove it there, or choose another one", key->name);
    return FALSE;
  }
  char *edited = key_edit(*text, group, key->name, value);
  if (!edited) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "the key file has no group [%s]", group);
    return FALSE;
  }
  g_free(*text);
  *text = edited;
  g_ptr_array_add(ids, g_steal_pointer(&id));
  return TRUE;
}

/* Returns: (transfer full) (nullable): the text of the key file, if it is as it was read */
static char *read_unchanged(SettingsApi *self, const Config *config, GError **error)
{
  g_autofree char *text = NULL;
  if (!g_file_get_contents(config->path, &text, NULL, error))
    return NULL;
  g_autofree char *checksum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
  if (!strcmp(checksum, config->checksum) || !g_strcmp0(checksum, self->checksum))
    return g_steal_pointer(&text);
  g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED,
              "%s was changed after it was read; reload it first (systemctl reload vitgate-watch, "
              "or SIGHUP)",
              config->path);
  return NULL;
}

/* Writes the file, once it was read as a check. */
static gboolean write_text(const Config *config, const char *text, GError **error)
{
  g_autoptr(Config) check = config_parse(config->path, text, strlen(text), error);
  return check && key_edit_write(config->path, text, error);
}

static gboolean save(SettingsApi *self, const Target *target, GError **error)
{
  const PageWatch *watch = page_get_watch(self->page);
  const Config *config = watch->get_config(watch->user_data);
  g_autoptr(GPtrArray) ids = g_ptr_array_new();
  if (target->config->claim) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                "camera \"%s\" is a fleet's, so it is not in the key file; change it with "
                "vitgate-watch --fleet put",
                target->config->name);
    return FALSE;
  }
  g_autofree char *text = read_unchanged(self, config, error);
  gboolean good = text != NULL;
  for (const LiveKey *key = live_keys; good && key->name; key++)
    good = edit_key(self, target, key, &text, ids, error);
  good = good && write_text(config, text, error);
  for (guint i = 0; i < ids->len; i++) {
    if (good)
      g_hash_table_add(self->saved, ids->pdata[i]);
    else
      g_free(ids->pdata[i]);
  }
  if (!good)
    return FALSE;
  g_free(self->checksum);
  self->checksum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
  console_print("page: settings of camera %s%s%s were written to %s", target->config->name,
                target->look->name ? ", look " : "", target->look->name ? target->look->name : "",
                config->path);
  return TRUE;
}

static void save_settings(HttpRequest *request, gpointer user_data)
{
  g_autoptr(GError) error = NULL;
  Target target;
  if (!find_target(user_data, request, &target))
    return;
  if (save(user_data, &target, &error))
    http_answer_nothing(request);
  else
    http_answer_error(request, CONFLICT, "%s", error->message);
}

/* What was written is what was read now, unless only the cameras of a fleet have changed. */
static void on_reload(gpointer user_data)
{
  SettingsApi *self = user_data;
  const PageWatch *watch = page_get_watch(self->page);
  const char *read = watch->get_config(watch->user_data)->checksum;
  if (!g_strcmp0(self->read, read))
    return;
  g_free(self->read);
  self->read = g_strdup(read);
  g_hash_table_remove_all(self->saved);
  g_clear_pointer(&self->checksum, g_free);
}

SettingsApi *settings_api_new(Page *page)
{
  SettingsApi *self = g_new0(SettingsApi, 1);
  const PageListener listener = { .cameras_changed = on_reload, .user_data = self };
  HttpServer *server = page_get_server(page);
  self->page = page;
  self->saved = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  page_listen(page, &listener);
  const PageWatch *watch = page_get_watch(page);
  self->read = g_strdup(watch->get_config(watch->user_data)->checksum);
  http_server_add(server, "GET", "/api/v1/cameras/*/settings", get_settings, self);
  http_server_add(server, "PATCH", "/api/v1/cameras/*/settings", change_settings, self);
  http_server_add(server, "POST", "/api/v1/cameras/*/settings/save", save_settings, self);
  return self;
}

void settings_api_free(SettingsApi **api)
{
  SettingsApi *self = *api;
  *api = NULL;
  if (!self)
    return;
  page_unlisten(self->page, self);
  g_hash_table_unref(self->saved);
  g_free(self->checksum);
  g_free(self->read);
  g_free(self);
}
