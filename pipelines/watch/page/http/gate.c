#include "page/http/gate.h"

#include <string.h>

#include "page/http/guard.h"
#include "page/http/request.h"

#define COOKIE_AGE (60 * 24 * 3600) /* seconds */

struct _Gate {
  char **names; /* (nullable) */
  char *cookie; /* its name */
  gboolean tls, needs_session;
  Sessions *sessions;
};

Gate *gate_new(char *const *names, guint port, gboolean tls)
{
  Gate *self = g_new0(Gate, 1);
  self->names = g_strdupv((char **)names);
  self->cookie = g_strdup_printf(tls ? "__Host-vitgate-%u" : "vitgate-%u", port);
  self->tls = tls;
  self->sessions = sessions_new();
  return self;
}

void gate_free(Gate **gate)
{
  Gate *self = *gate;
  *gate = NULL;
  if (!self)
    return;
  g_strfreev(self->names);
  g_free(self->cookie);
  sessions_free(&self->sessions);
  g_free(self);
}

void gate_require_session(Gate *self)
{
  self->needs_session = TRUE;
}

gboolean gate_needs_session(const Gate *self)
{
  return self->needs_session;
}

static const char *get_header(SoupServerMessage *message, const char *name)
{
  return soup_message_headers_get_list(soup_server_message_get_request_headers(message), name);
}

/* ---- Checks -------------------------------------------------------------------------------- */

/* The host of an absolute URI in the request line counts as well. */
static gboolean check_host(Gate *self, SoupServerMessage *message)
{
  const char *host = get_header(message, "Host");
  const char *wanted = g_uri_get_host(soup_server_message_get_uri(message));
  if (guard_is_host(host, self->names) && wanted && guard_is_name(wanted, self->names))
    return TRUE;
  http_set_error(message, SOUP_STATUS_MISDIRECTED_REQUEST,
                 "this host is not known; use an address, or add its name to hosts of [page]");
  return FALSE;
}

static gboolean is_change(SoupServerMessage *message)
{
  const char *method = soup_server_message_get_method(message);
  return strcmp(method, "GET") && strcmp(method, "HEAD");
}

/* Pages of others may lead here, but neither show nor change anything. */
static gboolean check_origin(SoupServerMessage *message)
{
  const char *site = get_header(message, "Sec-Fetch-Site");
  const gboolean alien = site && (!strcmp(site, "cross-site") || !strcmp(site, "same-site"));
  const gboolean api =
      g_str_has_prefix(g_uri_get_path(soup_server_message_get_uri(message)), "/api/");
  if (is_change(message)
          ? guard_is_same_origin(get_header(message, "Host"), get_header(message, "Origin"), site)
          : !(api && alien))
    return TRUE;
  http_set_error(message, SOUP_STATUS_FORBIDDEN,
                 "only the page itself may do this (Origin is missing or of another host)");
  return FALSE;
}

gboolean gate_has_session(Gate *self, SoupServerMessage *message)
{
  g_autofree char *token = guard_find_cookie(get_header(message, "Cookie"), self->cookie);
  return !self->needs_session || sessions_check(self->sessions, token);
}

gboolean gate_check(Gate *self, SoupServerMessage *message, gboolean open)
{
  if (!check_host(self, message) || !check_origin(message))
    return FALSE;
  if (open || gate_has_session(self, message))
    return TRUE;
  http_set_error(message, SOUP_STATUS_UNAUTHORIZED, "log in first");
  return FALSE;
}

/* ---- Sessions ------------------------------------------------------------------------------ */

static void set_cookie(Gate *self, SoupServerMessage *message, const char *token, guint age)
{
  g_autofree char *cookie =
      g_strdup_printf("%s=%s; Path=/; Max-Age=%u; HttpOnly; SameSite=Strict%s", self->cookie, token,
                      age, self->tls ? "; Secure" : "");
  http_set_header(message, "Set-Cookie", cookie);
}

void gate_open_session(Gate *self, SoupServerMessage *message)
{
  g_autofree char *token = sessions_open(self->sessions);
  set_cookie(self, message, token, COOKIE_AGE);
}

void gate_close_session(Gate *self, SoupServerMessage *message)
{
  g_autofree char *token = guard_find_cookie(get_header(message, "Cookie"), self->cookie);
  sessions_close(self->sessions, token);
  set_cookie(self, message, "", 0);
}

void gate_close_all(Gate *self)
{
  sessions_close_all(self->sessions);
}
