#include "status-server.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>

#include "base/line-file.h"

#define TIME_LIMIT 5      /* seconds without progress, for both sides */
#define SUFFIX     ".new" /* of the name under which the socket is made */

struct _StatusServer {
  char *path;
  GSocketService *service;
  StatusServerFunc func;
  gpointer user_data;
  dev_t device; /* of the socket, which another process may have replaced */
  ino_t inode;
};

/* ---- Answering ----------------------------------------------------------------------------- */

static void on_sent(GObject *stream, GAsyncResult *result, gpointer answer)
{
  GIOStream *connection = g_object_get_data(stream, "connection");
  g_output_stream_write_all_finish(G_OUTPUT_STREAM(stream), result, NULL, NULL);
  g_io_stream_close(connection, NULL, NULL);
  g_free(answer);
  g_object_unref(connection);
}

/* Writes asynchronously, so that nobody can stop the program by not reading. */
static gboolean on_incoming(GSocketService *service, GSocketConnection *connection, GObject *source,
                            gpointer user_data)
{
  StatusServer *self = user_data;
  GOutputStream *stream = g_io_stream_get_output_stream(G_IO_STREAM(connection));
  char *answer = self->func(self->user_data);
  g_socket_set_timeout(g_socket_connection_get_socket(connection), TIME_LIMIT);
  g_object_set_data(G_OBJECT(stream), "connection", g_object_ref(connection));
  g_output_stream_write_all_async(stream, answer, strlen(answer), G_PRIORITY_DEFAULT, NULL, on_sent,
                                  answer);
  return TRUE;
}

/* ---- Listening ----------------------------------------------------------------------------- */

static gboolean fail(GError **error, const char *path, const char *reason)
{
  g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s: %s", path, reason);
  return FALSE;
}

/* Checks that nothing but the socket of a process that has ended is replaced. */
static gboolean check_place(const char *path, GError **error)
{
  struct stat status;
  if (strlen(path) + strlen(SUFFIX) >= sizeof((struct sockaddr_un){ 0 }).sun_path)
    return fail(error, path, "is too long for a socket; set [watch] status-socket");
  if (lstat(path, &status) < 0)
    return TRUE;
  if (!S_ISSOCK(status.st_mode))
    return fail(error, path, "exists and is not a socket");
  g_autoptr(GSocketClient) client = g_socket_client_new();
  g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
  g_autoptr(GSocketConnection) connection =
      g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, NULL);
  return !connection || fail(error, path, "another vitgate-watch uses it");
}

/* Makes the socket under another name, so that it has its mode before anyone can connect, and
 * replaces an old one in one step. */
static GSocket *listen_at(const char *path, GError **error)
{
  g_autofree char *name = g_strconcat(path, SUFFIX, NULL);
  g_autoptr(GSocketAddress) address = g_unix_socket_address_new(name);
  g_autoptr(GSocket) socket =
      g_socket_new(G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, error);
  g_unlink(name);
  if (!socket || !g_socket_bind(socket, address, FALSE, error))
    return NULL;
  if (g_chmod(name, 0600) == 0 && g_socket_listen(socket, error) && g_rename(name, path) == 0)
    return g_steal_pointer(&socket);
  if (error && !*error)
    line_file_fail(error, NULL);
  g_unlink(name);
  return NULL;
}

StatusServer *status_server_new(const char *path, StatusServerFunc func, gpointer user_data,
                                GError **error)
{
  g_autofree char *folder = g_path_get_dirname(path);
  if (!check_place(path, error))
    return NULL;
  if (g_mkdir_with_parents(folder, 0755) < 0) {
    line_file_fail(error, folder);
    return NULL;
  }
  g_autoptr(GSocket) socket = listen_at(path, error);
  struct stat status = { 0 };
  if (!socket) {
    g_prefix_error(error, "%s: ", path);
    return NULL;
  }
  lstat(path, &status);
  StatusServer *self = g_new0(StatusServer, 1);
  self->path = g_strdup(path);
  self->func = func;
  self->user_data = user_data;
  self->device = status.st_dev;
  self->inode = status.st_ino;
  self->service = g_socket_service_new();
  g_socket_listener_add_socket(G_SOCKET_LISTENER(self->service), socket, NULL, NULL);
  g_signal_connect(self->service, "incoming", G_CALLBACK(on_incoming), self);
  return self;
}

void status_server_free(StatusServer **server)
{
  StatusServer *self = *server;
  struct stat status;
  *server = NULL;
  if (!self)
    return;
  if (lstat(self->path, &status) == 0 && status.st_dev == self->device &&
      status.st_ino == self->inode)
    g_unlink(self->path);
  g_signal_handlers_disconnect_by_data(self->service, self);
  g_socket_service_stop(self->service);
  g_socket_listener_close(G_SOCKET_LISTENER(self->service));
  g_object_unref(self->service);
  g_free(self->path);
  g_free(self);
}

/* ---- Asking -------------------------------------------------------------------------------- */

static char *explain(const char *path, const GError *error)
{
  if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    return g_strdup_printf("not running (%s does not exist)", path);
  if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED))
    return g_strdup_printf("not running; it was killed or has crashed (%s is left from it)", path);
  if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED))
    return g_strdup_printf("%s: permission denied (ask as root, or as the user of vitgate-watch)",
                           path);
  if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    return g_strdup_printf("no answer within %d s (%s)", TIME_LIMIT, path);
  return g_strdup_printf("%s: %s", path, error->message);
}

static char *read_all(GSocketConnection *connection, GError **error)
{
  GInputStream *stream = g_io_stream_get_input_stream(G_IO_STREAM(connection));
  g_autoptr(GString) text = g_string_new(NULL);
  char part[4096];
  gssize length;
  while ((length = g_input_stream_read(stream, part, sizeof part, NULL, error)) > 0)
    g_string_append_len(text, part, length);
  return length < 0 ? NULL : g_strdup(text->str);
}

char *status_server_ask(const char *path, GError **error)
{
  g_autoptr(GError) wrong = NULL;
  g_autoptr(GSocketClient) client = g_socket_client_new();
  g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
  g_socket_client_set_timeout(client, TIME_LIMIT);
  g_autoptr(GSocketConnection) connection =
      g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, &wrong);
  char *answer = connection ? read_all(connection, &wrong) : NULL;
  if (!answer) {
    g_autofree char *reason = explain(path, wrong);
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_FAILED, reason);
  }
  return answer;
}
