#include "page/http/connections.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECK_INTERVAL 1 /* seconds */

/* Maximum times, seconds. */
#define IDLE_TIME  30 /* without a request */
#define READ_TIME  20 /* from the first byte of a request to its last one */
#define WRITE_TIME 60 /* for an answer */

/* Connections that may wait until they are accepted. */
#define BACKLOG 128

/* Bytes of a body that is refused that are read all the same, so that the client sees why. */
#define MAX_REFUSED_BODY (1024 * 1024)

#define LINK "vitgate-connection" /* from the address that libsoup keeps to the Connection */

struct _Connections {
  SoupServer *soup;
  GSocketService *service;
  GTlsCertificate *certificate; /* or NULL */
  GHashTable *all;              /* of Connection */
  GCancellable *stopped;
  guint port, timer;
  int silent; /* the other end of libsoup's listener; -1: none, and no connection is kept */
};

typedef struct {
  Connections *owner;
  GSocketConnection *connection; /* not owned */
  GSocketAddress *address;
  GInetAddress *client;
  gint64 deadline; /* monotonic time; 0: none */
  guint64 received;
  gboolean idle; /* answered, and waits for another request */
} Connection;

guint connections_get_patience(guint seconds)
{
  const char *text = g_getenv("VITGATE_PAGE_TIMEOUT");
  guint64 limit;
  return text && g_ascii_string_to_unsigned(text, 10, 1, seconds, &limit, NULL) ? (guint)limit
                                                                                : seconds;
}

static void set_deadline(Connection *self, guint seconds)
{
  self->deadline =
      seconds ? g_get_monotonic_time() + connections_get_patience(seconds) * G_USEC_PER_SEC : 0;
}

/* libsoup sees the end of the stream, and closes the connection. */
static void drop(Connection *self)
{
  self->idle = FALSE;
  g_socket_shutdown(g_socket_connection_get_socket(self->connection), TRUE, TRUE, NULL);
  set_deadline(self, 0);
}

static gboolean drop_late(gpointer user_data)
{
  Connections *self = user_data;
  const gint64 now = g_get_monotonic_time();
  GHashTableIter iter;
  gpointer key;
  g_hash_table_iter_init(&iter, self->all);
  while (g_hash_table_iter_next(&iter, &key, NULL))
    if (((Connection *)key)->deadline && ((Connection *)key)->deadline < now)
      drop(key);
  return G_SOURCE_CONTINUE;
}

/* ---- Requests ------------------------------------------------------------------------------ */

/* Returns: (transfer none) (nullable): NULL: the connection is closed, or not watched any more */
static Connection *find_connection(SoupServerMessage *message)
{
  GSocketAddress *address = soup_server_message_get_remote_address(message);
  return address ? g_object_get_data(G_OBJECT(address), LINK) : NULL;
}

/* After a request with a body, the connection is closed. Otherwise, if libsoup and a proxy in
 * between did not agree where the body ends, its rest would be taken for another client's request.
 */
static gboolean may_go_on(const Connection *self, SoupMessageHeaders *headers)
{
  return self && self->owner && self->owner->silent >= 0 &&
         !soup_message_headers_get_one(headers, "Content-Length") &&
         !soup_message_headers_get_one(headers, "Transfer-Encoding");
}

static void on_headers(SoupServerMessage *message, gpointer user_data)
{
  SoupMessageHeaders *headers = soup_server_message_get_request_headers(message);
  if (!may_go_on(find_connection(message), headers))
    soup_message_headers_replace(soup_server_message_get_response_headers(message), "Connection",
                                 "close");
  if (soup_message_headers_get_encoding(headers) == SOUP_ENCODING_CONTENT_LENGTH &&
      soup_message_headers_get_content_length(headers) > HTTP_MAX_BODY)
    soup_message_body_set_accumulate(soup_server_message_get_request_body(message), FALSE);
}

static void on_chunk(SoupServerMessage *message, GBytes *chunk, gpointer user_data)
{
  SoupMessageBody *body = soup_server_message_get_request_body(message);
  Connection *self = find_connection(message);
  if (!self)
    return;
  self->received += g_bytes_get_size(chunk);
  if (self->received > HTTP_MAX_BODY && soup_message_body_get_accumulate(body)) {
    soup_message_body_set_accumulate(body, FALSE);
    soup_message_body_truncate(body);
  }
  if (self->received > MAX_REFUSED_BODY)
    drop(self);
}

static void on_answer(SoupServerMessage *message, gpointer user_data)
{
  Connection *self = find_connection(message);
  if (self)
    set_deadline(self, WRITE_TIME);
}

static void on_started(SoupServer *soup, SoupServerMessage *message, gpointer user_data)
{
  Connection *self = find_connection(message);
  if (!self)
    return;
  self->received = 0;
  self->idle = FALSE;
  set_deadline(self, READ_TIME);
  g_signal_connect(message, "got-headers", G_CALLBACK(on_headers), NULL);
  g_signal_connect(message, "got-chunk", G_CALLBACK(on_chunk), NULL);
  g_signal_connect(message, "wrote-headers", G_CALLBACK(on_answer), NULL);
}

/* The handler may take its time. */
static void on_read(SoupServer *soup, SoupServerMessage *message, gpointer user_data)
{
  Connection *self = find_connection(message);
  if (self)
    set_deadline(self, 0);
}

static void on_finished(SoupServer *soup, SoupServerMessage *message, gpointer user_data)
{
  Connection *self = find_connection(message);
  if (!self)
    return;
  self->idle = TRUE;
  set_deadline(self, IDLE_TIME);
}

gboolean connections_is_too_big(SoupServerMessage *message)
{
  Connection *self = find_connection(message);
  return self && self->received > HTTP_MAX_BODY;
}

GSocket *connections_leave(SoupServerMessage *message)
{
  Connection *self = find_connection(message);
  if (!self)
    return NULL;
  set_deadline(self, 0);
  GSocket *socket = g_object_ref(g_socket_connection_get_socket(self->connection));
  g_object_set_data(G_OBJECT(self->address), LINK, NULL);
  return socket;
}

/* ---- Connections --------------------------------------------------------------------------- */

static void on_closed(gpointer user_data, GObject *former)
{
  Connection *self = user_data;
  if (self->owner)
    g_hash_table_remove(self->owner->all, self);
  g_object_set_data(G_OBJECT(self->address), LINK, NULL);
  g_object_unref(self->address);
  g_object_unref(self->client);
  g_free(self);
}

/* Closes the connection that has been idle for longest.
 * @client: (nullable): only one of this client
 * Returns: whether there was one */
static gboolean drop_idle(Connections *self, GInetAddress *client)
{
  Connection *oldest = NULL;
  GHashTableIter iter;
  gpointer key;
  g_hash_table_iter_init(&iter, self->all);
  while (g_hash_table_iter_next(&iter, &key, NULL)) {
    Connection *one = key;
    if (one->idle && (!client || g_inet_address_equal(one->client, client)) &&
        (!oldest || one->deadline < oldest->deadline))
      oldest = one;
  }
  if (oldest)
    drop(oldest);
  return oldest != NULL;
}

static guint count_of(Connections *self, GInetAddress *client)
{
  guint n = 0;
  GHashTableIter iter;
  gpointer key;
  g_hash_table_iter_init(&iter, self->all);
  while (g_hash_table_iter_next(&iter, &key, NULL))
    n += g_inet_address_equal(((Connection *)key)->client, client);
  return n;
}

/* Makes room for a connection, if idle ones can go.
 * Returns: whether there is room */
static gboolean make_room(Connections *self, GInetAddress *client)
{
  if (!g_inet_address_get_is_loopback(client) &&
      count_of(self, client) >= MAX_CONNECTIONS_OF_ADDRESS)
    return drop_idle(self, client);
  return g_hash_table_size(self->all) < MAX_CONNECTIONS || drop_idle(self, NULL);
}

static void hand_over(Connections *self, GIOStream *stream, GSocketAddress *local,
                      GSocketAddress *remote)
{
  g_autoptr(GError) error = NULL;
  if (!soup_server_accept_iostream(self->soup, stream, local, remote, &error))
    g_debug("page: %s", error->message);
}

static void on_handshake(GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr(GIOStream) stream = G_IO_STREAM(source);
  g_autoptr(GSocketAddress) local = g_object_steal_data(source, "local");
  g_autoptr(GSocketAddress) remote = g_object_steal_data(source, "remote");
  g_autoptr(GError) error = NULL;
  if (g_tls_connection_handshake_finish(G_TLS_CONNECTION(source), result, &error))
    hand_over(user_data, stream, local, remote);
  else if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_io_stream_close(stream, NULL, NULL);
}

/* @local, @remote: (transfer none) */
static void start_tls(Connections *self, GSocketConnection *connection, GSocketAddress *local,
                      GSocketAddress *remote)
{
  GIOStream *stream = g_tls_server_connection_new(G_IO_STREAM(connection), self->certificate, NULL);
  if (!stream)
    return;
  /* Without a close_notify, a client that has gone is no error. */
  g_tls_connection_set_require_close_notify(G_TLS_CONNECTION(stream), FALSE);
  g_object_set_data_full(G_OBJECT(stream), "local", g_object_ref(local), g_object_unref);
  g_object_set_data_full(G_OBJECT(stream), "remote", g_object_ref(remote), g_object_unref);
  g_tls_connection_handshake_async(G_TLS_CONNECTION(stream), G_PRIORITY_DEFAULT, self->stopped,
                                   on_handshake, self);
}

static Connection *watch_connection(Connections *self, GSocketConnection *connection,
                                    GSocketAddress *remote)
{
  Connection *added = g_new0(Connection, 1);
  added->owner = self;
  added->connection = connection;
  added->address = g_object_ref(remote);
  added->client = g_object_ref(g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(remote)));
  g_object_set_data(G_OBJECT(remote), LINK, added);
  g_object_weak_ref(G_OBJECT(connection), on_closed, added);
  g_hash_table_add(self->all, added);
  set_deadline(added, IDLE_TIME);
  return added;
}

static gboolean on_incoming(GSocketService *service, GSocketConnection *connection, GObject *source,
                            gpointer user_data)
{
  Connections *self = user_data;
  g_autoptr(GSocketAddress) local = g_socket_connection_get_local_address(connection, NULL);
  g_autoptr(GSocketAddress) remote = g_socket_connection_get_remote_address(connection, NULL);
  if (!local || !remote || !G_IS_INET_SOCKET_ADDRESS(remote))
    return TRUE;
  if (!make_room(self, g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(remote))))
    return TRUE;
  g_socket_set_option(g_socket_connection_get_socket(connection), IPPROTO_TCP, TCP_NODELAY, 1,
                      NULL);
  watch_connection(self, connection, remote);
  if (self->certificate)
    start_tls(self, connection, local, remote);
  else
    hand_over(self, G_IO_STREAM(connection), local, remote);
  return TRUE;
}

/* ---- Listening ----------------------------------------------------------------------------- */

static gboolean listen_at(Connections *self, const char *address, guint port, GError **error)
{
  g_autoptr(GSocketAddress) wanted = g_inet_socket_address_new_from_string(address, port);
  g_autoptr(GSocketAddress) got = NULL;
  if (g_socket_listener_add_address(G_SOCKET_LISTENER(self->service), wanted, G_SOCKET_TYPE_STREAM,
                                    G_SOCKET_PROTOCOL_TCP, NULL, &got, error)) {
    self->port = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(got));
    return TRUE;
  }
  if (error && g_error_matches(*error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE)) {
    g_clear_error(error);
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE,
                "another program uses port %u of %s; choose another one with listen of [page]",
                port, address);
  } else {
    g_prefix_error(error, "listen=%s, port %u: ", address, port);
  }
  return FALSE;
}

/* libsoup closes each connection after its first answer unless it listens itself. So it listens at
 * one end of a pair whose other end is here, and nobody can connect to it. Before 3.3, libsoup
 * never frees an idle connection that the client closes, so there it closes them. */
static gboolean keep_alive(Connections *self, GError **error)
{
  int ends[2];
  if (!soup_check_version(3, 3, 0))
    return TRUE;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
    const int code = errno;
    g_set_error_literal(error, G_IO_ERROR, g_io_error_from_errno(code), g_strerror(code));
    return FALSE;
  }
  self->silent = ends[1];
  g_autoptr(GSocket) end = g_socket_new_from_fd(ends[0], error);
  if (!end)
    close(ends[0]);
  return end && soup_server_listen_socket(self->soup, end, 0, error);
}

Connections *connections_new(SoupServer *soup, const char *address, guint port,
                             GTlsCertificate *certificate, GError **error)
{
  Connections *self = g_new0(Connections, 1);
  self->soup = soup;
  self->silent = -1;
  self->service = g_socket_service_new();
  g_socket_listener_set_backlog(G_SOCKET_LISTENER(self->service), BACKLOG);
  self->certificate = certificate ? g_object_ref(certificate) : NULL;
  self->all = g_hash_table_new(NULL, NULL);
  self->stopped = g_cancellable_new();
  self->timer = g_timeout_add_seconds(CHECK_INTERVAL, drop_late, self);
  g_signal_connect(soup, "request-started", G_CALLBACK(on_started), self);
  g_signal_connect(soup, "request-read", G_CALLBACK(on_read), self);
  g_signal_connect(soup, "request-finished", G_CALLBACK(on_finished), self);
  g_signal_connect(self->service, "incoming", G_CALLBACK(on_incoming), self);
  if (!listen_at(self, address, port, error) || !keep_alive(self, error))
    connections_free(&self);
  return self;
}

guint connections_get_port(Connections *self)
{
  return self->port;
}

void connections_free(Connections **connections)
{
  Connections *self = *connections;
  *connections = NULL;
  g_cancellable_cancel(self->stopped);
  g_signal_handlers_disconnect_by_data(self->soup, self);
  g_signal_handlers_disconnect_by_data(self->service, self);
  g_source_remove(self->timer);
  g_socket_service_stop(self->service);
  g_socket_listener_close(G_SOCKET_LISTENER(self->service));
  g_object_unref(self->service);
  GHashTableIter iter;
  gpointer key;
  g_hash_table_iter_init(&iter, self->all);
  while (g_hash_table_iter_next(&iter, &key, NULL))
    ((Connection *)key)->owner = NULL;
  g_hash_table_unref(self->all);
  g_clear_object(&self->certificate);
  g_object_unref(self->stopped);
  if (self->silent >= 0)
    close(self->silent);
  g_free(self);
}
