#include "page/api/events.h"

#include <string.h>

#include "base/members.h"
#include "page/event-id.h"
#include "page/event-log.h"
#include "page/own-log.h"

#define DEFAULT_LIMIT 50
#define MAX_LIMIT     500
#define OWN_LOG       "events.jsonl" /* in the page's folder */
#define SIZE_INTERVAL 2              /* seconds between looks at the size of all snapshots */

/* Snapshots never change. */
#define CACHE "private, max-age=604800, immutable"

struct _EventsApi {
  gatomicrefcount references; /* of those who answer later, too */
  gint closed;                /* atomic: the page is gone; only events_api_unref() may be called */
  Page *page;
  Frames *frames;
  Snapshots *snapshots;
  OwnLog *own_log;
  gint use_own_log; /* atomic: the key file has no log */
  guint size_timer;
};

static EventsApi *events_api_ref(EventsApi *self)
{
  g_atomic_ref_count_inc(&self->references);
  return self;
}

static void events_api_unref(EventsApi *self)
{
  if (g_atomic_ref_count_dec(&self->references))
    g_free(self);
}

/* ---- New events ---------------------------------------------------------------------------- */

/* Adds the object of an event.
 * @event: of its line */
static void add_event(EventsApi *self, JsonBuilder *builder, const char *id, JsonObject *event)
{
  JsonObjectIter iterator;
  const char *name;
  JsonNode *value;
  json_builder_begin_object(builder);
  member_add_string(builder, "id", id);
  json_object_iter_init_ordered(&iterator, event);
  while (json_object_iter_next_ordered(&iterator, &name, &value)) {
    json_builder_set_member_name(builder, name);
    json_builder_add_value(builder, json_node_copy(value));
  }
  json_builder_set_member_name(builder, "snapshot");
  json_builder_add_boolean_value(builder, snapshots_has(self->snapshots, id));
  json_builder_end_object(builder);
}

/* An event on its way from a camera's thread to the browsers. */
typedef struct {
  EventsApi *api;
  char *id;
  JsonNode *event;
} News;

static void free_news(gpointer data)
{
  News *news = data;
  events_api_unref(news->api);
  json_node_unref(news->event);
  g_free(news->id);
  g_free(news);
}

static gboolean publish(gpointer user_data)
{
  News *news = user_data;
  if (g_atomic_int_get(&news->api->closed))
    return G_SOURCE_REMOVE;
  g_autoptr(JsonBuilder) builder = json_builder_new();
  add_event(news->api, builder, news->id, json_node_get_object(news->event));
  page_publish(news->api->page, "event", builder);
  return G_SOURCE_REMOVE;
}

/* What a snapshot carries in itself: the event, and the part of the frame that it is about.
 * Returns: (transfer full) */
static char *describe(EventsApi *self, const char *camera, JsonNode *event)
{
  const char *look = member_get_string(json_node_get_object(event), "look");
  g_autofree char *region = look ? frames_get_region(self->frames, camera, look) : NULL;
  g_autoptr(JsonBuilder) builder = json_builder_new();
  json_builder_begin_object(builder);
  json_builder_set_member_name(builder, "event");
  json_builder_add_value(builder, json_node_copy(event));
  member_add_string(builder, "region", region);
  json_builder_end_object(builder);
  return member_to_line(builder);
}

/* The frame is taken now, while it is the one that the event is about. */
static void take_snapshot(EventsApi *self, const char *camera, const char *id, JsonNode *event)
{
  const char *kind = member_get_string(json_node_get_object(event), "event");
  if (g_strcmp0(kind, "appeared") && g_strcmp0(kind, "state"))
    return;
  g_autoptr(GstSample) frame = frames_get(self->frames, camera);
  g_autofree char *comment = frame ? describe(self, camera, event) : NULL;
  if (frame)
    snapshots_take(self->snapshots, id, camera, frame, comment);
}

/* Called by a camera's thread. */
static void on_event(const char *camera, const char *line, gsize length, gpointer user_data)
{
  EventsApi *self = user_data;
  const gsize text_length = length && line[length - 1] == '\n' ? length - 1 : length;
  g_autoptr(JsonParser) parser = json_parser_new_immutable();
  char *id = event_id_new(line, text_length);
  JsonNode *event = id && json_parser_load_from_data(parser, line, (gssize)text_length, NULL)
                        ? json_parser_get_root(parser)
                        : NULL;
  if (!event || !JSON_NODE_HOLDS_OBJECT(event)) {
    g_free(id);
    return;
  }
  take_snapshot(self, camera, id, event);
  if (g_atomic_int_get(&self->use_own_log))
    own_log_write(self->own_log, line, length);
  News *news = g_new0(News, 1);
  news->api = events_api_ref(self);
  news->id = id;
  news->event = json_node_ref(event);
  g_idle_add_full(G_PRIORITY_DEFAULT, publish, news, free_news);
}

/* ---- The list ------------------------------------------------------------------------------ */

typedef struct {
  EventsApi *api;
  HttpRequest *request; /* NULL: answered */
  char *path, *before;
  char *camera, *look, *label, *event;
  EventFilter filter;
  guint limit;
} Query;

static void free_query(gpointer data)
{
  Query *query = data;
  events_api_unref(query->api);
  g_free(query->path);
  g_free(query->before);
  g_free(query->camera);
  g_free(query->look);
  g_free(query->label);
  g_free(query->event);
  g_free(query);
}

/* Returns: (transfer full): the path of the events */
static char *find_log(EventsApi *self)
{
  const PageWatch *watch = page_get_watch(self->page);
  const char *path = watch->get_config(watch->user_data)->log.events_file;
  return path ? g_strdup(path) : g_build_filename(page_get_folder(self->page), OWN_LOG, NULL);
}

static void answer_page(Query *query, const EventPage *page)
{
  g_autoptr(JsonBuilder) builder = json_builder_new();
  json_builder_begin_object(builder);
  json_builder_set_member_name(builder, "events");
  json_builder_begin_array(builder);
  for (guint i = 0; i < page->events->len; i++) {
    const EventRecord *record = page->events->pdata[i];
    add_event(query->api, builder, record->id, json_node_get_object(record->event));
  }
  json_builder_end_array(builder);
  member_add_string(builder, "next", page->next);
  json_builder_end_object(builder);
  http_answer_json(query->request, SOUP_STATUS_OK, builder);
}

static guint status_of(const GError *error)
{
  if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT))
    return SOUP_STATUS_BAD_REQUEST;
  return g_error_matches(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND)
             ? SOUP_STATUS_NOT_FOUND
             : SOUP_STATUS_INTERNAL_SERVER_ERROR;
}

static void on_page(GObject *source, GAsyncResult *result, gpointer user_data)
{
  Query *query = g_task_get_task_data(G_TASK(result));
  g_autoptr(GError) error = NULL;
  g_autoptr(EventPage) page = g_task_propagate_pointer(G_TASK(result), &error);
  if (g_atomic_int_get(&query->api->closed))
    http_answer_error(query->request, SOUP_STATUS_SERVICE_UNAVAILABLE, "the page has ended");
  else if (page)
    answer_page(query, page);
  else
    http_answer_error(query->request, status_of(error), "%s", error->message);
}

static void run_query(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  const Query *query = data;
  GError *error = NULL;
  EventPage *page =
      event_log_read(query->path, query->before, query->limit, &query->filter, &error);
  if (page)
    g_task_return_pointer(task, page, (GDestroyNotify)event_page_free);
  else
    g_task_return_error(task, error);
}

/* Reads a time of the query.
 * @time: (inout): stays as it is if the query does not have it
 * Returns: FALSE if it is no time; the request has been answered */
static gboolean query_time(HttpRequest *request, const char *name, gint64 *time)
{
  const char *text = http_query(request, name);
  if (!text || !*text)
    return TRUE;
  g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
  g_autoptr(GDateTime) date = g_date_time_new_from_iso8601(text, utc);
  if (!date) {
    http_answer_error(request, SOUP_STATUS_BAD_REQUEST,
                      "%s: expected a time such as 2026-11-28T14:03:12Z", name);
    return FALSE;
  }
  *time = g_date_time_to_unix(date) * G_USEC_PER_SEC + g_date_time_get_microsecond(date);
  return TRUE;
}

/* Returns: (transfer full) (nullable): NULL: the query does not have it, or it is empty */
static char *query_text(HttpRequest *request, const char *name)
{
  const char *text = http_query(request, name);
  return text && *text ? g_strdup(text) : NULL;
}

static void list_events(HttpRequest *request, gpointer user_data)
{
  EventsApi *self = user_data;
  guint64 limit = DEFAULT_LIMIT;
  gint64 since = 0, until = 0;
  if (!http_query_number(request, "limit", 1, MAX_LIMIT, &limit) ||
      !query_time(request, "since", &since) || !query_time(request, "until", &until))
    return;
  Query *query = g_new0(Query, 1);
  query->api = events_api_ref(self);
  query->limit = (guint)limit;
  query->path = find_log(self);
  query->before = query_text(request, "before");
  query->camera = query_text(request, "camera");
  query->look = query_text(request, "look");
  query->label = query_text(request, "label");
  query->event = query_text(request, "event");
  query->filter = (EventFilter){ .camera = query->camera,
                                 .look = query->look,
                                 .label = query->label,
                                 .event = query->event,
                                 .since = since,
                                 .until = until };
  query->request = http_pause(request);
  g_autoptr(GTask) task = g_task_new(NULL, NULL, on_page, NULL);
  g_task_set_task_data(task, query, free_query);
  g_task_run_in_thread(task, run_query);
}

/* ---- Snapshots ----------------------------------------------------------------------------- */

static void on_snapshot(GObject *source, GAsyncResult *result, gpointer user_data)
{
  HttpRequest *request = user_data;
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) jpeg = snapshots_load_finish(result, &error);
  if (!jpeg) {
    http_answer_error(request, SOUP_STATUS_NOT_FOUND, "%s", error->message);
    return;
  }
  http_set_header(request->message, "Cache-Control", CACHE);
  http_answer_bytes(request, "image/jpeg", jpeg);
}

static void send_snapshot(HttpRequest *request, gpointer user_data)
{
  EventsApi *self = user_data;
  g_autofree char *id = g_strdup(request->parts[0]);
  snapshots_load(self->snapshots, id, on_snapshot, http_pause(request));
}

/* -------------------------------------------------------------------------------------------- */

static gboolean tell_size(gpointer user_data)
{
  EventsApi *self = user_data;
  SnapshotsStatus status;
  snapshots_get_status(self->snapshots, &status);
  page_set_snapshots_size(self->page, status.bytes);
  return G_SOURCE_CONTINUE;
}

static void on_cameras_changed(gpointer user_data)
{
  EventsApi *self = user_data;
  const PageWatch *watch = page_get_watch(self->page);
  const Config *config = watch->get_config(watch->user_data);
  g_atomic_int_set(&self->use_own_log, config->log.events_file == NULL);
  frames_update(self->frames, watch);
}

EventsApi *events_api_new(Page *page, Frames *frames, Snapshots *snapshots)
{
  EventsApi *self = g_new0(EventsApi, 1);
  HttpServer *server = page_get_server(page);
  g_autofree char *own = g_build_filename(page_get_folder(page), OWN_LOG, NULL);
  g_atomic_ref_count_init(&self->references);
  self->page = page;
  self->frames = frames;
  self->snapshots = snapshots;
  self->own_log = own_log_new(own);
  on_cameras_changed(self);
  tell_size(self);
  self->size_timer = g_timeout_add_seconds(SIZE_INTERVAL, tell_size, self);
  page_listen(page, &(PageListener){ .event = on_event,
                                     .cameras_changed = on_cameras_changed,
                                     .user_data = self });
  http_server_add(server, "GET", "/api/v1/events", list_events, self);
  http_server_add(server, "GET", "/api/v1/events/*/snapshot", send_snapshot, self);
  return self;
}

void events_api_free(EventsApi **api)
{
  EventsApi *self = *api;
  *api = NULL;
  if (!self)
    return;
  page_unlisten(self->page, self);
  g_source_remove(self->size_timer);
  g_atomic_int_set(&self->closed, TRUE);
  own_log_free(&self->own_log);
  events_api_unref(self);
}
