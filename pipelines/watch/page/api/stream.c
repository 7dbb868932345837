#include "page/api/stream.h"

#include <string.h>

#include "camera/status-json.h"

/* Between two sends, so that many cameras and frames cost no more than a few, µs. */
#define MIN_INTERVAL (40 * G_TIME_SPAN_MILLISECOND)
/* Between checks for what nobody reports, such as skipped frames, ms. */
#define CHECK_INTERVAL 500

/* A camera's state as it was sent last. */
typedef struct {
  char *key;
  guint64 version;
} Sent;

struct _StreamApi {
  Page *page;
  GHashTable *sent; /* of char *, names, to Sent */
  guint64 version;  /* of the newest state of any camera */
  guint timer;      /* while someone listens */

  GSource *news;  /* due when there is something to send */
  gint listening; /* atomic: someone listens, and @news may be set */
  gint due;       /* atomic: @news is set */
  gint64 next;    /* monotonic time when it may be sent, µs */
};

static void free_sent(gpointer data)
{
  Sent *sent = data;
  g_free(sent->key);
  g_free(sent);
}

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

/* ---- Versions ------------------------------------------------------------------------------ */

/* Gives the camera a new version if it has changed. */
static void note_change(StreamApi *self, const StatusCamera *camera)
{
  g_autofree char *key = make_key(camera);
  Sent *sent = g_hash_table_lookup(self->sent, camera->name);
  if (sent && !strcmp(sent->key, key))
    return;
  sent = g_new(Sent, 1);
  *sent = (Sent){ g_steal_pointer(&key), ++self->version };
  g_hash_table_replace(self->sent, g_strdup(camera->name), sent);
}

typedef struct {
  StreamApi *api;
  const Status *status;
} Changes;

/* A HttpEventsMake. */
static JsonBuilder *make_changes(guint64 seen, gpointer user_data)
{
  const Changes *changes = user_data;
  const GArray *cameras = changes->status->cameras;
  JsonBuilder *builder = json_builder_new();
  json_builder_begin_object(builder);
  json_builder_set_member_name(builder, "cameras");
  json_builder_begin_array(builder);
  for (guint i = 0; i < cameras->len; i++) {
    const StatusCamera *camera = &g_array_index(cameras, StatusCamera, i);
    const Sent *sent = g_hash_table_lookup(changes->api->sent, camera->name);
    if (sent->version > seen)
      status_add_camera(builder, camera);
  }
  json_builder_end_array(builder);
  json_builder_end_object(builder);
  return builder;
}

/* ---- Sending ------------------------------------------------------------------------------- */

/* Called by any thread. */
static void on_status_changed(gpointer user_data)
{
  StreamApi *self = user_data;
  if (g_atomic_int_get(&self->listening) &&
      g_atomic_int_compare_and_exchange(&self->due, FALSE, TRUE))
    g_source_set_ready_time(self->news, 0);
}

static void send_cameras(StreamApi *self)
{
  const PageWatch *watch = page_get_watch(self->page);
  Status status;
  watch->get_status(&status, watch->user_data);
  for (guint i = 0; i < status.cameras->len; i++)
    note_change(self, &g_array_index(status.cameras, StatusCamera, i));
  Changes changes = { self, &status };
  const gboolean all = http_events_update(page_get_events(self->page), "cameras", self->version,
                                          make_changes, &changes);
  status_clear(&status);
  self->next = g_get_monotonic_time() + MIN_INTERVAL;
  if (!all) /* perhaps an event is on its way to a client */
    on_status_changed(self);
}

static gboolean on_due(gpointer user_data)
{
  StreamApi *self = user_data;
  const gboolean early = g_get_monotonic_time() < self->next;
  g_source_set_ready_time(self->news, early ? self->next : -1);
  if (early)
    return G_SOURCE_CONTINUE;
  g_atomic_int_set(&self->due, FALSE);
  send_cameras(self);
  return G_SOURCE_CONTINUE;
}

static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer user_data)
{
  return callback(user_data);
}

static GSource *make_source(StreamApi *self)
{
  static GSourceFuncs funcs = { .dispatch = dispatch };
  GSource *source = g_source_new(&funcs, sizeof *source);
  g_source_set_callback(source, on_due, self, NULL);
  g_source_attach(source, NULL);
  return source;
}

/* Runs only while someone listens. */
static gboolean tick(gpointer user_data)
{
  StreamApi *self = user_data;
  if (http_events_wanted(page_get_events(self->page))) {
    send_cameras(self);
    return G_SOURCE_CONTINUE;
  }
  g_atomic_int_set(&self->listening, FALSE);
  self->timer = 0;
  return G_SOURCE_REMOVE;
}

static void open_stream(HttpRequest *request, gpointer user_data)
{
  StreamApi *self = user_data;
  http_events_add(page_get_events(self->page), request);
  send_cameras(self);
  g_atomic_int_set(&self->listening, TRUE);
  if (!self->timer)
    self->timer = g_timeout_add(CHECK_INTERVAL, tick, self);
}

static void on_reload(gpointer user_data)
{
  StreamApi *self = user_data;
  g_autoptr(JsonBuilder) builder = json_builder_new();
  json_builder_begin_object(builder);
  json_builder_end_object(builder);
  page_publish(self->page, "reload", builder);
  g_hash_table_remove_all(self->sent); /* all are sent again */
}

StreamApi *stream_api_new(Page *page)
{
  StreamApi *self = g_new0(StreamApi, 1);
  const PageListener listener = { .status_changed = on_status_changed,
                                  .cameras_changed = on_reload,
                                  .user_data = self };
  self->page = page;
  self->sent = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_sent);
  self->version = 1; /* of a page without a camera */
  self->news = make_source(self);
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
  g_source_destroy(self->news);
  g_source_unref(self->news);
  g_clear_handle_id(&self->timer, g_source_remove);
  g_hash_table_unref(self->sent);
  g_free(self);
}
