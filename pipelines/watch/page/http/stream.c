#include "page/http/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "page/http/connections.h"
#include "page/http/headers.h"

#define CHECK_INTERVAL 2  /* seconds, between checks whether the client is still there */
#define MAX_STALL      20 /* seconds without progress */

/* Bytes that the kernel may hold for a client before it has to wait. By default there may be
 * megabytes: old pictures, or minutes of events for a client that never reads. */
#define MAX_UNSENT 16384

struct _HttpStream {
  GIOStream *stream;
  GSocket *socket; /* (nullable): to see whether the client has gone */
  GCancellable *cancellable;
  GDestroyNotify on_close;
  gpointer user_data;
  GByteArray *waiting;
  GBytes *sending; /* (nullable) */
  gint64 progress; /* monotonic time of the last one */
  guint check_timer, close_source;
};

static guint n_streams;

guint http_stream_count(void)
{
  return n_streams;
}

static void free_stream(HttpStream *self)
{
  n_streams--;
  g_io_stream_close(self->stream, NULL, NULL);
  g_object_unref(self->stream);
  g_clear_object(&self->socket);
  g_object_unref(self->cancellable);
  g_byte_array_unref(self->waiting);
  g_free(self);
}

static gboolean report_close(gpointer user_data)
{
  HttpStream *self = user_data;
  self->close_source = 0;
  if (self->on_close)
    self->on_close(self->user_data);
  if (!self->sending)
    free_stream(self);
  return G_SOURCE_REMOVE;
}

static gboolean is_closed(const HttpStream *self)
{
  return g_cancellable_is_cancelled(self->cancellable);
}

void http_stream_close(HttpStream *self)
{
  if (is_closed(self))
    return;
  g_clear_handle_id(&self->check_timer, g_source_remove);
  g_cancellable_cancel(self->cancellable);
  /* Not at once: the caller may be in the middle of a list of streams. */
  self->close_source = g_idle_add(report_close, self);
}

static void send_more(HttpStream *self);

static void on_sent(GObject *source, GAsyncResult *result, gpointer user_data)
{
  HttpStream *self = user_data;
  const gboolean good =
      g_output_stream_write_all_finish(G_OUTPUT_STREAM(source), result, NULL, NULL);
  g_clear_pointer(&self->sending, g_bytes_unref);
  self->progress = g_get_monotonic_time();
  if (is_closed(self)) {
    if (!self->close_source)
      free_stream(self);
  } else if (good) {
    send_more(self);
  } else {
    http_stream_close(self);
  }
}

static void send_more(HttpStream *self)
{
  if (self->sending || self->waiting->len == 0)
    return;
  self->sending = g_byte_array_free_to_bytes(self->waiting);
  self->waiting = g_byte_array_new();
  self->progress = g_get_monotonic_time();
  gsize size;
  const void *data = g_bytes_get_data(self->sending, &size);
  g_output_stream_write_all_async(g_io_stream_get_output_stream(self->stream), data, size,
                                  G_PRIORITY_DEFAULT, self->cancellable, on_sent, self);
}

gboolean http_stream_is_ready(const HttpStream *self)
{
  return !self->sending && self->waiting->len == 0 && !is_closed(self);
}

gboolean http_stream_write(HttpStream *self, GBytes *bytes)
{
  if (!http_stream_is_ready(self))
    return FALSE;
  http_stream_queue(self, bytes);
  return TRUE;
}

void http_stream_queue(HttpStream *self, GBytes *bytes)
{
  gsize size;
  const void *data = g_bytes_get_data(bytes, &size);
  if (is_closed(self))
    return;
  if (self->waiting->len > HTTP_STREAM_BUFFER) {
    http_stream_close(self);
    return;
  }
  g_byte_array_append(self->waiting, data, (guint)size);
  send_more(self);
}

/* A client that has closed its side, or sends what nobody reads, is not interested any more. */
static gboolean has_gone(const HttpStream *self)
{
  char byte;
  if (!self->socket)
    return FALSE;
  const gssize n =
      recv(g_socket_get_fd(self->socket), &byte, 1, MSG_PEEK | MSG_DONTWAIT | MSG_NOSIGNAL);
  return n >= 0 || (errno != EAGAIN && errno != EINTR);
}

static gboolean check_client(gpointer user_data)
{
  HttpStream *self = user_data;
  const gint64 silent = g_get_monotonic_time() - self->progress;
  const gint64 patience = connections_get_patience(MAX_STALL) * G_USEC_PER_SEC;
  if (!has_gone(self) && !(self->sending && silent > patience))
    return G_SOURCE_CONTINUE;
  self->check_timer = 0;
  http_stream_close(self);
  return G_SOURCE_REMOVE;
}

HttpStream *http_stream_new(HttpRequest *request, const char *type, GDestroyNotify on_close,
                            gpointer user_data)
{
  if (n_streams >= HTTP_MAX_STREAMS) {
    http_set_header(request->message, "Retry-After", "10");
    http_answer_error(request, SOUP_STATUS_SERVICE_UNAVAILABLE, "too many streams are open");
    return NULL;
  }
  g_autofree char *head = headers_of_stream(type);
  g_autoptr(GSocket) socket = connections_leave(request->message);
  GIOStream *stream =
      http_is_gone(request) ? NULL : soup_server_message_steal_connection(request->message);
  http_request_answered(request);
  if (!stream)
    return NULL;
  HttpStream *self = g_new0(HttpStream, 1);
  n_streams++;
  self->stream = stream;
  self->socket = g_steal_pointer(&socket);
  if (self->socket)
    g_socket_set_option(self->socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, MAX_UNSENT, NULL);
  self->cancellable = g_cancellable_new();
  self->on_close = on_close;
  self->user_data = user_data;
  self->waiting = g_byte_array_new();
  self->check_timer = g_timeout_add_seconds(CHECK_INTERVAL, check_client, self);
  g_byte_array_append(self->waiting, (const guint8 *)head, (guint)strlen(head));
  send_more(self);
  return self;
}
