#include "page/api/stream.h"

#include "camera/status-json.h"

#define INTERVAL 200 /* ms */

struct _StreamApi {
  Page *page;
  GHashTable *sent; /* of char * to char *: what each camera's state was when it was sent last */
  guint timer;
};

static void add_look_key(GString *key, const LookStatus *look)
{
  g_string_append_printf(key, "\n%s", look->state ? look->state : "");
}

/* Returns: (transfer full): a text that differs if anything but the age of the frame does */
static char *make_key(const StatusCamera *entry)
{
  const CameraStatus *camera = &entry->camera;
  GString *key = g_string_new(NULL);
  g_string_append_printf(
      key, "%d %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %u %u %" G_GINT64_FORMAT " %.2f %s",
      camera->state, camera->frames, camera->skipped, camera->connects, camera->attempts,
      camera->since, entry->frame_rate, camera->error ? camera->error : "");
  add_look_key(key, &camera->whole);
  for (guint i = 0; i < camera->looks->len; i++)
    add_look_key(key, &g_array_index(camera->looks, LookStatus, i));
  return g_string_free(key, FALSE);
}

/* Returns: whether the camera has changed since it was sent */
static gboolean note_change(StreamApi *self, const StatusCamera *camera)
{
  g_autofree char *key = make_key(camera);
  if (!g_strcmp0(key, g_hash_table_lookup(self->sent, camera->name)))
    return FALSE;
  g_hash_table_replace(self->sent, g_strdup(camera->name), g_steal_pointer(&key));
  return TRUE;
}

static void send_cameras(StreamApi *self, gboolean all)
{
  const PageWatch *watch = page_get_watch(self->page);
  g_autoptr(JsonBuilder) builder = json_builder_new();
  gboolean any = all;
  Status status;
  watch->get_status(&status, watch->user_data);
  json_builder_begin_object(builder);
  json_builder_set_member_name(builder, "cameras");
  json_builder_begin_array(builder);
  for (guint i = 0; i < status.cameras->len; i++) {
    const StatusCamera *camera = &g_array_index(status.cameras, StatusCamera, i);
    if (!note_change(self, camera) && !all)
      continue;
    status_add_camera(builder, camera);
    any = TRUE;
  }
  json_builder_end_array(builder);
  json_builder_end_object(builder);
  status_clear(&status);
  if (any)
    page_publish(self->page, "cameras", builder);
}

/* Runs only while someone listens. */
static gboolean tick(gpointer user_data)
{
  StreamApi *self = user_data;
  HttpEvents *events = page_get_events(self->page);
  if (http_events_wanted(events)) {
    send_cameras(self, http_events_take_new(events));
    return G_SOURCE_CONTINUE;
  }
  self->timer = 0;
  return G_SOURCE_REMOVE;
}

static void open_stream(HttpRequest *request, gpointer user_data)
{
  StreamApi *self = user_data;
  HttpEvents *events = page_get_events(self->page);
  http_events_add(events, request);
  if (http_events_take_new(events))
    send_cameras(self, TRUE);
  if (!self->timer)
    self->timer = g_timeout_add(INTERVAL, tick, self);
}

static void on_reload(gpointer user_data)
{
  StreamApi *self = user_data;
  g_autoptr(JsonBuilder) builder = json_builder_new();
  json_builder_begin_object(builder);
  json_builder_end_object(builder);
  page_publish(self->page, "reload", builder);
  g_hash_table_remove_all(self->sent);
}

StreamApi *stream_api_new(Page *page)
{
  StreamApi *self = g_new0(StreamApi, 1);
  const PageListener listener = { .cameras_changed = on_reload, .user_data = self };
  self->page = page;
  self->sent = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  page_listen(page, &listener);
  http_server_add(page_get_server(page), "GET", "/api/v1/stream", open_stream, self);
  return self;
}

void stream_api_free(StreamApi **api)
{
  StreamApi *self = *api;
  *api = NULL;
  if (!self)
    return;
  page_unlisten(self->page, self);
  g_clear_handle_id(&self->timer, g_source_remove);
  g_hash_table_unref(self->sent);
  g_free(self);
}
