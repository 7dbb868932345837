#include "page/api/session.h"

#include <string.h>

#include "base/console.h"
#include "base/members.h"
#include "page/http/penalties.h"
#include "page/password.h"

/* Password checks that run at a time: each takes much memory. */
#define MAX_CHECKS 1

#define TOO_MANY_REQUESTS 429

struct _SessionApi {
  gint references; /* one for each check that runs */
  Gate *gate;      /* NULL after session_api_free() */
  char *path;      /* (nullable): of the file with the hash */
  char *last_hash; /* (nullable) */
  Penalties *penalties;
  guint n_checks;
};

static void unref(SessionApi *self)
{
  if (--self->references > 0)
    return;
  g_free(self->path);
  g_free(self->last_hash);
  penalties_free(&self->penalties);
  g_free(self);
}

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

typedef struct {
  SessionApi *api;
  HttpRequest *request;
  GInetAddress *client;
  char *password, *hash;
} Check;

static void free_check(gpointer data)
{
  Check *check = data;
  g_object_unref(check->client);
  memset(check->password, 0, strlen(check->password));
  g_free(check->password);
  g_free(check->hash);
  g_free(check);
}

static void run_check(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  const Check *check = data;
  g_task_return_boolean(task, password_is(check->password, check->hash));
}

static void on_checked(GObject *source, GAsyncResult *result, gpointer user_data)
{
  Check *check = user_data;
  SessionApi *self = check->api;
  const gboolean right = g_task_propagate_boolean(G_TASK(result), NULL);
  self->n_checks--;
  penalties_note(self->penalties, check->client, right);
  if (!self->gate) {
    http_answer_error(check->request, SOUP_STATUS_SERVICE_UNAVAILABLE, "the page is stopping");
  } else if (right) {
    gate_open_session(self->gate, check->request->message);
    http_answer_nothing(check->request);
  } else {
    g_autofree char *address = g_inet_address_to_string(check->client);
    console_print("page: wrong password from %s", address);
    http_answer_error(check->request, SOUP_STATUS_FORBIDDEN, "wrong password");
  }
  unref(self);
}

static void refuse_for_now(HttpRequest *request, guint seconds)
{
  g_autofree char *text = g_strdup_printf("%u", seconds);
  http_set_header(request->message, "Retry-After", text);
  http_answer_error(request, TOO_MANY_REQUESTS, "try again in %u s", seconds);
}

/* Reads the hash again each time, so that a new password needs no restart. It ends all sessions.
 * Returns: (transfer full) (nullable): NULL: the request has been answered */
static char *read_hash(SessionApi *self, HttpRequest *request)
{
  g_autoptr(GError) error = NULL;
  char *hash = password_read(self->path, &error);
  if (!hash) {
    console_print("page: password-file: %s", error->message);
    http_answer_error(request, SOUP_STATUS_INTERNAL_SERVER_ERROR,
                      "the file with the password cannot be used; the log says why");
    return NULL;
  }
  if (self->last_hash && strcmp(hash, self->last_hash))
    gate_close_all(self->gate);
  g_free(self->last_hash);
  self->last_hash = g_strdup(hash);
  return hash;
}

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

/* Returns: (transfer full) (nullable) */
static GInetAddress *get_client(HttpRequest *request)
{
  GSocketAddress *address = soup_server_message_get_remote_address(request->message);
  return G_IS_INET_SOCKET_ADDRESS(address)
             ? g_object_ref(g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(address)))
             : g_inet_address_new_any(G_SOCKET_FAMILY_IPV4);
}

static void start_check(SessionApi *self, HttpRequest *request, GInetAddress *client,
                        const char *password, char *hash)
{
  Check *check = g_new(Check, 1);
  self->references++;
  self->n_checks++;
  *check = (Check){ self, http_pause(request), g_object_ref(client), g_strdup(password), hash };
  g_autoptr(GTask) task = g_task_new(NULL, NULL, on_checked, check);
  g_task_set_task_data(task, check, free_check);
  g_task_run_in_thread(task, run_check);
}

static void open_session(HttpRequest *request, gpointer user_data)
{
  SessionApi *self = user_data;
  const char *password = get_password(request);
  if (!password)
    return;
  if (!self->path) {
    http_answer_nothing(request);
    return;
  }
  g_autoptr(GInetAddress) client = get_client(request);
  const guint wait = penalties_get_wait(self->penalties, client);
  if (wait > 0 || self->n_checks >= MAX_CHECKS) {
    refuse_for_now(request, MAX(wait, 1));
    return;
  }
  char *hash = read_hash(self, request);
  if (hash)
    start_check(self, request, client, password, hash);
}

SessionApi *session_api_new(Page *page)
{
  SessionApi *self = g_new0(SessionApi, 1);
  HttpServer *server = page_get_server(page);
  self->references = 1;
  self->gate = http_server_get_gate(server);
  self->path = g_strdup(page_get_config(page)->password_file);
  self->penalties = penalties_new();
  if (self->path)
    gate_require_session(self->gate);
  http_server_add_with(server, "GET", "/api/v1/session", HTTP_OPEN, get_session, self);
  http_server_add_with(server, "POST", "/api/v1/session", HTTP_OPEN, open_session, self);
  http_server_add_with(server, "DELETE", "/api/v1/session", HTTP_OPEN, close_session, self);
  return self;
}

void session_api_free(SessionApi **api)
{
  SessionApi *self = *api;
  *api = NULL;
  if (!self)
    return;
  self->gate = NULL;
  unref(self);
}
