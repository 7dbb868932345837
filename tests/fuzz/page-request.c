/* Takes bytes as a request of the page: path, query, Host, Origin and Cookie in lines, then a body.
 * What is accepted is safe to use, and changes settings only to values in their ranges. */
#include <string.h>

#include "fuzz.h"
#include "page/http/body.h"
#include "page/http/guard.h"
#include "page/http/route.h"
#include "page/live-keys.h"

#define N_LINES 5

static void check_text(const char *text)
{
  require(g_utf8_validate(text, -1, NULL));
  for (; *text; text = g_utf8_next_char(text))
    require(!g_unichar_iscntrl(g_utf8_get_char(text)));
}

static void use_path(const char *path)
{
  static const char *const patterns[] = { "/", "/api/v1/cameras/*", "/api/v1/teach/*/pictures/*" };
  for (guint i = 0; i < G_N_ELEMENTS(patterns); i++) {
    g_auto(GStrv) parts = route_match(patterns[i], path);
    guint n = 0;
    for (const char *at = patterns[i]; *at; at++)
      n += *at == '*';
    require(!parts || g_strv_length(parts) == n);
    for (guint k = 0; parts && parts[k]; k++) {
      check_text(parts[k]);
      require(*parts[k] && !strchr(parts[k], '/'));
    }
  }
}

static void use_query(const char *query)
{
  g_autoptr(GHashTable) parameters = NULL;
  GHashTableIter iter;
  gpointer name, value;
  if (!route_parse_query(query, &parameters) || !parameters)
    return;
  g_hash_table_iter_init(&iter, parameters);
  while (g_hash_table_iter_next(&iter, &name, &value)) {
    check_text(name);
    check_text(value);
    require(*(char *)name);
  }
}

static void use_headers(const char *host, const char *origin, const char *cookies)
{
  static char *const names[] = { "box", NULL };
  g_autofree char *own = g_strconcat("http://", host, NULL);
  g_autofree char *cookie = guard_find_cookie(cookies, "vitgate-8470");
  require(!cookie || strstr(cookies, cookie));
  guard_is_host(host, names);
  require(guard_is_same_origin(host, own, NULL));
  if (guard_is_same_origin(host, origin, NULL))
    require(g_str_has_suffix(origin, host) || !g_ascii_strcasecmp(strstr(origin, "://") + 3, host));
}

static void use_body(const char *text, gsize length)
{
  g_autoptr(GError) error = NULL, wrong = NULL;
  g_autoptr(JsonObject) body = body_parse(text, length, &error);
  if (!fuzz_succeeded(body != NULL, error))
    return;
  const LookConfig look = look_defaults;
  LiveSettings settings = { .threshold = 0.5, .keep_threshold = 0.4, .compute = -1 };
  const gboolean changed = live_keys_change(&settings, body, &look, &wrong);
  fuzz_succeeded(changed, wrong);
  require(settings.threshold >= 0 && settings.threshold <= 1 && settings.compute <= 1);
  require(settings.keep_threshold >= 0 && settings.keep_threshold <= settings.threshold);
  require(settings.latency_budget >= 0 && settings.latency_budget <= 60);
  require(settings.temporal <= 2);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
  g_autofree char *text = g_strndup((const char *)data, size);
  g_auto(GStrv) lines = g_strsplit(text, "\n", N_LINES + 1);
  const guint n = g_strv_length(lines);
  const char *line[N_LINES];
  for (guint i = 0; i < N_LINES; i++)
    line[i] = i < n ? lines[i] : "";
  use_path(line[0]);
  use_query(line[1]);
  use_headers(line[2], line[3], line[4]);
  use_body((const char *)data, size);
  if (n > N_LINES)
    use_body(lines[N_LINES], strlen(lines[N_LINES]));
  return 0;
}
