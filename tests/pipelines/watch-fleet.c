/* A fleet without etcd: its keys, the texts of its cameras, what a node decides, and its lines. */
#include <string.h>

#include "config/config.h"
#include "fixtures.h"
#include "fleet/claims.h"
#include "fleet/fence.h"
#include "output/ownership.h"

/* ---- The key file -------------------------------------------------------------------------- */

static Config *parse(const char *text, GError **error)
{
  return config_parse("watch.conf", text, strlen(text), error);
}

#define FLEET  "[fleet]\netcd=http://a:2379;https://b\n"
#define CAMERA "[camera a]\nurl=rtsp://a/\n"

START_TEST(a_fleet_needs_no_cameras_of_its_own)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Config) config = parse(FLEET "capacity=20.5\nlease=2\n", &error);
  ck_assert_msg(config != NULL, "%s", error ? error->message : "");
  ck_assert_str_eq(config->fleet.etcd[1], "https://b");
  ck_assert_str_eq(config->fleet.name, "default");
  ck_assert_str_eq(config->fleet.node, g_get_host_name());
  ck_assert_uint_eq(config->fleet.lease, 2);
  ck_assert_double_eq(config->fleet.capacity, 20.5);
  g_autoptr(Config) measured = parse(FLEET "capacity=auto\n", &error);
  ck_assert_double_eq(measured->fleet.capacity, 0);
  ck_assert(!fleet_config_equal(&config->fleet, &measured->fleet));
}
END_TEST

static const struct {
  const char *text, *message;
} bad_files[] = {
  { "[fleet]\n", "[fleet] etcd: is missing" },
  { "[fleet]\netcd=a:2379\n", "\"a:2379\": expected http://HOST:PORT" },
  { "[fleet]\netcd=http://eve:secret@a\n", "credentials have their own keys" },
  { "[fleet]\netcd=http://a/v3\n", "expected http://HOST:PORT" },
  { FLEET "lease=1\n", "[fleet] lease: 1: expected a number from 2 to 300" },
  { FLEET "capacity=0\n", "[fleet] capacity: \"0\": expected auto or a number of GMAC/s" },
  { FLEET "capacity=fast\n", "[fleet] capacity: \"fast\": expected auto" },
  { FLEET "node=a/b\n", "[fleet] node: \"a/b\": expected at most 100 bytes" },
  { FLEET "name=a b\n", "[fleet] name: \"a b\": expected at most 100 bytes" },
  { FLEET "colour=red\n", "[fleet] colour: unknown key, expected one of capacity, etcd" },
  { FLEET "certificate=/etc/hostname\n", "certificate and key need each other" },
  { FLEET "ca-file=/none\n", "[fleet] ca-file: /none cannot be read" },
  { "[fleet]\netcd=http://a\nca-file=/etc/hostname\n", "etcd has no https:// URL" },
  { FLEET "credentials-env=NO_SUCH_VARIABLE\n", "$NO_SUCH_VARIABLE: is not set" },
  { FLEET "[defaults]\nintervall=5\n", "[defaults] intervall: unknown key" },
};

START_TEST(refuses_wrong_keys)
{
  g_autoptr(GError) error = NULL;
  ck_assert_ptr_null(parse(bad_files[_i].text, &error));
  assert_error(error, bad_files[_i].message);
  ck_assert_ptr_null(strstr(error->message, "secret"));
}
END_TEST

/* ---- Texts of cameras ---------------------------------------------------------------------- */

START_TEST(a_text_takes_the_defaults_of_this_machine)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Config) base = parse(FLEET "[defaults]\nthreads=3\n", &error);
  CameraConfig *camera = config_parse_camera(
      base, "gate", "[camera gate]\nurl=rtsp://a/\n[look l]\ncamera=gate\n", &error);
  ck_assert_msg(camera != NULL, "%s", error ? error->message : "");
  ck_assert_uint_eq(camera->threads, 3);
  ck_assert_uint_eq(camera->looks->len, 1);
  camera_config_free(camera);
}
END_TEST

static const struct {
  const char *text, *message;
} bad_texts[] = {
  { "", "camera gate of the fleet: there is no group [camera gate]" },
  { "[camera gate]\n\nurl=rtsp//a\n", "line 3: [camera gate] url: \"rtsp//a\" is not a URL" },
  { "[camera gate]\nurl=rtsp://a/\ncolour=red\n", "line 3: [camera gate] colour: unknown key" },
  { "[camera gate]\nurl=rtsp://a/\nnonsense\n", "camera gate of the fleet: line 3: expected KEY" },
  { "[camera gate]\nthreads=2\n", "line 1: [camera gate] url: is missing" },
  { "[camera gate]\nurl=rtsp://a/\n[log]\nfile=x\n", "line 3: [log]: expected only [camera gate]" },
  { "[camera b]\nurl=rtsp://a/\n", "line 1: [camera b]: expected only [camera gate]" },
  { "[camera gate]\nurl=rtsp://a/\n[look l]\ncamera=b\n", "line 4: [look l] camera: \"b\": there" },
  { "[camera gate]\nurl=rtsp://eve:secret@a/\n", "set user and password in credentials-file" },
};

START_TEST(refuses_a_wrong_text_with_its_line)
{
  g_autoptr(GError) error = NULL;
  ck_assert_ptr_null(config_parse_camera(NULL, "gate", bad_texts[_i].text, &error));
  assert_error(error, bad_texts[_i].message);
  ck_assert_ptr_null(strstr(error->message, "secret"));
}
END_TEST

static GPtrArray *cameras_of(const char *const *names, const char *keys)
{
  GPtrArray *cameras = g_ptr_array_new_with_free_func((GDestroyNotify)camera_config_free);
  for (; *names; names++) {
    g_autofree char *text = g_strdup_printf("[camera %s]\nurl=rtsps://h/\n%s", *names, keys);
    g_ptr_array_add(cameras, config_parse_camera(NULL, *names, text, NULL));
  }
  return cameras;
}

START_TEST(cameras_of_a_fleet_are_beside_those_of_the_file)
{
  static const char *const names[] = { "a", "b", NULL };
  g_autoptr(Config) base = parse(FLEET CAMERA, NULL);
  g_autoptr(GPtrArray) cameras = cameras_of(names, "");
  g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(Config) config = config_with_cameras(base, cameras, problems);
  ck_assert_uint_eq(config->cameras->len, 2);
  ck_assert_str_eq(((CameraConfig *)config->cameras->pdata[1])->name, "b");
  ck_assert_uint_eq(problems->len, 1);
  ck_assert_str_eq(problems->pdata[0], "camera a of the fleet: this machine has a camera of that "
                                       "name in its key file");
}
END_TEST

START_TEST(cameras_of_one_server_need_the_same_check_of_its_certificate)
{
  static const char *const one[] = { "a", NULL }, *const other[] = { "b", NULL };
  g_autoptr(Config) base = parse(FLEET, NULL);
  g_autoptr(GPtrArray) cameras = cameras_of(one, "insecure=true\n");
  g_autoptr(GPtrArray) more = cameras_of(other, "");
  g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
  g_ptr_array_add(cameras, g_ptr_array_steal_index(more, 0));
  g_autoptr(Config) config = config_with_cameras(base, cameras, problems);
  ck_assert_uint_eq(config->cameras->len, 1);
  ck_assert_uint_eq(problems->len, 1);
  ck_assert_ptr_nonnull(strstr(problems->pdata[0], "insecure differs from camera a"));
}
END_TEST

/* ---- What a node decides ------------------------------------------------------------------- */

#define LEASE   7
#define SECONDS G_USEC_PER_SEC

static View view;
static Claims claims;
static gint64 revision, now;

static void set_up(void)
{
  view_init(&view, g_strdup("/vitgate/f/"));
  claims_init(&claims);
  revision = 0;
  now = g_get_monotonic_time();
  claims_set_lease(&claims, LEASE, now);
  now += 2 * SECONDS;
}

static void tear_down(void)
{
  view_clear(&view);
  claims_clear(&claims);
}

/* @value: (nullable): NULL: the key is deleted
 * Returns: the revision */
static gint64 change(const char *key, const char *value, gint64 lease)
{
  g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func((GDestroyNotify)etcd_item_free);
  EtcdItem *item = g_new0(EtcdItem, 1);
  item->key = g_strconcat("/vitgate/f/", key, NULL);
  item->value = g_strdup(value);
  item->mod_revision = item->create_revision = ++revision;
  item->lease = lease;
  g_ptr_array_add(items, item);
  view_apply(&view, items);
  return revision;
}

static void add_node(const char *name, gint64 lease)
{
  g_autofree char *key = g_strconcat("nodes/", name, NULL);
  g_autofree char *value = g_strdup_printf("{\"id\":\"%s\",\"capacity\":1}", name);
  change(key, value, lease);
}

static void add_cameras(guint n)
{
  for (guint i = 0; i < n; i++) {
    g_autofree char *key = g_strdup_printf("cameras/%u", i);
    change(key, "text", 0);
  }
}

static const ViewNode *me(void)
{
  return g_hash_table_lookup(view.nodes, "me");
}

static gboolean update(void)
{
  g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(wanted_free);
  return claims_update(&claims, &view, me(), now, texts);
}

/* Claims what the node wants. Returns: how many */
static guint claim_all(void)
{
  gint64 next = G_MAXINT64;
  g_autoptr(GPtrArray) wanted = claims_find_wanted(&claims, &view, me(), now, 1000, &next);
  for (guint i = 0; i < wanted->len; i++) {
    const Wanted *camera = wanted->pdata[i];
    g_autofree char *key = g_strconcat("claims/", camera->name, NULL);
    claims_add(&claims, camera, change(key, "{\"node\":\"me\"}", LEASE));
  }
  return wanted->len;
}

static guint count_owned(void)
{
  g_autoptr(GPtrArray) cameras = claims_list(&claims);
  return cameras->len;
}

/* Stops the cameras that leave, and deletes their claims. Returns: how many */
static guint delete_claims(guint64 serial)
{
  claims_announce(&claims, serial);
  g_autoptr(GPtrArray) none = claims_find_stopped(&claims, serial - 1);
  ck_assert_uint_eq(none->len, 0);
  g_autoptr(GPtrArray) stopped = claims_find_stopped(&claims, serial);
  for (guint i = 0; i < stopped->len; i++) {
    const Leaving *leaving = stopped->pdata[i];
    g_autofree char *key = g_strconcat("claims/", leaving->name, NULL);
    claims_deleted(&claims, leaving);
    update(); /* which must not take the camera back */
    change(key, NULL, 0);
  }
  return stopped->len;
}

START_TEST(a_node_claims_what_it_should_have)
{
  add_node("me", LEASE);
  add_node("other", 8);
  add_cameras(100);
  const guint mine = claim_all();
  ck_assert_uint_gt(mine, 30);
  ck_assert_uint_lt(mine, 70);
  ck_assert(!update());
  ck_assert_uint_eq(claim_all(), 0);
  now = g_get_monotonic_time() + 10 * SECONDS; /* the other one claims nothing */
  ck_assert_uint_eq(claim_all(), 100 - mine);
  ck_assert(!update()); /* and does not get them back by that */
}
END_TEST

START_TEST(a_node_that_dies_leaves_its_cameras_to_others_at_once)
{
  add_node("me", LEASE);
  add_node("other", 8);
  add_cameras(100);
  const guint mine = claim_all();
  change("nodes/other", NULL, 0);
  ck_assert_uint_eq(claim_all(), 100 - mine);
}
END_TEST

START_TEST(a_node_that_comes_gets_its_cameras_some_at_a_time)
{
  add_node("me", LEASE);
  add_cameras(100);
  ck_assert_uint_eq(claim_all(), 100);
  add_node("other", 8);
  guint n_left = 0;
  for (guint64 serial = 2; update(); serial += 2) {
    const guint n = delete_claims(serial);
    ck_assert_uint_le(n, 8);
    n_left += n;
    ck_assert(!update()); /* until they have been claimed */
    ck_assert_uint_eq(claim_all(), 0);
    for (guint i = 0; i < 100; i++) {
      g_autofree char *name = g_strdup_printf("%u", i), *key = g_strconcat("claims/", name, NULL);
      const ViewCamera *camera = g_hash_table_lookup(view.cameras, name);
      if (!camera->claim)
        change(key, "{\"node\":\"other\"}", 8);
    }
  }
  ck_assert_uint_gt(n_left, 30);
  ck_assert_uint_eq(count_owned(), 100 - n_left);
  change("nodes/other", NULL, 0);
  ck_assert(!update());
}
END_TEST

START_TEST(a_drained_node_gives_everything_away)
{
  add_node("me", LEASE);
  add_cameras(8);
  ck_assert_uint_eq(claim_all(), 8);
  change("drain/me", "", 0);
  ck_assert(update());
  ck_assert_uint_eq(count_owned(), 0);
  ck_assert_uint_eq(delete_claims(2), 8);
  update();
  ck_assert_uint_eq(claim_all(), 0);
  change("drain/me", NULL, 0);
  now += 6 * SECONDS;
  ck_assert_uint_eq(claim_all(), 8);
}
END_TEST

START_TEST(a_claim_that_is_gone_is_lost)
{
  add_node("me", LEASE);
  add_cameras(2);
  claim_all();
  change("claims/0", NULL, 0);
  ck_assert(update());
  ck_assert_uint_eq(count_owned(), 1);
  change("claims/1", NULL, 0);
  change("claims/1", "{\"node\":\"other\"}", 8);
  ck_assert(update());
  ck_assert_uint_eq(count_owned(), 0);
}
END_TEST

START_TEST(a_claim_whose_answer_was_lost_is_found)
{
  add_node("me", LEASE);
  add_cameras(1);
  const gint64 claim = change("claims/0", "{\"node\":\"me\"}", LEASE);
  ck_assert(update());
  g_autoptr(GPtrArray) cameras = claims_list(&claims);
  ck_assert_uint_eq(cameras->len, 1);
  ck_assert_int_eq(((FleetCamera *)cameras->pdata[0])->claim, claim);
}
END_TEST

START_TEST(another_lease_owns_nothing)
{
  add_node("me", LEASE);
  add_cameras(2);
  claim_all();
  ck_assert(claims_set_lease(&claims, 0, now));
  ck_assert_uint_eq(count_owned(), 0);
}
END_TEST

START_TEST(a_camera_that_was_removed_stops)
{
  add_node("me", LEASE);
  add_cameras(1);
  claim_all();
  change("cameras/0", NULL, 0);
  ck_assert(update());
  ck_assert_uint_eq(count_owned(), 0);
  ck_assert_uint_eq(delete_claims(2), 1);
  ck_assert_uint_eq(g_hash_table_size(view.cameras), 0);
}
END_TEST

START_TEST(a_refused_text_is_not_claimed_until_it_changes)
{
  gint64 next = G_MAXINT64;
  add_node("me", LEASE);
  add_cameras(1);
  g_autoptr(GPtrArray) wanted = claims_find_wanted(&claims, &view, me(), now, 10, &next);
  claims_refuse(&claims, wanted->pdata[0]);
  ck_assert_uint_eq(claim_all(), 0);
  change("cameras/0", "better", 0);
  ck_assert_uint_eq(claim_all(), 1);
}
END_TEST

/* ---- Lines --------------------------------------------------------------------------------- */

static gboolean lease_is_even(gint64 lease, gpointer user_data)
{
  return lease % 2 == 0;
}

static void expect_line(Ownership *ownership, const char *camera, gint64 claim,
                        const char *expected)
{
  static const char line[] = "{\"event\":\"x\"}\n";
  g_autofree char *own = NULL;
  gsize length = strlen(line);
  const char *marked = ownership_mark(ownership, camera, claim, line, &length, &own);
  if (!expected) {
    ck_assert_ptr_null(marked);
    return;
  }
  ck_assert_uint_eq(length, strlen(expected));
  ck_assert_int_eq(memcmp(marked, expected, length), 0);
}

START_TEST(lines_of_a_fleet_say_who_has_published_them)
{
  Ownership *ownership = ownership_new();
  ownership_set_node(ownership, "a\"b", lease_is_even, NULL);
  ownership_set(ownership, "mine", 12, 2);
  ownership_set(ownership, "fenced", 13, 3);
  expect_line(ownership, "local", 0, "{\"event\":\"x\"}\n");
  expect_line(ownership, "mine", 12, "{\"event\":\"x\",\"node\":\"a\\\"b\",\"claim\":12}\n");
  expect_line(ownership, "fenced", 13, NULL);
  ck_assert(!ownership_allows(ownership, "fenced", 13));
  ck_assert(ownership_allows(ownership, "mine", 12));
  ck_assert(ownership_allows(ownership, "local", 0));
  ownership_free(&ownership);
}
END_TEST

/* As a camera does that hangs when it should stop. */
START_TEST(lines_for_a_claim_that_is_over_are_dropped)
{
  Ownership *ownership = ownership_new();
  g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
  ownership_set_node(ownership, "a", lease_is_even, NULL);
  ownership_set(ownership, "gate", 12, 2);
  ownership_set(ownership, "yard", 13, 2);
  ownership_set(ownership, "gate", 20, 2); /* lost and claimed again */
  expect_line(ownership, "gate", 12, NULL);
  ck_assert(!ownership_allows(ownership, "gate", 12));
  expect_line(ownership, "gate", 20, "{\"event\":\"x\",\"node\":\"a\",\"claim\":20}\n");
  g_hash_table_add(names, "gate");
  ownership_keep(ownership, names); /* others may have the yard now */
  expect_line(ownership, "yard", 13, NULL);
  ck_assert(!ownership_allows(ownership, "yard", 13));
  ownership_set_node(ownership, NULL, NULL, NULL); /* the node has left the fleet */
  expect_line(ownership, "gate", 20, NULL);
  ck_assert(!ownership_allows(ownership, "gate", 20));
  ownership_free(&ownership);
}
END_TEST

START_TEST(the_fence_is_before_the_end_of_the_lease)
{
  ck_assert_int_eq(fence_end(0, 10), 9 * SECONDS);
  ck_assert_int_lt(fence_end(0, 2), 2 * SECONDS);
  ck_assert_int_gt(fence_end(0, 2), 4 * SECONDS / 3); /* two keep-alives may fail */
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("fleet");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, a_fleet_needs_no_cameras_of_its_own);
  tcase_add_loop_test(tests, refuses_wrong_keys, 0, G_N_ELEMENTS(bad_files));
  tcase_add_test(tests, a_text_takes_the_defaults_of_this_machine);
  tcase_add_loop_test(tests, refuses_a_wrong_text_with_its_line, 0, G_N_ELEMENTS(bad_texts));
  tcase_add_test(tests, cameras_of_a_fleet_are_beside_those_of_the_file);
  tcase_add_test(tests, cameras_of_one_server_need_the_same_check_of_its_certificate);
  tcase_add_test(tests, a_node_claims_what_it_should_have);
  tcase_add_test(tests, a_node_that_dies_leaves_its_cameras_to_others_at_once);
  tcase_add_test(tests, a_node_that_comes_gets_its_cameras_some_at_a_time);
  tcase_add_test(tests, a_drained_node_gives_everything_away);
  tcase_add_test(tests, a_claim_that_is_gone_is_lost);
  tcase_add_test(tests, a_claim_whose_answer_was_lost_is_found);
  tcase_add_test(tests, another_lease_owns_nothing);
  tcase_add_test(tests, a_camera_that_was_removed_stops);
  tcase_add_test(tests, a_refused_text_is_not_claimed_until_it_changes);
  tcase_add_test(tests, lines_of_a_fleet_say_who_has_published_them);
  tcase_add_test(tests, lines_for_a_claim_that_is_over_are_dropped);
  tcase_add_test(tests, the_fence_is_before_the_end_of_the_lease);
  return fixtures_run(tests, "fleet");
}
