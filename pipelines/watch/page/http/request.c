#include "page/http/request.h"

#include <string.h>

#include "base/members.h"

typedef struct {
  HttpRequest request; /* first, so that both have the same address */
  gboolean paused;     /* the handler has returned, or will without an answer */
  gboolean answered;
  gboolean in_handler;
  gboolean gone; /* the client */
} Pending;

static void on_end(SoupServerMessage *message, gpointer user_data)
{
  ((Pending *)user_data)->gone = TRUE;
}

HttpRequest *http_request_new(SoupServerMessage *message, char **parts, GHashTable *query,
                              JsonObject *body)
{
  Pending *self = g_new0(Pending, 1);
  self->request = (HttpRequest){ g_object_ref(message), parts, query, body };
  self->in_handler = TRUE;
  g_signal_connect(message, "finished", G_CALLBACK(on_end), self);
  g_signal_connect(message, "disconnected", G_CALLBACK(on_end), self);
  return &self->request;
}

static void free_request(Pending *self)
{
  g_signal_handlers_disconnect_by_data(self->request.message, self);
  g_strfreev(self->request.parts);
  g_clear_pointer(&self->request.query, g_hash_table_unref);
  g_clear_pointer(&self->request.body, json_object_unref);
  g_object_unref(self->request.message);
  g_free(self);
}

void http_request_answered(HttpRequest *request)
{
  Pending *self = (Pending *)request;
  self->answered = TRUE;
  if (self->in_handler)
    return;
  if (!self->gone)
    soup_server_message_unpause(request->message);
  free_request(self);
}

void http_request_handled(HttpRequest *request)
{
  Pending *self = (Pending *)request;
  self->in_handler = FALSE;
  if (!self->answered && self->paused)
    return;
  if (!self->answered)
    http_set_error(request->message, SOUP_STATUS_INTERNAL_SERVER_ERROR, "no answer");
  if (self->paused && !self->gone)
    soup_server_message_unpause(request->message);
  free_request(self);
}

HttpRequest *http_pause(HttpRequest *request)
{
  Pending *self = (Pending *)request;
  if (!self->paused)
    soup_server_message_pause(request->message);
  self->paused = TRUE;
  return request;
}

gboolean http_is_gone(const HttpRequest *request)
{
  return ((const Pending *)request)->gone;
}

/* ---- Query --------------------------------------------------------------------------------- */

const char *http_query(const HttpRequest *request, const char *name)
{
  return request->query ? g_hash_table_lookup(request->query, name) : NULL;
}

gboolean http_query_number(HttpRequest *request, const char *name, guint64 min, guint64 max,
                           guint64 *value)
{
  const char *text = http_query(request, name);
  if (!text || g_ascii_string_to_unsigned(text, 10, min, max, value, NULL))
    return TRUE;
  http_answer_error(request, SOUP_STATUS_BAD_REQUEST,
                    "%s: expected a whole number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
                    name, min, max);
  return FALSE;
}

/* ---- Answers ------------------------------------------------------------------------------- */

void http_set_header(SoupServerMessage *message, const char *name, const char *value)
{
  soup_message_headers_replace(soup_server_message_get_response_headers(message), name, value);
}

static void set_json(SoupServerMessage *message, guint status, JsonBuilder *builder)
{
  char *line = member_to_line(builder);
  http_set_header(message, "Cache-Control", "no-store");
  soup_server_message_set_status(message, status, NULL);
  soup_server_message_set_response(message, "application/json", SOUP_MEMORY_TAKE, line,
                                   strlen(line));
}

void http_set_error(SoupServerMessage *message, guint status, const char *reason)
{
  g_autoptr(JsonBuilder) builder = json_builder_new();
  json_builder_begin_object(builder);
  member_add_string(builder, "error", reason);
  json_builder_end_object(builder);
  set_json(message, status, builder);
}

void http_answer_json(HttpRequest *request, guint status, JsonBuilder *builder)
{
  set_json(request->message, status, builder);
  http_request_answered(request);
}

void http_answer_bytes(HttpRequest *request, const char *type, GBytes *bytes)
{
  http_answer_bytes_with(request, SOUP_STATUS_OK, type, bytes);
}

void http_answer_bytes_with(HttpRequest *request, guint status, const char *type, GBytes *bytes)
{
  SoupServerMessage *message = request->message;
  SoupMessageBody *body = soup_server_message_get_response_body(message);
  SoupMessageHeaders *headers = soup_server_message_get_response_headers(message);
  if (!soup_message_headers_get_one(headers, "Cache-Control"))
    http_set_header(message, "Cache-Control", "no-store");
  soup_server_message_set_status(message, status, NULL);
  soup_message_headers_set_content_type(headers, type, NULL);
  soup_message_body_append_bytes(body, bytes);
  http_request_answered(request);
}

void http_answer_error(HttpRequest *request, guint status, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *reason = g_strdup_vprintf(format, args);
  va_end(args);
  http_set_error(request->message, status, reason);
  http_request_answered(request);
}

void http_answer_nothing(HttpRequest *request)
{
  http_set_header(request->message, "Cache-Control", "no-store");
  soup_server_message_set_status(request->message, SOUP_STATUS_NO_CONTENT, NULL);
  http_request_answered(request);
}
