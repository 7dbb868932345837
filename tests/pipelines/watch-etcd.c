/* The client of etcd, against a real one. Skipped where etcd is not installed. */
#include "fleet/etcd-watch.h"

#include <gio/gio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "fixtures.h"

#define LIMIT (20 * G_USEC_PER_SEC)

static Etcd *etcd;

/* A server of etcd. GSubprocess does not survive Check's forks. */
typedef struct {
  char *folder, *url;
  GPid pid;
} Server;

static Server shared; /* by all tests that do not harm it */
static GCancellable *cancellable;

/* ---- Fixture ------------------------------------------------------------------------------- */

static guint free_port(void)
{
  g_autoptr(GSocketListener) listener = g_socket_listener_new();
  guint port = g_socket_listener_add_any_inet_port(listener, NULL, NULL);
  g_socket_listener_close(listener);
  return port;
}

static Etcd *make_client(const char *const *endpoints, const char *user, const char *password,
                         guint timeout)
{
  g_autoptr(GError) error = NULL;
  const EtcdOptions options = {
    .endpoints = endpoints,
    .user = user,
    .password = password,
    .timeout = timeout,
    .cancellable = cancellable,
  };
  Etcd *client = etcd_new(&options, &error);
  ck_assert_msg(client != NULL, "%s", error ? error->message : "");
  return client;
}

static Etcd *client_of(const Server *server, guint timeout)
{
  const char *endpoints[] = { server->url, NULL };
  return make_client(endpoints, NULL, NULL, timeout);
}

static void spawn(const char *command, GPid *pid)
{
  g_autoptr(GError) error = NULL;
  g_auto(GStrv) words = g_strsplit(command, " ", -1);
  const GSpawnFlags flags =
      G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL;
  gboolean good =
      pid ? g_spawn_async(NULL, words, NULL, flags | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, pid,
                          &error)
          : g_spawn_sync(NULL, words, NULL, flags, NULL, NULL, NULL, NULL, NULL, &error);
  ck_assert_msg(good, "%s", error ? error->message : "");
}

static void run_server(Server *self)
{
  g_autofree char *peer = g_strdup_printf("http://127.0.0.1:%u", free_port());
  g_autofree char *command = g_strdup_printf(
      "etcd --data-dir %s --listen-client-urls %s --advertise-client-urls %s --listen-peer-urls %s "
      "--initial-advertise-peer-urls %s --initial-cluster default=%s",
      self->folder, self->url, self->url, peer, peer, peer);
  spawn(command, &self->pid);
  Etcd *client = client_of(self, 5);
  const gint64 end = g_get_monotonic_time() + LIMIT;
  while (!etcd_check_endpoint(client, 0, NULL)) {
    ck_assert(g_get_monotonic_time() < end);
    g_usleep(20000);
  }
  etcd_free(&client);
}

static void kill_server(Server *self)
{
  kill(self->pid, SIGKILL);
  waitpid(self->pid, NULL, 0);
}

static void start_server(Server *self)
{
  self->folder = fixtures_folder();
  self->url = g_strdup_printf("http://127.0.0.1:%u", free_port());
  run_server(self);
}

static void stop_server(Server *self)
{
  kill_server(self);
  fixtures_remove(self->folder);
  g_free(self->url);
}

static void start_shared(void)
{
  start_server(&shared);
}

static void stop_shared(void)
{
  stop_server(&shared);
}

static void set_up(void)
{
  cancellable = g_cancellable_new();
  etcd = client_of(&shared, 5);
}

static void tear_down(void)
{
  etcd_free(&etcd);
  g_clear_object(&cancellable);
}

static void must(gboolean good, GError *error)
{
  ck_assert_msg(good, "%s", error ? error->message : "");
}

static void put(const char *key, const char *value)
{
  g_autoptr(GError) error = NULL;
  must(etcd_put(etcd, key, value, 0, &error), error);
}

/* ---- Keys ---------------------------------------------------------------------------------- */

START_TEST(a_key_has_its_value_until_it_is_deleted)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(EtcdItem) none = NULL, item = NULL, gone = NULL;
  gboolean existed;
  must(etcd_get(etcd, "/a/\303\244 b", &none, NULL, &error), error);
  ck_assert_ptr_null(none);
  put("/a/\303\244 b", "\342\202\254\n\"");
  must(etcd_get(etcd, "/a/\303\244 b", &item, NULL, &error), error);
  ck_assert_str_eq(item->value, "\342\202\254\n\"");
  ck_assert_int_gt(item->create_revision, 0);
  must(etcd_delete(etcd, "/a/\303\244 b", &existed, &error), error);
  ck_assert(existed);
  must(etcd_get(etcd, "/a/\303\244 b", &gone, NULL, &error), error);
  ck_assert_ptr_null(gone);
}
END_TEST

START_TEST(an_empty_value_is_not_a_missing_one)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(EtcdItem) item = NULL;
  put("/drain/a", "");
  must(etcd_get(etcd, "/drain/a", &item, NULL, &error), error);
  ck_assert_str_eq(item->value, "");
}
END_TEST

START_TEST(a_prefix_is_read_by_pages)
{
  g_autoptr(GError) error = NULL;
  for (guint i = 0; i < 501; i++) {
    g_autofree char *key = g_strdup_printf("/many/%05u", i);
    put(key, "x");
  }
  put("/manz", "x");
  gint64 revision = 0;
  g_autoptr(GPtrArray) items = etcd_get_prefix(etcd, "/many/", &revision, &error);
  must(items != NULL, error);
  ck_assert_uint_eq(items->len, 501);
  for (guint i = 0; i < items->len; i++) {
    g_autofree char *key = g_strdup_printf("/many/%05u", i);
    ck_assert_str_eq(((EtcdItem *)items->pdata[i])->key, key);
  }
  ck_assert_int_ge(revision, 502);
}
END_TEST

START_TEST(a_key_is_created_once)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(EtcdItem) item = NULL;
  gint64 first, second, third;
  gboolean deleted;
  must(etcd_create(etcd, "/claim", "a", 0, NULL, 0, &first, &error), error);
  must(etcd_create(etcd, "/claim", "b", 0, NULL, 0, &second, &error), error);
  ck_assert_int_gt(first, 0);
  ck_assert_int_eq(second, 0);
  must(etcd_get(etcd, "/claim", &item, NULL, &error), error);
  ck_assert_str_eq(item->value, "a");
  ck_assert_int_eq(item->create_revision, first);
  must(etcd_delete_if(etcd, "/claim", first + 1, &deleted, &error), error);
  ck_assert(!deleted);
  must(etcd_delete_if(etcd, "/claim", first, &deleted, &error), error);
  ck_assert(deleted);
  must(etcd_create(etcd, "/claim", "b", 0, NULL, 0, &third, &error), error);
  ck_assert_int_gt(third, first);
}
END_TEST

START_TEST(a_key_is_not_created_if_its_guard_has_changed)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(EtcdItem) guard = NULL;
  gint64 revision;
  put("/guard", "1");
  must(etcd_get(etcd, "/guard", &guard, NULL, &error), error);
  must(etcd_create(etcd, "/a", "", 0, "/guard", guard->mod_revision, &revision, &error), error);
  ck_assert_int_gt(revision, 0);
  put("/guard", "2");
  must(etcd_create(etcd, "/b", "", 0, "/guard", guard->mod_revision, &revision, &error), error);
  ck_assert_int_eq(revision, 0);
}
END_TEST

/* ---- Leases -------------------------------------------------------------------------------- */

START_TEST(keys_end_with_their_lease)
{
  g_autoptr(GError) error = NULL, late = NULL;
  g_autoptr(EtcdItem) item = NULL;
  gint64 lease, ttl;
  must(etcd_grant(etcd, 100, &lease, &error), error);
  must(etcd_put(etcd, "/node", "a", lease, &error), error);
  must(etcd_keep_alive(etcd, lease, &ttl, &error), error);
  ck_assert_int_eq(ttl, 100);
  must(etcd_time_to_live(etcd, lease, &ttl, &error), error);
  ck_assert_int_ge(ttl, 98);
  must(etcd_revoke(etcd, lease, &error), error);
  must(etcd_revoke(etcd, lease, &error), error);
  must(etcd_get(etcd, "/node", &item, NULL, &error), error);
  ck_assert_ptr_null(item);
  must(etcd_keep_alive(etcd, lease, &ttl, &error), error);
  ck_assert_int_eq(ttl, 0);
  ck_assert(!etcd_put(etcd, "/node", "a", lease, &late));
  ck_assert_msg(g_error_matches(late, ETCD_ERROR, ETCD_ERROR_LEASE), "%s", late->message);
}
END_TEST

/* ---- Watches ------------------------------------------------------------------------------- */

/* Returns: (transfer full): the next changes, as "key=value key"; without a value: deleted */
static char *next_changes(EtcdWatch *watch, gint64 *revision)
{
  g_autoptr(GError) error = NULL;
  GString *text = g_string_new(NULL);
  while (!text->len) {
    g_autoptr(GPtrArray) items = etcd_watch_next(watch, revision, &error);
    must(items != NULL, error);
    for (guint i = 0; i < items->len; i++) {
      const EtcdItem *item = items->pdata[i];
      g_string_append_printf(text, "%s%s%s%s", i ? " " : "", item->key, item->value ? "=" : "",
                             item->value ? item->value : "");
    }
  }
  return g_string_free(text, FALSE);
}

static void expect_changes(EtcdWatch *watch, gint64 *revision, const char *expected)
{
  g_autofree char *changes = next_changes(watch, revision);
  ck_assert_str_eq(changes, expected);
}

START_TEST(a_watch_sees_every_change_of_its_prefix)
{
  g_autoptr(GError) error = NULL;
  Etcd *client = client_of(&shared, 10);
  gint64 revision;
  put("/w/a", "0");
  GPtrArray *items = etcd_get_prefix(etcd, "/w/", &revision, &error);
  must(items != NULL, error);
  g_ptr_array_unref(items);
  put("/w/a", "1");
  put("/v", "1");
  EtcdWatch *watch = etcd_watch_new(client, "/w/", revision + 1, &error);
  must(watch != NULL, error);
  expect_changes(watch, &revision, "/w/a=1");
  put("/w/b", "");
  expect_changes(watch, &revision, "/w/b=");
  etcd_watch_free(&watch);

  must(etcd_delete(etcd, "/w/a", NULL, &error), error);
  watch = etcd_watch_new(client, "/w/", revision, &error);
  must(watch != NULL, error);
  expect_changes(watch, &revision, "/w/a");
  etcd_watch_free(&watch);
  etcd_free(&client);
}
END_TEST

START_TEST(a_watch_without_news_is_quiet)
{
  g_autoptr(GError) error = NULL;
  Etcd *client = client_of(&shared, 1);
  EtcdWatch *watch = etcd_watch_new(client, "/w/", 1, &error);
  must(watch != NULL, error);
  GPtrArray *items;
  while ((items = etcd_watch_next(watch, NULL, &error)))
    g_ptr_array_unref(items);
  ck_assert_msg(g_error_matches(error, ETCD_ERROR, ETCD_ERROR_QUIET), "%s", error->message);
  etcd_watch_free(&watch);
  etcd_free(&client);
}
END_TEST

static gpointer cancel_soon(gpointer user_data)
{
  g_usleep(100000);
  g_cancellable_cancel(cancellable);
  return NULL;
}

START_TEST(a_watch_can_be_cancelled)
{
  g_autoptr(GError) error = NULL;
  Etcd *client = client_of(&shared, 60);
  EtcdWatch *watch = etcd_watch_new(client, "/w/", 1, &error);
  must(watch != NULL, error);
  GThread *thread = g_thread_new("cancel", cancel_soon, NULL);
  GPtrArray *items;
  while ((items = etcd_watch_next(watch, NULL, &error)))
    g_ptr_array_unref(items);
  g_thread_join(thread);
  ck_assert_msg(g_error_matches(error, ETCD_ERROR, ETCD_ERROR_CANCELLED), "%s", error->message);
  etcd_watch_free(&watch);
  etcd_free(&client);
}
END_TEST

/* Runs etcdctl with words that are separated by spaces. */
static void etcdctl(const Server *server, const char *arguments)
{
  g_autofree char *command =
      g_strdup_printf("env ETCDCTL_API=3 etcdctl --endpoints %s %s", server->url, arguments);
  spawn(command, NULL);
}

START_TEST(a_compacted_revision_is_an_error_of_its_own)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(EtcdItem) item = NULL;
  gint64 revision;
  for (guint i = 0; i < 5; i++)
    put("/w/a", "1");
  must(etcd_get(etcd, "/w/a", &item, &revision, &error), error);
  g_autofree char *command = g_strdup_printf("compact %" G_GINT64_FORMAT, revision);
  etcdctl(&shared, command);
  Etcd *client = client_of(&shared, 10);
  EtcdWatch *watch = etcd_watch_new(client, "/w/", 2, &error);
  GPtrArray *items;
  while (watch && (items = etcd_watch_next(watch, NULL, &error)))
    g_ptr_array_unref(items);
  ck_assert_msg(g_error_matches(error, ETCD_ERROR, ETCD_ERROR_COMPACTED), "%s", error->message);
  etcd_watch_free(&watch);
  etcd_free(&client);
}
END_TEST

/* ---- Endpoints and credentials ------------------------------------------------------------- */

START_TEST(an_endpoint_that_does_not_answer_is_passed_over)
{
  g_autoptr(GError) error = NULL, wrong = NULL;
  g_autofree char *dead = g_strdup_printf("http://127.0.0.1:%u/", free_port());
  const char *endpoints[] = { dead, shared.url, NULL }, *only[] = { dead, NULL };
  Etcd *client = make_client(endpoints, NULL, NULL, 5), *lost = make_client(only, NULL, NULL, 5);
  must(etcd_put(client, "/a", "b", 0, &error), error);
  ck_assert(!etcd_put(lost, "/a", "b", 0, &wrong));
  ck_assert_msg(g_error_matches(wrong, ETCD_ERROR, ETCD_ERROR_UNAVAILABLE), "%s", wrong->message);
  ck_assert_msg(strstr(wrong->message, "127.0.0.1") && strstr(wrong->message, "refused"), "%s",
                wrong->message);
  etcd_free(&client);
  etcd_free(&lost);
}
END_TEST

START_TEST(a_member_that_was_restarted_is_asked_again_without_an_error)
{
  g_autoptr(GError) error = NULL;
  Server own;
  start_server(&own);
  Etcd *client = client_of(&own, 5);
  must(etcd_put(client, "/a", "b", 0, &error), error);
  kill_server(&own);
  run_server(&own);
  must(etcd_put(client, "/a", "c", 0, &error), error);
  etcd_free(&client);
  stop_server(&own);
}
END_TEST

static void expect_no_credentials(Etcd *client)
{
  g_autoptr(GError) error = NULL;
  ck_assert(!etcd_put(client, "/a", "b", 0, &error));
  ck_assert_msg(g_error_matches(error, ETCD_ERROR, ETCD_ERROR_CREDENTIALS), "%s", error->message);
  ck_assert(!strstr(error->message, "sacred"));
}

START_TEST(users_have_passwords)
{
  g_autoptr(GError) error = NULL;
  Server own;
  start_server(&own);
  const char *endpoints[] = { own.url, NULL };
  Etcd *early = make_client(endpoints, "root", "secret", 5), *without = client_of(&own, 5),
       *good = make_client(endpoints, "root", "secret", 5),
       *bad = make_client(endpoints, "root", "sacred", 5);
  etcdctl(&own, "user add root:secret");
  etcdctl(&own, "user grant-role root root");
  must(etcd_put(early, "/a", "before", 0, &error), error);
  etcdctl(&own, "auth enable");
  must(etcd_put(early, "/a", "after", 0, &error), error);
  must(etcd_put(good, "/a", "b", 0, &error), error);
  expect_no_credentials(bad);
  expect_no_credentials(without);

  kill_server(&own); /* its tokens are forgotten */
  run_server(&own);
  must(etcd_put(good, "/a", "c", 0, &error), error);
  etcd_free(&early);
  etcd_free(&without);
  etcd_free(&good);
  etcd_free(&bad);
  stop_server(&own);
}
END_TEST

int main(void)
{
  g_autofree char *program = g_find_program_in_path("etcd"),
                  *control = g_find_program_in_path("etcdctl");
  if (!program || !control) {
    puts("skipped: etcd or etcdctl is not installed");
    return 77;
  }
  TCase *tests = tcase_create("etcd");
  tcase_add_unchecked_fixture(tests, start_shared, stop_shared);
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, a_key_has_its_value_until_it_is_deleted);
  tcase_add_test(tests, an_empty_value_is_not_a_missing_one);
  tcase_add_test(tests, a_prefix_is_read_by_pages);
  tcase_add_test(tests, a_key_is_created_once);
  tcase_add_test(tests, a_key_is_not_created_if_its_guard_has_changed);
  tcase_add_test(tests, keys_end_with_their_lease);
  tcase_add_test(tests, a_watch_sees_every_change_of_its_prefix);
  tcase_add_test(tests, a_watch_without_news_is_quiet);
  tcase_add_test(tests, a_watch_can_be_cancelled);
  tcase_add_test(tests, a_compacted_revision_is_an_error_of_its_own);
  tcase_add_test(tests, an_endpoint_that_does_not_answer_is_passed_over);
  tcase_add_test(tests, a_member_that_was_restarted_is_asked_again_without_an_error);
  tcase_add_test(tests, users_have_passwords);
  return fixtures_run(tests, "etcd");
}
