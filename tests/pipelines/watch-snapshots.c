/* Snapshots of events: a ring of files that survives everything, and the history of a camera. */
#include "page/pictures/snapshots.h"

#include <string.h>
#include <sys/stat.h>

#include <glib/gstdio.h>

#include "base/members.h"
#include "fixtures.h"
#include "page/history.h"

#define LIMIT  (200 << 10)
#define WIDTH  320
#define HEIGHT 240

static char *folder, *place;
static GstSample *frame;

/* A frame that JPEG cannot make small. */
static GstSample *make_frame(void)
{
  g_autoptr(GstCaps) caps = gst_caps_new_simple(
      "video/x-raw", "format", G_TYPE_STRING, "GRAY8", "width", G_TYPE_INT, WIDTH, "height",
      G_TYPE_INT, HEIGHT, "framerate", GST_TYPE_FRACTION, 25, 1, NULL);
  g_autoptr(GstBuffer) buffer = gst_buffer_new_allocate(NULL, WIDTH * HEIGHT, NULL);
  g_autoptr(GRand) random = g_rand_new_with_seed(7);
  GstMapInfo map;
  ck_assert(gst_buffer_map(buffer, &map, GST_MAP_WRITE));
  for (gsize i = 0; i < map.size; i++)
    map.data[i] = (guint8)g_rand_int(random);
  gst_buffer_unmap(buffer, &map);
  return gst_sample_new(buffer, caps, NULL, NULL);
}

static void set_up(void)
{
  gst_init(NULL, NULL);
  folder = fixtures_folder();
  place = g_build_filename(folder, "page", "snapshots", NULL);
  frame = make_frame();
}

static void tear_down(void)
{
  fixtures_limit_file_size(RLIM_INFINITY);
  gst_sample_unref(frame);
  g_free(place);
  fixtures_remove(folder);
}

static char *make_id(guint number)
{
  return g_strdup_printf("%016u-%08x", 1000 + number, number);
}

static gboolean take(Snapshots *snapshots, guint number, const char *camera)
{
  g_autofree char *id = make_id(number);
  return snapshots_take(snapshots, id, camera, frame, "{\"look\":\"gate\"}");
}

typedef struct {
  GMainLoop *loop;
  GBytes *bytes;
  GError *error;
} Loaded;

static void on_picture(GObject *source, GAsyncResult *result, gpointer user_data)
{
  Loaded *loaded = user_data;
  loaded->bytes = snapshots_load_finish(result, &loaded->error);
  g_main_loop_quit(loaded->loop);
}

/* Waits for all pictures before it, too.
 * Returns: (transfer full) (nullable) */
static GBytes *load(Snapshots *snapshots, const char *id)
{
  Loaded loaded = { .loop = g_main_loop_new(NULL, FALSE) };
  snapshots_load(snapshots, id, on_picture, &loaded);
  g_main_loop_run(loaded.loop);
  g_main_loop_unref(loaded.loop);
  if (loaded.error)
    assert_error(loaded.error, "there is no picture of this event");
  g_clear_error(&loaded.error);
  return loaded.bytes;
}

static gboolean has_picture(Snapshots *snapshots, guint number)
{
  g_autofree char *id = make_id(number);
  g_autoptr(GBytes) bytes = load(snapshots, id);
  ck_assert_int_eq(snapshots_has(snapshots, id), bytes != NULL);
  return bytes != NULL;
}

/* Takes pictures @first to @last, without haste. */
static void take_all(Snapshots *snapshots, guint first, guint last)
{
  for (guint i = first; i <= last; i++) {
    ck_assert(take(snapshots, i, i % 2 ? "yard" : "door"));
    has_picture(snapshots, i);
  }
}

/* Returns: bytes of all files, as the disk counts them; their number through @n */
static guint64 measure(guint *n)
{
  g_autoptr(GDir) files = g_dir_open(place, 0, NULL);
  const char *name;
  guint64 bytes = 0;
  for (*n = 0; (name = g_dir_read_name(files)); ++*n) {
    g_autofree char *path = g_build_filename(place, name, NULL);
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert(g_str_has_suffix(name, ".jpg"));
    bytes += ((guint64)status.st_size + 4095) / 4096 * 4096;
  }
  return bytes;
}

START_TEST(the_newest_pictures_are_kept_up_to_the_limit)
{
  Snapshots *snapshots = snapshots_new(place, LIMIT);
  SnapshotsStatus status;
  guint n;
  take_all(snapshots, 0, 19);
  snapshots_get_status(snapshots, &status);
  ck_assert_uint_eq(measure(&n), status.bytes);
  ck_assert_uint_eq(n, status.count);
  ck_assert_uint_le(status.bytes, LIMIT);
  ck_assert_uint_ge(n, 2);
  ck_assert_uint_lt(n, 20);
  for (guint i = 0; i < 20; i++)
    ck_assert_int_eq(has_picture(snapshots, i), i >= 20 - n);
  snapshots_free(&snapshots);
}
END_TEST

START_TEST(pictures_stay_after_a_restart_and_go_in_their_order)
{
  Snapshots *snapshots = snapshots_new(place, 10 * LIMIT);
  take_all(snapshots, 10, 14);
  snapshots_free(&snapshots);
  snapshots = snapshots_new(place, 10 * LIMIT);
  take_all(snapshots, 0, 4); /* the clock was set back meanwhile */
  guint n;
  const guint64 bytes = measure(&n);
  ck_assert_uint_eq(n, 10);
  snapshots_free(&snapshots);
  snapshots = snapshots_new(place, bytes * 6 / 10);
  ck_assert(!has_picture(snapshots, 10));
  ck_assert(has_picture(snapshots, 0));
  ck_assert(has_picture(snapshots, 4));
  snapshots_free(&snapshots);
}
END_TEST

START_TEST(what_a_killed_program_leaves_is_removed)
{
  Snapshots *snapshots = snapshots_new(place, LIMIT);
  take_all(snapshots, 0, 1);
  snapshots_free(&snapshots);
  fixtures_write(place, ".new-77", "half a picture", -1);
  fixtures_write(place, "0000000000000009-0000000000001009-00000009-00000000.jpg", "", 0);
  fixtures_write(folder, "precious", "x", 1);
  snapshots = snapshots_new(place, LIMIT);
  guint n;
  measure(&n);
  ck_assert_uint_eq(n, 2);
  ck_assert(!has_picture(snapshots, 9));
  snapshots_free(&snapshots);
}
END_TEST

START_TEST(other_files_in_the_folder_are_left_alone)
{
  static const char *const names[] = { "note.txt", "0000000000000009-0000000000001009-00000009.jpg",
                                       "x000000000000009-0000000000001009-00000009-00000000.jpg" };
  for (guint i = 0; i < G_N_ELEMENTS(names); i++)
    fixtures_write(place, names[i], "mine", -1);
  Snapshots *snapshots = snapshots_new(place, LIMIT);
  SnapshotsStatus status;
  take_all(snapshots, 0, 19);
  snapshots_get_status(snapshots, &status);
  ck_assert_uint_lt(status.count, 20);
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *path = g_build_filename(place, names[i], NULL);
    ck_assert(g_file_test(path, G_FILE_TEST_EXISTS));
  }
  snapshots_free(&snapshots);
}
END_TEST

START_TEST(events_have_no_pictures_while_the_disk_is_full)
{
  Snapshots *snapshots = snapshots_new(place, LIMIT);
  guint n;
  take_all(snapshots, 0, 0);
  fixtures_limit_file_size(4096);
  for (guint i = 1; i < 4; i++) {
    ck_assert(take(snapshots, i, "yard"));
    ck_assert(!has_picture(snapshots, i));
  }
  measure(&n);
  ck_assert_uint_eq(n, 1);
  SnapshotsStatus status;
  snapshots_get_status(snapshots, &status);
  ck_assert_uint_eq(status.dropped, 3);
  fixtures_limit_file_size(RLIM_INFINITY);
  take_all(snapshots, 4, 4);
  ck_assert(has_picture(snapshots, 4));
  snapshots_free(&snapshots);
}
END_TEST

START_TEST(a_folder_that_cannot_be_made_is_tried_again)
{
  g_autofree char *above = g_build_filename(folder, "page", NULL);
  fixtures_write(folder, "page", "a file", -1);
  Snapshots *snapshots = snapshots_new(place, LIMIT);
  ck_assert(take(snapshots, 0, "yard"));
  ck_assert(!has_picture(snapshots, 0));
  g_unlink(above);
  take_all(snapshots, 1, 1);
  ck_assert(has_picture(snapshots, 1));
  snapshots_free(&snapshots);
}
END_TEST

START_TEST(few_frames_wait)
{
  Snapshots *snapshots = snapshots_new(place, 100 * LIMIT);
  guint n_taken = 0;
  for (guint i = 0; i < 1000; i++)
    n_taken += (guint)take(snapshots, i, "yard");
  SnapshotsStatus status;
  g_autofree char *id = make_id(1001);
  ck_assert_ptr_null(load(snapshots, id));
  snapshots_get_status(snapshots, &status);
  ck_assert_uint_eq(status.count, n_taken);
  ck_assert_uint_eq(status.dropped, 1000 - n_taken);
  ck_assert_uint_ge(n_taken, 8);
  ck_assert_uint_lt(n_taken, 500); /* encoding takes much longer than asking for it */
  snapshots_free(&snapshots);
}
END_TEST

START_TEST(an_event_has_one_picture)
{
  Snapshots *snapshots = snapshots_new(place, LIMIT);
  take_all(snapshots, 0, 0);
  ck_assert(!take(snapshots, 0, "door"));
  g_autofree char *id = make_id(0), *more = g_strconcat(id, "x", NULL);
  ck_assert_ptr_null(load(snapshots, more));
  ck_assert_ptr_null(load(snapshots, ""));
  ck_assert_ptr_null(load(snapshots, "../../../etc/passwd"));
  ck_assert(!snapshots_take(snapshots, "../../../etc/passwd", "yard", frame, ""));
  snapshots_free(&snapshots);
}
END_TEST

START_TEST(without_a_limit_there_are_no_pictures)
{
  Snapshots *snapshots = snapshots_new(place, 0);
  ck_assert(!take(snapshots, 0, "yard"));
  ck_assert(!g_file_test(place, G_FILE_TEST_EXISTS));
  snapshots_free(&snapshots);
}
END_TEST

START_TEST(pictures_of_a_camera_are_listed)
{
  Snapshots *snapshots = snapshots_new(place, 10 * LIMIT);
  take_all(snapshots, 0, 9);
  g_autoptr(GPtrArray) list = snapshots_list(snapshots, "yard", 1004);
  ck_assert_uint_eq(list->len, 3);
  for (guint i = 0; i < list->len; i++) {
    const Snapshot *snapshot = list->pdata[i];
    ck_assert_int_eq(snapshot->time, 1009 - 2 * i);
    ck_assert(g_file_test(snapshot->path, G_FILE_TEST_EXISTS));
  }
  g_autoptr(GPtrArray) none = snapshots_list(snapshots, "nobody", 0);
  ck_assert_uint_eq(none->len, 0);
  snapshots_free(&snapshots);
}
END_TEST

/* ---- History ------------------------------------------------------------------------------- */

#define SECOND G_GINT64_CONSTANT(1000000)
#define WALL   (G_GINT64_CONSTANT(1795960992) * SECOND)

/* @look: (nullable) */
static void add_frame(History *history, const char *look, const char *label, const char *state,
                      double time)
{
  g_autofree char *name = look ? g_strdup_printf("\"look\":\"%s\",", look) : g_strdup("");
  g_autofree char *line =
      g_strdup_printf("{\"results\":[{%s\"label\":\"%s\",\"score\":0.75,\"state\":\"%s\","
                      "\"compute\":{\"ratio\":0.5,\"time\":12345678}}]}\n",
                      name, label, state);
  history_frame(history, "yard", line, strlen(line), (gint64)(time * 1e6));
}

static JsonNode *write_history(History *history, const char *look, double seconds, double now)
{
  g_autoptr(JsonBuilder) builder = json_builder_new();
  history_write(history, "yard", look, seconds, (gint64)(now * 1e6), WALL, builder);
  return json_builder_get_root(builder);
}

static JsonArray *get_samples(JsonNode *root)
{
  return json_object_get_array_member(json_node_get_object(root), "samples");
}

static void assert_sample(JsonNode *root, guint i, const char *wanted)
{
  g_autofree char *text = json_to_string(json_array_get_element(get_samples(root), i), FALSE);
  ck_assert_str_eq(text, wanted);
}

START_TEST(steps_have_a_sample_each)
{
  History *history = history_new();
  for (guint i = 0; i < 100; i++) /* ten seconds of ten frames */
    add_frame(history, NULL, i < 50 ? "open" : "closed", i % 2 ? "interval" : "fresh", i * 0.1);
  g_autoptr(JsonNode) all = write_history(history, NULL, 3600, 10);
  ck_assert_uint_eq(json_array_get_length(get_samples(all)), 5);
  assert_sample(all, 0,
                "{\"time\":\"2026-11-29T14:03:02.000000Z\",\"label\":\"open\",\"score\":0.75,"
                "\"compute_ratio\":0.5,\"latency_ms\":12.34375,\"state\":null}");
  g_autoptr(JsonNode) part = write_history(history, NULL, 5, 10);
  ck_assert_uint_eq(json_array_get_length(get_samples(part)), 2);
  g_autoptr(JsonNode) look = write_history(history, "gate", 3600, 10);
  ck_assert_uint_eq(json_array_get_length(get_samples(look)), 0);
  history_free(&history);
}
END_TEST

START_TEST(looks_and_states_are_apart)
{
  static const char event[] = "{\"event\":\"state\",\"look\":\"gate\",\"to\":\"open\"}\n";
  History *history = history_new();
  history_event(history, "yard", event, strlen(event));
  add_frame(history, "gate", "open", "fresh", 1);
  add_frame(history, NULL, "street", "unchanged", 2);
  g_autoptr(JsonNode) look = write_history(history, "gate", 3600, 2);
  assert_sample(look, 0,
                "{\"time\":\"2026-11-29T14:03:11.000000Z\",\"label\":\"open\",\"score\":0.75,"
                "\"compute_ratio\":0.5,\"latency_ms\":12.34375,\"state\":\"open\"}");
  g_autoptr(JsonNode) whole = write_history(history, NULL, 3600, 2);
  assert_sample(whole, 0,
                "{\"time\":\"2026-11-29T14:03:12.000000Z\",\"label\":\"street\",\"score\":0.75,"
                "\"compute_ratio\":0.0,\"latency_ms\":null,\"state\":null}");
  history_free(&history);
}
END_TEST

START_TEST(a_time_without_frames_is_a_gap)
{
  static const char gap[] =
      "{\"time\":\"2026-11-29T14:02:24.000000Z\",\"label\":null,\"score\":null,"
      "\"compute_ratio\":null,\"latency_ms\":null,\"state\":null}";
  History *history = history_new();
  add_frame(history, NULL, "open", "fresh", 10);
  add_frame(history, NULL, "open", "fresh", 50);
  g_autoptr(JsonNode) root = write_history(history, NULL, 3600, 60);
  ck_assert_uint_eq(json_array_get_length(get_samples(root)), 4);
  assert_sample(root, 1, gap);
  history_free(&history);
}
END_TEST

START_TEST(an_hour_is_all_that_is_kept)
{
  History *history = history_new();
  for (guint i = 0; i < 3 * HISTORY_SAMPLES; i++) {
    g_autofree char *label = g_strdup_printf("label %u", i);
    add_frame(history, NULL, label, "fresh", i * HISTORY_STEP);
  }
  const double now = 3 * HISTORY_SAMPLES * HISTORY_STEP;
  g_autoptr(JsonNode) root = write_history(history, NULL, 1e9, now);
  ck_assert_uint_eq(json_array_get_length(get_samples(root)), HISTORY_SAMPLES);
  static const char *const none[] = { NULL };
  history_keep(history, none);
  g_autoptr(JsonNode) empty = write_history(history, NULL, 1e9, now);
  ck_assert_uint_eq(json_array_get_length(get_samples(empty)), 0);
  history_free(&history);
}
END_TEST

START_TEST(lines_that_are_no_json_do_no_harm)
{
  static const char *const lines[] = { "",
                                       "{",
                                       "[]",
                                       "null",
                                       "{\"results\":7}",
                                       "{\"results\":[7]}",
                                       "{\"event\":\"state\",\"to\":7}",
                                       "{\"event\":[\"state\"]}" };
  History *history = history_new();
  for (guint i = 0; i < G_N_ELEMENTS(lines); i++) {
    history_frame(history, "yard", lines[i], strlen(lines[i]), i * SECOND);
    history_event(history, "yard", lines[i], strlen(lines[i]));
  }
  g_autoptr(JsonNode) root = write_history(history, NULL, 3600, 20);
  ck_assert_uint_eq(json_array_get_length(get_samples(root)), 0);
  history_free(&history);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("snapshots");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, the_newest_pictures_are_kept_up_to_the_limit);
  tcase_add_test(tests, pictures_stay_after_a_restart_and_go_in_their_order);
  tcase_add_test(tests, what_a_killed_program_leaves_is_removed);
  tcase_add_test(tests, other_files_in_the_folder_are_left_alone);
  tcase_add_test(tests, events_have_no_pictures_while_the_disk_is_full);
  tcase_add_test(tests, a_folder_that_cannot_be_made_is_tried_again);
  tcase_add_test(tests, few_frames_wait);
  tcase_add_test(tests, an_event_has_one_picture);
  tcase_add_test(tests, without_a_limit_there_are_no_pictures);
  tcase_add_test(tests, pictures_of_a_camera_are_listed);
  tcase_add_test(tests, steps_have_a_sample_each);
  tcase_add_test(tests, looks_and_states_are_apart);
  tcase_add_test(tests, a_time_without_frames_is_a_gap);
  tcase_add_test(tests, an_hour_is_all_that_is_kept);
  tcase_add_test(tests, lines_that_are_no_json_do_no_harm);
  return fixtures_run(tests, "snapshots");
}
