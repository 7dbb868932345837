#include "page/http/server.h"

#include <string.h>

#include "page/http/body.h"
#include "page/http/connections.h"
#include "page/http/headers.h"
#include "page/http/route.h"

typedef struct {
  char *method, *pattern;
  HttpFlags flags;
  HttpFunc func;
  gpointer user_data;
} Route;

struct _HttpServer {
  SoupServer *soup;
  Connections *connections;
  Gate *gate;
  GPtrArray *routes; /* of Route */
  char *url;
};

static void free_route(gpointer data)
{
  Route *route = data;
  g_free(route->method);
  g_free(route->pattern);
  g_free(route);
}

void http_server_add_with(HttpServer *self, const char *method, const char *pattern,
                          HttpFlags flags, HttpFunc func, gpointer user_data)
{
  Route *route = g_new(Route, 1);
  *route = (Route){ g_strdup(method), g_strdup(pattern), flags, func, user_data };
  g_ptr_array_add(self->routes, route);
}

void http_server_add(HttpServer *self, const char *method, const char *pattern, HttpFunc func,
                     gpointer user_data)
{
  http_server_add_with(self, method, pattern, HTTP_DEFAULT, func, user_data);
}

Gate *http_server_get_gate(HttpServer *self)
{
  return self->gate;
}

const char *http_server_get_url(HttpServer *self)
{
  return self->url;
}

/* ---- Requests ------------------------------------------------------------------------------ */

/* Finds the route.
 * @parts: (out) (transfer full) (nullable): also of a path that has only other methods
 * Returns: (nullable) */
static const Route *find_route(HttpServer *self, SoupServerMessage *message, char ***parts)
{
  const char *path = g_uri_get_path(soup_server_message_get_uri(message));
  const char *method = soup_server_message_get_method(message);
  if (!strcmp(method, "HEAD"))
    method = "GET";
  *parts = NULL;
  for (guint i = 0; i < self->routes->len; i++) {
    const Route *route = self->routes->pdata[i];
    char **found = route_match(route->pattern, path);
    if (!found)
      continue;
    g_strfreev(*parts);
    *parts = found;
    if (!strcmp(route->method, method))
      return route;
  }
  return NULL;
}

/* @body: (out) (transfer full) (nullable)
 * Returns: FALSE if the message has been answered */
static gboolean read_body(SoupServerMessage *message, JsonObject **body)
{
  g_autoptr(GError) error = NULL;
  gsize length;
  *body = NULL;
  if (connections_is_too_big(message)) {
    http_set_error(message, SOUP_STATUS_REQUEST_ENTITY_TOO_LARGE,
                   "the body is larger than " G_STRINGIFY(HTTP_MAX_BODY) " bytes");
    return FALSE;
  }
  g_autoptr(GBytes) bytes =
      soup_message_body_flatten(soup_server_message_get_request_body(message));
  const char *text = g_bytes_get_data(bytes, &length);
  *body = length ? body_parse(text, length, &error) : NULL;
  if (error)
    http_set_error(message, SOUP_STATUS_BAD_REQUEST, error->message);
  return !error;
}

static void handle(HttpServer *self, SoupServerMessage *message)
{
  g_auto(GStrv) parts = NULL;
  g_autoptr(GHashTable) query = NULL;
  g_autoptr(JsonObject) body = NULL;
  const Route *route = find_route(self, message, &parts);
  /* Who may not see anything does not see which paths there are. */
  if (!gate_check(self->gate, message, route && (route->flags & HTTP_OPEN)))
    return;
  if (!route) {
    http_set_error(message, parts ? SOUP_STATUS_METHOD_NOT_ALLOWED : SOUP_STATUS_NOT_FOUND,
                   parts ? "this path does not have this method" : "not found");
    return;
  }
  if (!read_body(message, &body))
    return;
  if (!route_parse_query(g_uri_get_query(soup_server_message_get_uri(message)), &query)) {
    http_set_error(message, SOUP_STATUS_BAD_REQUEST, "the query cannot be read");
    return;
  }
  HttpRequest *request = http_request_new(message, g_steal_pointer(&parts), g_steal_pointer(&query),
                                          g_steal_pointer(&body));
  route->func(request, route->user_data);
  http_request_handled(request);
}

static void on_request(SoupServer *soup, SoupServerMessage *message, const char *path,
                       GHashTable *query, gpointer user_data)
{
  headers_add(message);
  /* libsoup would answer parts, and reads beyond the body if a range does. Nobody needs them. */
  soup_message_headers_remove(soup_server_message_get_request_headers(message), "Range");
  handle(user_data, message);
}

/* ---- Starting ------------------------------------------------------------------------------ */

/* Returns: (transfer full) (nullable): NULL without TLS, or with an error */
static GTlsCertificate *load_certificate(const HttpServerOptions *options, GError **error)
{
  if (!options->certificate)
    return NULL;
  GTlsCertificate *certificate =
      g_tls_certificate_new_from_files(options->certificate, options->key, error);
  if (!certificate)
    g_prefix_error(error, "certificate=%s, private-key=%s: ", options->certificate, options->key);
  return certificate;
}

static char *make_url(const HttpServerOptions *options, guint port)
{
  const gboolean v6 = strchr(options->address, ':') != NULL;
  return g_strdup_printf("http%s://%s%s%s:%u/", options->certificate ? "s" : "", v6 ? "[" : "",
                         options->address, v6 ? "]" : "", port);
}

HttpServer *http_server_new(const HttpServerOptions *options, GError **error)
{
  g_autoptr(GTlsCertificate) certificate = load_certificate(options, error);
  if (options->certificate && !certificate)
    return NULL;
  HttpServer *self = g_new0(HttpServer, 1);
  self->soup = soup_server_new(NULL, NULL);
  self->routes = g_ptr_array_new_with_free_func(free_route);
  soup_server_add_handler(self->soup, NULL, on_request, self, NULL);
  self->connections =
      connections_new(self->soup, options->address, options->port, certificate, error);
  if (!self->connections) {
    http_server_free(&self);
    return NULL;
  }
  const guint port = connections_get_port(self->connections);
  self->gate = gate_new(options->hosts, port, certificate != NULL);
  self->url = make_url(options, port);
  return self;
}

void http_server_free(HttpServer **server)
{
  HttpServer *self = *server;
  *server = NULL;
  if (!self)
    return;
  if (self->connections)
    connections_free(&self->connections);
  soup_server_disconnect(self->soup);
  g_object_unref(self->soup);
  gate_free(&self->gate);
  g_ptr_array_unref(self->routes);
  g_free(self->url);
  g_free(self);
}
