#include "page/http/events.h"

#include <string.h>

#include "base/members.h"

#define PING_INTERVAL 15 /* seconds */

struct _HttpEvents {
  GPtrArray *listeners; /* of Listener */
  guint ping_timer;
};

typedef struct {
  HttpEvents *owner; /* NULL: freed */
  HttpStream *stream;
  guint64 seen; /* version that http_events_update() has sent; 0: none */
} Listener;

static void on_close(gpointer user_data)
{
  Listener *listener = user_data;
  if (listener->owner)
    g_ptr_array_remove(listener->owner->listeners, listener);
  g_free(listener);
}

static void send_text(HttpEvents *self, GBytes *text)
{
  for (guint i = 0; i < self->listeners->len; i++)
    http_stream_queue(((Listener *)self->listeners->pdata[i])->stream, text);
}

/* Proxies between may close a connection that is silent. */
static gboolean ping(gpointer user_data)
{
  g_autoptr(GBytes) text = g_bytes_new_static(":\n\n", 3);
  send_text(user_data, text);
  return G_SOURCE_CONTINUE;
}

HttpEvents *http_events_new(void)
{
  HttpEvents *self = g_new0(HttpEvents, 1);
  self->listeners = g_ptr_array_new();
  self->ping_timer = g_timeout_add_seconds(PING_INTERVAL, ping, self);
  return self;
}

void http_events_free(HttpEvents **events)
{
  HttpEvents *self = *events;
  *events = NULL;
  if (!self)
    return;
  for (guint i = 0; i < self->listeners->len; i++) {
    Listener *listener = self->listeners->pdata[i];
    listener->owner = NULL;
    http_stream_close(listener->stream);
  }
  g_source_remove(self->ping_timer);
  g_ptr_array_unref(self->listeners);
  g_free(self);
}

void http_events_add(HttpEvents *self, HttpRequest *request)
{
  Listener *listener = g_new0(Listener, 1);
  listener->owner = self;
  listener->stream = http_stream_new(request, "text/event-stream", on_close, listener);
  if (!listener->stream) {
    g_free(listener);
    return;
  }
  g_ptr_array_add(self->listeners, listener);
}

gboolean http_events_wanted(const HttpEvents *self)
{
  return self->listeners->len > 0;
}

/* Returns: (transfer full) */
static GBytes *make_text(const char *event, JsonBuilder *data)
{
  g_autofree char *line = member_to_line(data);
  char *text = g_strdup_printf("event: %s\ndata: %s\n\n", event, line);
  return g_bytes_new_take(text, strlen(text));
}

gboolean http_events_update(HttpEvents *self, const char *event, guint64 version,
                            HttpEventsMake make, gpointer user_data)
{
  gboolean all = TRUE;
  g_autoptr(GBytes) text = NULL;
  guint64 seen = 0; /* of who gets @text */
  for (guint i = 0; i < self->listeners->len; i++) {
    Listener *listener = self->listeners->pdata[i];
    const gboolean ready = !listener->seen || http_stream_is_ready(listener->stream);
    all = all && (listener->seen == version || ready);
    if (listener->seen == version || !ready)
      continue;
    if (!text || seen != listener->seen) {
      g_autoptr(JsonBuilder) data = make(listener->seen, user_data);
      g_clear_pointer(&text, g_bytes_unref);
      text = make_text(event, data);
      seen = listener->seen;
    }
    http_stream_queue(listener->stream, text);
    listener->seen = version;
  }
  return all;
}

void http_events_send(HttpEvents *self, const char *event, JsonBuilder *data)
{
  if (!http_events_wanted(self))
    return;
  g_autoptr(GBytes) text = make_text(event, data);
  send_text(self, text);
}
