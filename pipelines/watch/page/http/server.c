#include "page/http/server.h"

#include <string.h>

#include "page/http/body.h"
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

const char *http_server_get_url(HttpServer *self)
{
  return self->url;
}

/* ---- Requests ------------------------------------------------------------------------------ */

/* Finds the route, and answers if there is none.
 * @parts: (out) (transfer full) */
static const Route *find_route(HttpServer *self, SoupServerMessage *message, char ***parts)
{
  const char *path = g_uri_get_path(soup_server_message_get_uri(message));
  const char *method = soup_server_message_get_method(message);
  gboolean known = FALSE;
  if (!strcmp(method, "HEAD"))
    method = "GET";
  for (guint i = 0; i < self->routes->len; i++) {
    const Route *route = self->routes->pdata[i];
    *parts = route_match(route->pattern, path);
    if (*parts && !strcmp(route->method, method))
      return route;
    known = known || *parts;
    g_clear_pointer(parts, g_strfreev);
  }
  http_set_error(message, known ? SOUP_STATUS_METHOD_NOT_ALLOWED : SOUP_STATUS_NOT_FOUND,
                 known ? "this path does not have this method" : "not found");
  return NULL;
}

/* @body: (out) (transfer full) (nullable)
 * Returns: FALSE if the message has been answered */
static gboolean read_body(SoupServerMessage *message, JsonObject **body)
{
  g_autoptr(GBytes) bytes =
      soup_message_body_flatten(soup_server_message_get_request_body(message));
  g_autoptr(GError) error = NULL;
  gsize length;
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
  if (!route || !read_body(message, &body))
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
  handle(user_data, message);
}

/* ---- Starting ------------------------------------------------------------------------------ */

static gboolean listen_at(HttpServer *self, const HttpServerOptions *options, GError **error)
{
  g_autoptr(GSocketAddress) address =
      g_inet_socket_address_new_from_string(options->address, options->port);
  if (soup_server_listen(self->soup, address, 0, error)) {
    GSList *uris = soup_server_get_uris(self->soup);
    self->url = g_uri_to_string(uris->data);
    g_slist_free_full(uris, (GDestroyNotify)g_uri_unref);
    return TRUE;
  }
  g_prefix_error(error, "%s:%u: ", options->address, options->port);
  return FALSE;
}

HttpServer *http_server_new(const HttpServerOptions *options, GError **error)
{
  HttpServer *self = g_new0(HttpServer, 1);
  self->soup = soup_server_new(NULL, NULL);
  self->routes = g_ptr_array_new_with_free_func(free_route);
  soup_server_add_handler(self->soup, NULL, on_request, self, NULL);
  if (!listen_at(self, options, error))
    http_server_free(&self);
  return self;
}

void http_server_free(HttpServer **server)
{
  HttpServer *self = *server;
  *server = NULL;
  if (!self)
    return;
  soup_server_disconnect(self->soup);
  g_object_unref(self->soup);
  g_ptr_array_unref(self->routes);
  g_free(self->url);
  g_free(self);
}
