#include "page/api/login.h"

#include <openssl/crypto.h>
#include <string.h>

#include "base/console.h"
#include "page/http/penalties.h"
#include "page/password.h"

/* Password checks that run at a time: each takes much memory. */
#define MAX_CHECKS 1

#define TOO_MANY_REQUESTS 429

struct _Login {
  gint references; /* one for each check that runs */
  Gate *gate;      /* NULL after login_free() */
  char *path;      /* (nullable): of the file with the hash */
  char *last_hash; /* (nullable) */
  PasswordMemory *memory;
  Penalties *penalties;
  guint n_checks;
};

static void unref(Login *self)
{
  if (--self->references > 0)
    return;
  g_free(self->path);
  g_free(self->last_hash);
  password_memory_free(&self->memory);
  penalties_free(&self->penalties);
  g_free(self);
}

Login *login_new(Page *page)
{
  Login *self = g_new0(Login, 1);
  self->references = 1;
  self->gate = http_server_get_gate(page_get_server(page));
  self->path = g_strdup(page_get_config(page)->password_file);
  self->memory = password_memory_new();
  self->penalties = penalties_new();
  if (self->path)
    gate_require_session(self->gate);
  return self;
}

void login_free(Login **login)
{
  Login *self = *login;
  *login = NULL;
  if (!self)
    return;
  self->gate = NULL;
  unref(self);
}

gboolean login_is_needed(const Login *self)
{
  return self->path != NULL;
}

/* ---- Checks -------------------------------------------------------------------------------- */

/* What a right password leads to. */
typedef struct {
  HttpFunc func;
  gpointer user_data;
  gboolean basic; /* HTTP Basic authentication */
} Asked;

typedef struct {
  Login *login;
  HttpRequest *request;
  GInetAddress *client;
  char *password, *hash;
  Asked asked;
} Check;

static void free_check(gpointer data)
{
  Check *check = data;
  g_object_unref(check->client);
  OPENSSL_cleanse(check->password, strlen(check->password));
  g_free(check->password);
  g_free(check->hash);
  g_free(check);
}

static void run_check(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  const Check *check = data;
  g_task_return_boolean(task, password_is(check->password, check->hash));
}

/* @reason: for the user */
static void refuse_basic(HttpRequest *request, const char *reason)
{
  http_set_header(request->message, "WWW-Authenticate", "Basic realm=\"vitgate-watch\"");
  http_answer_error(request, SOUP_STATUS_UNAUTHORIZED, "%s", reason);
}

static void answer(HttpRequest *request, const Asked *asked, gboolean right)
{
  if (right)
    asked->func(request, asked->user_data);
  else if (asked->basic)
    refuse_basic(request, "wrong password");
  else
    http_answer_error(request, SOUP_STATUS_FORBIDDEN, "wrong password");
}

static void on_checked(GObject *source, GAsyncResult *result, gpointer user_data)
{
  Check *check = user_data;
  Login *self = check->login;
  const gboolean right = g_task_propagate_boolean(G_TASK(result), NULL);
  self->n_checks--;
  penalties_note(self->penalties, check->client, right);
  if (right) {
    password_memory_keep(self->memory, check->password, check->hash);
  } else {
    g_autofree char *address = g_inet_address_to_string(check->client);
    console_print("page: wrong password from %s", address);
  }
  if (self->gate)
    answer(check->request, &check->asked, right);
  else
    http_answer_error(check->request, SOUP_STATUS_SERVICE_UNAVAILABLE, "the page is stopping");
  unref(self);
}

/* @hash: (transfer full) */
static void start_check(Login *self, HttpRequest *request, GInetAddress *client,
                        const char *password, char *hash, const Asked *asked)
{
  Check *check = g_new(Check, 1);
  self->references++;
  self->n_checks++;
  *check = (Check){ .login = self,
                    .request = http_pause(request),
                    .client = g_object_ref(client),
                    .password = g_strdup(password),
                    .hash = hash,
                    .asked = *asked };
  g_autoptr(GTask) task = g_task_new(NULL, NULL, on_checked, check);
  g_task_set_task_data(task, check, free_check);
  g_task_run_in_thread(task, run_check);
}

static void refuse_for_now(HttpRequest *request, guint seconds)
{
  g_autofree char *text = g_strdup_printf("%u", seconds);
  http_set_header(request->message, "Retry-After", text);
  http_answer_error(request, TOO_MANY_REQUESTS, "try again in %u s", seconds);
}

/* Reads the hash again each time, so that a new password needs no restart. It ends all sessions.
 * Returns: (transfer full) (nullable): NULL: the request has been answered */
static char *read_hash(Login *self, HttpRequest *request)
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

/* Returns: (transfer full) (nullable) */
static GInetAddress *get_client(HttpRequest *request)
{
  GSocketAddress *address = soup_server_message_get_remote_address(request->message);
  return G_IS_INET_SOCKET_ADDRESS(address)
             ? g_object_ref(g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(address)))
             : g_inet_address_new_any(G_SOCKET_FAMILY_IPV4);
}

static void check_password(Login *self, HttpRequest *request, const char *password,
                           const Asked *asked)
{
  g_autoptr(GInetAddress) client = get_client(request);
  const guint wait = penalties_get_wait(self->penalties, client);
  if (wait > 0) {
    refuse_for_now(request, wait);
    return;
  }
  g_autofree char *hash = read_hash(self, request);
  if (!hash)
    return;
  /* This ends no delays: a program that asks often would do so for others at its address. */
  if (asked->basic && password_memory_has(self->memory, password, hash))
    answer(request, asked, TRUE);
  else if (self->n_checks >= MAX_CHECKS)
    refuse_for_now(request, 1);
  else
    start_check(self, request, client, password, g_steal_pointer(&hash), asked);
}

void login_check(Login *self, HttpRequest *request, const char *password, HttpFunc func,
                 gpointer user_data)
{
  const Asked asked = { func, user_data, FALSE };
  check_password(self, request, password, &asked);
}

/* ---- HTTP Basic authentication -------------------------------------------------------------- */

/* Returns: (transfer full) (nullable): the password of the header Authorization */
static char *get_basic_password(HttpRequest *request)
{
  const char *header = soup_message_headers_get_one(
      soup_server_message_get_request_headers(request->message), "Authorization");
  const gsize scheme = strlen("Basic ");
  gsize length = 0;
  if (!header || g_ascii_strncasecmp(header, "Basic ", scheme))
    return NULL;
  char *pair = (char *)g_base64_decode(header + scheme, &length);
  const char *colon = memchr(pair, ':', length);
  const gsize rest = colon ? length - (gsize)(colon + 1 - pair) : 0;
  char *password = colon && rest <= PASSWORD_MAX && !memchr(pair, '\0', length)
                       ? g_strndup(colon + 1, rest)
                       : NULL;
  OPENSSL_cleanse(pair, length);
  g_free(pair);
  return password;
}

void login_require(Login *self, HttpRequest *request, HttpFunc func, gpointer user_data)
{
  const Asked asked = { func, user_data, TRUE };
  if (gate_has_session(self->gate, request->message)) {
    func(request, user_data);
    return;
  }
  char *password = get_basic_password(request);
  if (!password) {
    refuse_basic(request, "log in first");
    return;
  }
  check_password(self, request, password, &asked);
  OPENSSL_cleanse(password, strlen(password));
  g_free(password);
}
