#include "page/api/session.h"

#include <string.h>

#include "base/members.h"
#include "page/password.h"

struct _SessionApi {
  Gate *gate;
  Login *login;
};

static void get_session(HttpRequest *request, gpointer user_data)
{
  SessionApi *self = user_data;
  g_autoptr(JsonBuilder) builder = json_builder_new();
  json_builder_begin_object(builder);
  member_add_boolean(builder, "password", gate_needs_session(self->gate));
  member_add_boolean(builder, "logged_in", gate_has_session(self->gate, request->message));
  member_add_string(builder, "version", VITGATE_VERSION);
  json_builder_end_object(builder);
  http_answer_json(request, SOUP_STATUS_OK, builder);
}

static void close_session(HttpRequest *request, gpointer user_data)
{
  SessionApi *self = user_data;
  gate_close_session(self->gate, request->message);
  http_answer_nothing(request);
}

/* ---- Logging in ---------------------------------------------------------------------------- */

/* Returns: (transfer none) (nullable): NULL: the request has been answered */
static const char *get_password(HttpRequest *request)
{
  JsonNode *node = request->body ? json_object_get_member(request->body, "password") : NULL;
  if (node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING &&
      strlen(json_node_get_string(node)) <= PASSWORD_MAX)
    return json_node_get_string(node);
  http_answer_error(request, SOUP_STATUS_BAD_REQUEST,
                    "password: expected a string of at most %d bytes", PASSWORD_MAX);
  return NULL;
}

static void on_right(HttpRequest *request, gpointer user_data)
{
  SessionApi *self = user_data;
  gate_open_session(self->gate, request->message);
  http_answer_nothing(request);
}

static void open_session(HttpRequest *request, gpointer user_data)
{
  SessionApi *self = user_data;
  const char *password = get_password(request);
  if (!password)
    return;
  if (login_is_needed(self->login))
    login_check(self->login, request, password, on_right, self);
  else
    http_answer_nothing(request);
}

SessionApi *session_api_new(Page *page, Login *login)
{
  SessionApi *self = g_new(SessionApi, 1);
  HttpServer *server = page_get_server(page);
  *self = (SessionApi){ http_server_get_gate(server), login };
  http_server_add_with(server, "GET", "/api/v1/session", HTTP_OPEN, get_session, self);
  http_server_add_with(server, "POST", "/api/v1/session", HTTP_OPEN, open_session, self);
  http_server_add_with(server, "DELETE", "/api/v1/session", HTTP_OPEN, close_session, self);
  return self;
}

void session_api_free(SessionApi **api)
{
  g_clear_pointer(api, g_free);
}
