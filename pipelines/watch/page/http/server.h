/* The HTTP server: routes, and what every request has to pass. Everything runs in the default main
 * context. */
#pragma once

#include "page/http/gate.h"
#include "page/http/request.h"
#include "page/http/stream.h"

typedef struct _HttpServer HttpServer;

typedef void (*HttpFunc)(HttpRequest *request, gpointer user_data);

/* What a route does without, or has more of. */
typedef enum {
  HTTP_DEFAULT = 0,
  HTTP_OPEN = 1 << 0, /* needs no session */
} HttpFlags;

typedef struct {
  const char *address;           /* a numeric IP address */
  guint port;                    /* 0: any */
  char **hosts;                  /* (nullable): names of this machine that a browser may use */
  const char *certificate, *key; /* (nullable): files for TLS */
} HttpServerOptions;

/* Returns: (transfer full) (nullable): NULL with an error that names the address or file */
HttpServer *http_server_new(const HttpServerOptions *options, GError **error);

/* Adds a route.
 * @method: such as "GET"; GET answers HEAD too
 * @pattern: such as "/api/v1/cameras/STAR/live", where STAR is an asterisk that stands for one part
 */
void http_server_add(HttpServer *self, const char *method, const char *pattern, HttpFunc func,
                     gpointer user_data);
void http_server_add_with(HttpServer *self, const char *method, const char *pattern,
                          HttpFlags flags, HttpFunc func, gpointer user_data);

/* Returns: (transfer none): what requests have to pass */
Gate *http_server_get_gate(HttpServer *self);

/* Returns: (transfer none): "http://127.0.0.1:8470/", for people */
const char *http_server_get_url(HttpServer *self);

/* Closes all connections. Requests that were paused can still be answered. */
void http_server_free(HttpServer **self);
