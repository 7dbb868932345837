#include "fleet/etcd-http.h"

#include <string.h>

#include <libsoup/soup.h>

#include "base/members.h"
#include "fleet/etcd-json.h"

#define MAX_ANSWER (64 << 20) /* bytes */
#define MAX_TEXT   200        /* bytes of an answer that is shown */

/* Of gRPC; etcd's errors have them. */
enum {
  GRPC_CANCELLED = 1,
  GRPC_UNKNOWN = 2,
  GRPC_DEADLINE = 4,
  GRPC_NOT_FOUND = 5,
  GRPC_PERMISSION = 7,
  GRPC_OUT_OF_RANGE = 11,
  GRPC_INTERNAL = 13,
  GRPC_UNAVAILABLE = 14,
  GRPC_UNAUTHENTICATED = 16,
};

struct _Etcd {
  char **endpoints;
  guint n_endpoints, current;
  char *user, *password, *token; /* the token is what etcd gave for the other two */
  GTlsDatabase *database;        /* or NULL: the system's */
  GTlsCertificate *certificate;  /* or NULL */
  guint timeout;                 /* seconds */
  GCancellable *cancellable;
  GMainContext *context; /* of the session; runs while a call waits */
  SoupSession *session;
};

G_DEFINE_QUARK(etcd - error - quark, etcd_error)

/* ---- A client ------------------------------------------------------------------------------ */

static gboolean open_certificates(Etcd *self, const EtcdOptions *options, GError **error)
{
  if (options->ca_file) {
    self->database = g_tls_file_database_new(options->ca_file, error);
    if (!self->database) {
      g_prefix_error(error, "%s: ", options->ca_file);
      return FALSE;
    }
  }
  if (options->certificate) {
    self->certificate = g_tls_certificate_new_from_files(options->certificate, options->key, error);
    if (!self->certificate) {
      g_prefix_error(error, "%s, %s: ", options->certificate, options->key);
      return FALSE;
    }
  }
  return TRUE;
}

/* Without a proxy, as the fleet's own machines are asked. */
static SoupSession *new_session(Etcd *self)
{
  g_main_context_push_thread_default(self->context);
  SoupSession *session = soup_session_new_with_options(
      "timeout", 0, "idle-timeout", 0, "proxy-resolver", NULL, "user-agent", "vitgate-watch", NULL);
  if (self->database)
    soup_session_set_tls_database(session, self->database);
  g_main_context_pop_thread_default(self->context);
  return session;
}

Etcd *etcd_new(const EtcdOptions *options, GError **error)
{
  Etcd *self = g_new0(Etcd, 1);
  g_autoptr(GError) wrong = NULL;
  self->endpoints = g_strdupv((char **)options->endpoints);
  self->n_endpoints = g_strv_length(self->endpoints);
  for (guint i = 0; i < self->n_endpoints; i++)
    for (gsize n = strlen(self->endpoints[i]); n && self->endpoints[i][n - 1] == '/'; n--)
      self->endpoints[i][n - 1] = '\0';
  self->user = g_strdup(options->user);
  self->password = g_strdup(options->password ? options->password : "");
  if (options->cancellable)
    self->cancellable = g_object_ref(options->cancellable);
  self->context = g_main_context_new();
  if (!open_certificates(self, options, &wrong)) {
    g_set_error_literal(error, ETCD_ERROR, ETCD_ERROR_CERTIFICATE, wrong->message);
    etcd_free(&self);
    return NULL;
  }
  self->timeout = options->timeout;
  self->session = new_session(self);
  return self;
}

void etcd_free(Etcd **etcd)
{
  Etcd *self = *etcd;
  *etcd = NULL;
  if (!self)
    return;
  if (self->session) {
    g_main_context_push_thread_default(self->context);
    soup_session_abort(self->session);
    g_clear_object(&self->session);
    g_main_context_pop_thread_default(self->context);
  }
  g_main_context_unref(self->context);
  g_clear_object(&self->database);
  g_clear_object(&self->certificate);
  g_clear_object(&self->cancellable);
  g_strfreev(self->endpoints);
  g_free(self->user);
  g_free(self->password);
  g_free(self->token);
  g_free(self);
}

void etcd_http_set_timeout(Etcd *self, guint seconds)
{
  self->timeout = seconds;
}

void etcd_http_turn(Etcd *self)
{
  self->current = (self->current + 1) % self->n_endpoints;
}

/* ---- Errors -------------------------------------------------------------------------------- */

static EtcdError code_means(gint64 code, const char *message)
{
  switch (code) {
  case GRPC_CANCELLED:
  case GRPC_UNKNOWN:
  case GRPC_DEADLINE:
  case GRPC_INTERNAL:
  case GRPC_UNAVAILABLE:
    return ETCD_ERROR_UNAVAILABLE;
  case GRPC_NOT_FOUND:
    return strstr(message, "lease") ? ETCD_ERROR_LEASE : ETCD_ERROR_REFUSED;
  case GRPC_OUT_OF_RANGE:
    return strstr(message, "compacted") ? ETCD_ERROR_COMPACTED : ETCD_ERROR_REFUSED;
  case GRPC_PERMISSION:
  case GRPC_UNAUTHENTICATED:
    return ETCD_ERROR_CREDENTIALS;
  default:
    return strstr(message, "authentication failed") || strstr(message, "user name is empty")
               ? ETCD_ERROR_CREDENTIALS
               : ETCD_ERROR_REFUSED;
  }
}

gboolean etcd_http_fail(GError **error, const char *endpoint, gint64 code, const char *message)
{
  if (!message)
    message = "error without a message";
  const EtcdError kind = code_means(code, message);
  g_set_error(error, ETCD_ERROR, kind, "%s: %s%s", endpoint, message,
              strstr(message, "user name is empty")
                  ? " (it wants credentials; set [fleet] credentials-file)"
                  : "");
  return FALSE;
}

/* @wrong: of libsoup or GIO
 * @message: (nullable): whose certificate was not trusted */
static void fail_to_connect(GError **error, const char *endpoint, const GError *wrong,
                            SoupMessage *message)
{
  if (g_error_matches(wrong, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_set_error(error, ETCD_ERROR, ETCD_ERROR_CANCELLED, "%s: cancelled", endpoint);
  else if (wrong->domain == G_TLS_ERROR && message &&
           soup_message_get_tls_peer_certificate_errors(message))
    g_set_error(error, ETCD_ERROR, ETCD_ERROR_CERTIFICATE,
                "%s: its certificate is not trusted for this host; expected one that [fleet] "
                "ca-file, or this machine, can verify (%s)",
                endpoint, wrong->message);
  else if (wrong->domain == G_TLS_ERROR)
    g_set_error(error, ETCD_ERROR, ETCD_ERROR_CERTIFICATE,
                "%s: TLS fails (%s); it may want a client certificate, or speak plain HTTP",
                endpoint, wrong->message);
  else
    g_set_error(error, ETCD_ERROR, ETCD_ERROR_UNAVAILABLE, "%s: %s", endpoint, wrong->message);
}

/* ---- Waiting ------------------------------------------------------------------------------- */

/* An asynchronous call that is waited for. libsoup's blocking calls wait for ever where a server
 * asks for a client's certificate, since nothing runs the context then. */
typedef struct {
  Etcd *etcd;
  GCancellable *cancellable; /* of this call */
  GSource *timer;
  gulong handler;
  gboolean late;
  GAsyncResult *result; /* or NULL: not yet */
} Call;

static void on_cancelled(GCancellable *cancellable, gpointer call)
{
  g_cancellable_cancel(((Call *)call)->cancellable);
}

static gboolean on_late(gpointer user_data)
{
  Call *call = user_data;
  call->late = TRUE;
  g_cancellable_cancel(call->cancellable);
  return G_SOURCE_REMOVE;
}

static void on_ready(GObject *object, GAsyncResult *result, gpointer call)
{
  ((Call *)call)->result = g_object_ref(result);
}

static void call_begin(Call *call, Etcd *self)
{
  *call = (Call){ .etcd = self, .cancellable = g_cancellable_new() };
  call->timer = g_timeout_source_new_seconds(self->timeout);
  g_source_set_callback(call->timer, on_late, call, NULL);
  g_source_attach(call->timer, self->context);
  if (self->cancellable)
    call->handler = g_cancellable_connect(self->cancellable, G_CALLBACK(on_cancelled), call, NULL);
}

static GAsyncResult *call_wait(Call *call)
{
  while (!call->result)
    g_main_context_iteration(call->etcd->context, TRUE);
  return call->result;
}

/* @wrong: (inout) (nullable): the call's error */
static void call_end(Call *call, GError **wrong)
{
  if (call->handler)
    g_cancellable_disconnect(call->etcd->cancellable, call->handler);
  g_source_destroy(call->timer);
  g_source_unref(call->timer);
  g_object_unref(call->result);
  g_object_unref(call->cancellable);
  if (!call->late || !g_error_matches(*wrong, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  g_clear_error(wrong);
  g_set_error(wrong, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "no answer within %u s",
              call->etcd->timeout);
}

/* Returns: (transfer full) (nullable) */
static GInputStream *send_message(Etcd *self, SoupMessage *message, GError **error)
{
  Call call;
  GError *wrong = NULL;
  call_begin(&call, self);
  soup_session_send_async(self->session, message, G_PRIORITY_DEFAULT, call.cancellable, on_ready,
                          &call);
  GInputStream *stream = soup_session_send_finish(self->session, call_wait(&call), &wrong);
  call_end(&call, &wrong);
  if (wrong)
    g_propagate_error(error, wrong);
  return stream;
}

static gssize read_stream(Etcd *self, GInputStream *stream, void *buffer, gsize size,
                          GError **error)
{
  Call call;
  GError *wrong = NULL;
  call_begin(&call, self);
  g_input_stream_read_async(stream, buffer, size, G_PRIORITY_DEFAULT, call.cancellable, on_ready,
                            &call);
  gssize length = g_input_stream_read_finish(stream, call_wait(&call), &wrong);
  call_end(&call, &wrong);
  if (wrong)
    g_propagate_error(error, wrong);
  return length;
}

/* ---- One request to one endpoint ----------------------------------------------------------- */

typedef struct {
  const char *endpoint, *path;
  const char *body; /* or NULL: GET */
  gboolean stream;  /* a watch; it has to end if its endpoint loses the leader */
} Question;

/* HTTP/2 would only bring trouble: with libsoup 3.2, a request never ends, not even by its
 * cancellable, if the server refuses the client's certificate after the handshake. */
static void on_network_event(SoupMessage *message, GSocketClientEvent event, GIOStream *connection,
                             gpointer user_data)
{
  static const char *const protocols[] = { "http/1.1", NULL };
  if (event == G_SOCKET_CLIENT_TLS_HANDSHAKING && G_IS_TLS_CONNECTION(connection))
    g_tls_connection_set_advertised_protocols(G_TLS_CONNECTION(connection), protocols);
}

static SoupMessage *new_message(Etcd *self, const Question *question, GError **error)
{
  g_autofree char *url = g_strconcat(question->endpoint, question->path, NULL);
  SoupMessage *message = soup_message_new(question->body ? "POST" : "GET", url);
  if (!message) {
    g_set_error(error, ETCD_ERROR, ETCD_ERROR_REFUSED, "%s: expected http://HOST:PORT or https://…",
                question->endpoint);
    return NULL;
  }
  soup_message_add_flags(message, SOUP_MESSAGE_NO_REDIRECT);
  g_signal_connect(message, "network-event", G_CALLBACK(on_network_event), NULL);
  SoupMessageHeaders *headers = soup_message_get_request_headers(message);
  if (self->token)
    soup_message_headers_replace(headers, "Authorization", self->token);
  if (question->stream)
    soup_message_headers_replace(headers, "Grpc-Metadata-hasleader", "true");
  if (self->certificate)
    soup_message_set_tls_client_certificate(message, self->certificate);
  if (question->body) {
    g_autoptr(GBytes) bytes = g_bytes_new(question->body, strlen(question->body));
    soup_message_set_request_body_from_bytes(message, "application/json", bytes);
  }
  return message;
}

static GString *read_body(Etcd *self, GInputStream *stream, const char *endpoint, GError **error)
{
  g_autoptr(GError) wrong = NULL;
  GString *text = g_string_new(NULL);
  char part[8192];
  gssize length;
  while ((length = read_stream(self, stream, part, sizeof part, &wrong)) > 0 &&
         text->len < MAX_ANSWER)
    g_string_append_len(text, part, length);
  if (!length)
    return text;
  if (wrong)
    fail_to_connect(error, endpoint, wrong, NULL);
  else
    g_set_error(error, ETCD_ERROR, ETCD_ERROR_ANSWER, "%s: the answer is longer than %d bytes",
                endpoint, MAX_ANSWER);
  g_string_free(text, TRUE);
  return NULL;
}

static void fail_to_understand(GError **error, const char *endpoint, guint status, const char *text)
{
  g_autofree char *start = g_strndup(text, MAX_TEXT), *valid = g_utf8_make_valid(start, -1);
  g_set_error(error, ETCD_ERROR, status >= 500 ? ETCD_ERROR_UNAVAILABLE : ETCD_ERROR_ANSWER,
              "%s: expected an answer of etcd's v3 API, got HTTP status %u \"%s\"", endpoint,
              status, g_strstrip(valid));
}

static JsonObject *parse_answer(const GString *text, const char *endpoint, guint status,
                                GError **error)
{
  g_autoptr(JsonParser) parser = json_parser_new();
  JsonNode *root = json_parser_load_from_data(parser, text->str, (gssize)text->len, NULL)
                       ? json_parser_get_root(parser)
                       : NULL;
  if (!root || !JSON_NODE_HOLDS_OBJECT(root)) {
    fail_to_understand(error, endpoint, status, text->str);
    return NULL;
  }
  JsonObject *answer = json_node_get_object(root);
  const char *message = member_get_string(answer, "message");
  if (!message)
    message = member_get_string(answer, "error");
  if (status == SOUP_STATUS_OK && !message)
    return json_object_ref(answer);
  if (message)
    etcd_http_fail(error, endpoint, etcd_json_get_number(answer, "code"), message);
  else
    fail_to_understand(error, endpoint, status, text->str);
  return NULL;
}

/* @stream: (out) (optional): NULL: the answer is read
 * Returns: FALSE with an error */
static gboolean ask_endpoint(Etcd *self, const Question *question, JsonObject **answer,
                             GInputStream **stream, GError **error)
{
  g_autoptr(GError) wrong = NULL;
  g_autoptr(SoupMessage) message = new_message(self, question, error);
  if (!message)
    return FALSE;
  g_autoptr(GInputStream) body = send_message(self, message, &wrong);
  if (!body) {
    fail_to_connect(error, question->endpoint, wrong, message);
    return FALSE;
  }
  const guint status = soup_message_get_status(message);
  if (stream && status == SOUP_STATUS_OK) {
    *stream = g_steal_pointer(&body);
    return TRUE;
  }
  GString *text = read_body(self, body, question->endpoint, error);
  if (!text)
    return FALSE;
  JsonObject *object = parse_answer(text, question->endpoint, status, error);
  g_string_free(text, TRUE);
  if (object && answer)
    *answer = object;
  else if (object)
    json_object_unref(object);
  return object != NULL;
}

/* ---- Credentials --------------------------------------------------------------------------- */

static char *credentials_body(const Etcd *self)
{
  g_autoptr(JsonBuilder) builder = json_builder_new();
  json_builder_begin_object(builder);
  member_add_string(builder, "name", self->user);
  member_add_string(builder, "password", self->password);
  json_builder_end_object(builder);
  return member_to_line(builder);
}

/* Without authentication in etcd, there is no token, and none is needed. */
static gboolean authenticate(Etcd *self, const char *endpoint, GError **error)
{
  g_autoptr(GError) wrong = NULL;
  g_autofree char *body = credentials_body(self);
  Question question = { .endpoint = endpoint, .path = "/v3/auth/authenticate", .body = body };
  JsonObject *answer = NULL;
  g_clear_pointer(&self->token, g_free);
  if (!ask_endpoint(self, &question, &answer, NULL, &wrong)) {
    if (strstr(wrong->message, "authentication is not enabled"))
      return TRUE;
    g_propagate_error(error, g_steal_pointer(&wrong));
    return FALSE;
  }
  self->token = g_strdup(member_get_string(answer, "token"));
  json_object_unref(answer);
  if (!self->token)
    g_set_error(error, ETCD_ERROR, ETCD_ERROR_ANSWER, "%s: expected a token for %s", endpoint,
                self->user);
  return self->token != NULL;
}

/* Tokens expire, and a member that has restarted does not know them. */
static gboolean token_is_old(const GError *error)
{
  return strstr(error->message, "invalid auth token") ||
         strstr(error->message, "revision of auth store is old") ||
         strstr(error->message, "user name is empty");
}

static gboolean ask_with_token(Etcd *self, const Question *question, JsonObject **answer,
                               GInputStream **stream, GError **error)
{
  g_autoptr(GError) wrong = NULL;
  if (!self->user)
    return ask_endpoint(self, question, answer, stream, error);
  if (!self->token && !authenticate(self, question->endpoint, error))
    return FALSE;
  if (ask_endpoint(self, question, answer, stream, &wrong))
    return TRUE;
  if (token_is_old(wrong))
    return authenticate(self, question->endpoint, error) &&
           ask_endpoint(self, question, answer, stream, error);
  g_propagate_error(error, g_steal_pointer(&wrong));
  return FALSE;
}

/* ---- All endpoints ------------------------------------------------------------------------- */

/* Another endpoint may do better. */
static gboolean is_of_endpoint(const GError *error)
{
  return error->code == ETCD_ERROR_UNAVAILABLE || error->code == ETCD_ERROR_CERTIFICATE ||
         error->code == ETCD_ERROR_ANSWER;
}

/* The kind of error is that of the first endpoint; the message has all of them. */
static gboolean ask_all(Etcd *self, Question *question, JsonObject **answer, GInputStream **stream,
                        GError **error)
{
  g_autoptr(GError) first = NULL;
  g_autoptr(GString) reasons = g_string_new(NULL);
  for (guint i = 0; i < self->n_endpoints; i++) {
    g_autoptr(GError) wrong = NULL;
    question->endpoint = self->endpoints[self->current];
    if (ask_with_token(self, question, answer, stream, &wrong))
      return TRUE;
    if (!is_of_endpoint(wrong)) {
      g_propagate_error(error, g_steal_pointer(&wrong));
      return FALSE;
    }
    g_string_append_printf(reasons, "%s%s", i ? "; " : "", wrong->message);
    if (!first)
      first = g_steal_pointer(&wrong);
    etcd_http_turn(self);
  }
  g_set_error_literal(error, ETCD_ERROR, first->code, reasons->str);
  return FALSE;
}

static char *finish(JsonBuilder *request)
{
  json_builder_end_object(request);
  return member_to_line(request);
}

JsonObject *etcd_http_ask(Etcd *self, const char *path, JsonBuilder *request, GError **error)
{
  g_autofree char *body = finish(request);
  Question question = { .path = path, .body = body };
  JsonObject *answer = NULL;
  g_main_context_push_thread_default(self->context);
  ask_all(self, &question, &answer, NULL, error);
  g_main_context_pop_thread_default(self->context);
  return answer;
}

JsonObject *etcd_http_ask_same(Etcd *self, const char *path, JsonBuilder *request, GError **error)
{
  g_autofree char *body = finish(request);
  Question question = { .endpoint = self->endpoints[self->current], .path = path, .body = body };
  JsonObject *answer = NULL;
  g_main_context_push_thread_default(self->context);
  ask_with_token(self, &question, &answer, NULL, error);
  g_main_context_pop_thread_default(self->context);
  return answer;
}

JsonObject *etcd_http_get(Etcd *self, guint endpoint, const char *path, GError **error)
{
  Question question = { .endpoint = self->endpoints[endpoint], .path = path };
  JsonObject *answer = NULL;
  g_main_context_push_thread_default(self->context);
  ask_endpoint(self, &question, &answer, NULL, error);
  g_main_context_pop_thread_default(self->context);
  return answer;
}

GInputStream *etcd_http_stream(Etcd *self, const char *path, JsonBuilder *request,
                               const char **endpoint, GError **error)
{
  g_autofree char *body = finish(request);
  Question question = { .path = path, .body = body, .stream = TRUE };
  GInputStream *stream = NULL;
  g_main_context_push_thread_default(self->context);
  ask_all(self, &question, NULL, &stream, error);
  g_main_context_pop_thread_default(self->context);
  *endpoint = question.endpoint;
  return stream;
}

gssize etcd_http_read(Etcd *self, GInputStream *stream, const char *endpoint, void *buffer,
                      gsize size, GError **error)
{
  g_autoptr(GError) wrong = NULL;
  g_main_context_push_thread_default(self->context);
  gssize length = read_stream(self, stream, buffer, size, &wrong);
  g_main_context_pop_thread_default(self->context);
  if (g_error_matches(wrong, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    g_set_error(error, ETCD_ERROR, ETCD_ERROR_QUIET, "%s: no news", endpoint);
  else if (wrong)
    fail_to_connect(error, endpoint, wrong, NULL);
  return length;
}

void etcd_http_close(Etcd *self, GInputStream *stream)
{
  g_main_context_push_thread_default(self->context);
  g_object_unref(stream);
  g_main_context_pop_thread_default(self->context);
}
