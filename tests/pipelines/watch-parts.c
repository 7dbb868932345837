/* Small parts of vitgate-watch: backoff, sightings, lines and the service manager. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <json-glib/json-glib.h>

#include "base/backoff.h"
#include "camera/events.h"
#include "camera/frame-line.h"
#include "camera/label-names.h"
#include "camera/model-stamp.h"
#include "camera/sightings.h"
#include "fixtures.h"
#include "service.h"

#define SECOND G_GUINT64_CONSTANT(1000000000)

/* ---- Backoff ------------------------------------------------------------------------------- */

START_TEST(waits_double_up_to_the_limit)
{
  static const double expected[] = { 1, 2, 4, 8, 10, 10 };
  Backoff backoff;
  backoff_init(&backoff, 1, 10);
  for (guint i = 0; i < G_N_ELEMENTS(expected); i++)
    ck_assert_double_eq(backoff_step(&backoff, 1), expected[i]);
}
END_TEST

START_TEST(chance_shortens_a_wait_by_up_to_half)
{
  Backoff backoff;
  backoff_init(&backoff, 4, 100);
  ck_assert_double_eq(backoff_step(&backoff, 0), 2);
  ck_assert_double_eq(backoff_step(&backoff, 0.5), 6);
}
END_TEST

START_TEST(hopeless_errors_wait_longest)
{
  Backoff backoff;
  backoff_init(&backoff, 1, 60);
  backoff_slow_down(&backoff);
  ck_assert_double_eq(backoff_step(&backoff, 1), 60);
}
END_TEST

START_TEST(only_long_connections_reset_the_wait)
{
  Backoff backoff;
  backoff_init(&backoff, 1, 60);
  backoff_step(&backoff, 1);
  backoff_step(&backoff, 1);
  backoff_succeeded(&backoff, 3.9);
  ck_assert_double_eq(backoff_step(&backoff, 1), 4);
  backoff_succeeded(&backoff, 8);
  ck_assert_double_eq(backoff_step(&backoff, 1), 1);
}
END_TEST

/* ---- Sightings ----------------------------------------------------------------------------- */

static GString *reported;

static void on_sighting(const Sighting *sighting, gpointer user_data)
{
  g_string_append_printf(reported, "%s%s %.2f;", sighting->appeared ? "+" : "-", sighting->label,
                         sighting->score);
}

static Sightings *make_sightings(const char *label)
{
  static const SightingOptions options = {
    .threshold = 0.5,
    .keep_threshold = 0.4,
    .appear_after = SECOND,
    .vanish_after = 2 * SECOND,
  };
  char *labels[] = { (char *)label, NULL };
  reported = g_string_new(NULL);
  return sightings_new(labels, &options, on_sighting, NULL);
}

static void see(Sightings *sightings, double second, const char *label, double score)
{
  SeenClass seen = { .label = (char *)label, .score = score };
  sightings_see(sightings, (guint64)(second * (double)SECOND), &seen, label ? 1 : 0);
}

static void finish(Sightings *sightings, const char *expected)
{
  sightings_free(&sightings);
  ck_assert_str_eq(reported->str, expected);
  g_string_free(reported, TRUE);
}

START_TEST(a_label_appears_after_some_time)
{
  Sightings *sightings = make_sightings("cat");
  see(sightings, 0, "cat", 0.9);
  see(sightings, 0.9, "cat", 0.8);
  ck_assert_str_eq(reported->str, "");
  see(sightings, 1, "cat", 0.7);
  see(sightings, 5, "cat", 0.7);
  finish(sightings, "+cat 0.70;");
}
END_TEST

START_TEST(a_short_flash_is_ignored)
{
  Sightings *sightings = make_sightings("cat");
  see(sightings, 0, "cat", 0.9);
  see(sightings, 0.5, "dog", 0.9);
  see(sightings, 1.2, "cat", 0.9);
  see(sightings, 2, "cat", 0.9);
  see(sightings, 2.1, NULL, 0);
  finish(sightings, "");
}
END_TEST

START_TEST(a_label_vanishes_after_some_time)
{
  Sightings *sightings = make_sightings("cat");
  see(sightings, 0, "cat", 0.6);
  see(sightings, 1, "cat", 0.9);
  see(sightings, 2, NULL, 0);
  see(sightings, 2.9, "cat", 0.5);
  see(sightings, 4, NULL, 0);
  ck_assert_str_eq(reported->str, "+cat 0.90;");
  see(sightings, 4.9, NULL, 0);
  finish(sightings, "+cat 0.90;-cat 0.90;");
}
END_TEST

START_TEST(staying_needs_a_lower_score_than_appearing)
{
  Sightings *sightings = make_sightings("cat");
  see(sightings, 0, "cat", 0.45);
  see(sightings, 2, "cat", 0.5);
  see(sightings, 3, "cat", 0.45);
  see(sightings, 10, "cat", 0.45);
  finish(sightings, "+cat 0.45;");
}
END_TEST

START_TEST(labels_vanish_with_the_camera)
{
  Sightings *sightings = make_sightings("cat");
  see(sightings, 0, "cat", 0.5);
  see(sightings, 1, "cat", 0.5);
  sightings_end(sightings);
  sightings_end(sightings);
  see(sightings, 0, "cat", 0.5);
  sightings_end(sightings);
  finish(sightings, "+cat 0.50;-cat 0.50;");
}
END_TEST

START_TEST(time_that_goes_back_restarts_the_wait)
{
  Sightings *sightings = make_sightings("cat");
  see(sightings, 100, "cat", 0.5);
  see(sightings, 5, "cat", 0.5);
  ck_assert_str_eq(reported->str, "");
  see(sightings, 6, "cat", 0.5);
  finish(sightings, "+cat 0.50;");
}
END_TEST

START_TEST(any_name_of_a_class_matches)
{
  static const char *const labels[] = { "Station Wagon", "beach wagon, station wagon, wagon",
                                        "wagon", "WAGON", "beach wagon" };
  Sightings *sightings = make_sightings(labels[_i]);
  see(sightings, 0, "beach wagon, station wagon, wagon", 0.5);
  see(sightings, 1, "beach wagon, station wagon, wagon", 0.5);
  sightings_free(&sightings);
  ck_assert_str_ne(reported->str, "");
  g_string_free(reported, TRUE);
}
END_TEST

START_TEST(part_of_a_name_does_not_match)
{
  Sightings *sightings = make_sightings("station");
  see(sightings, 0, "beach wagon, station wagon, wagon", 0.5);
  see(sightings, 1, "beach wagon, station wagon, wagon", 0.5);
  finish(sightings, "");
}
END_TEST

/* ---- Similar labels ------------------------------------------------------------------------ */

static const struct {
  const char *wanted, *similar;
} similar_labels[] = {
  { "cat", "tabby cat|tiger cat|Egyptian cat" },
  { "*cat*", "tabby cat|tiger cat|Egyptian cat" },
  { "tabbi", "tabby" },
  { "TABBY CATS", "tabby cat" },
  { "mous\303\251", "mouse" },
  { "person", "" },
  { "", "" },
  { "***", "" },
};

START_TEST(similar_labels_contain_the_word_or_differ_by_letters)
{
  static const char *const labels[] = { "tabby, tabby cat",      "tiger cat",
                                        "Egyptian cat",          "prison, prison house",
                                        "mouse, computer mouse", "catamaran",
                                        "feline, tiger cat" };
  g_autoptr(GPtrArray) classes = g_ptr_array_new();
  for (guint i = 0; i < G_N_ELEMENTS(labels); i++)
    g_ptr_array_add(classes, (char *)labels[i]);
  g_auto(GStrv) similar = label_find_similar(classes, similar_labels[_i].wanted, 3);
  g_autofree char *found = g_strjoinv("|", similar);
  ck_assert_str_eq(found, similar_labels[_i].similar);
}
END_TEST

/* ---- Lines --------------------------------------------------------------------------------- */

START_TEST(a_line_holds_all_classes)
{
  static const char text[] =
      "{\"version\":1,\"results\":[{\"label\":\"cat\",\"score\":0.5,\"classes\":["
      "{\"label\":\"cat\",\"score\":0.5},{\"label\":\"dog\",\"score\":0.25}]},"
      "{\"regions\":[{\"classes\":[{\"label\":\"cow\",\"score\":1}]}]}]}\n";
  FrameLine line;
  ck_assert(frame_line_parse(&line, text, strlen(text)));
  ck_assert_uint_eq(line.results->len, 2);
  const FrameResult *result = frame_line_find(&line, NULL),
                    *other = &g_array_index(line.results, FrameResult, 1);
  ck_assert_str_eq(result->label, "cat");
  ck_assert_double_eq(result->score, 0.5);
  ck_assert_uint_eq(result->seen->len, 2);
  ck_assert_str_eq(g_array_index(result->seen, SeenClass, 1).label, "dog");
  ck_assert_str_eq(g_array_index(other->seen, SeenClass, 0).label, "cow");
  ck_assert_double_eq(g_array_index(other->seen, SeenClass, 0).score, 1);
  frame_line_clear(&line);
}
END_TEST

/* The label is steady; sightings have thresholds and times of their own. */
START_TEST(sightings_see_each_inference_as_it_is)
{
  static const char text[] = "{\"results\":[{\"classes\":[],\"raw_label\":\"cat\",\"raw_classes\":["
                             "{\"label\":\"cat\",\"score\":0.125}]}]}\n";
  FrameLine line;
  ck_assert(frame_line_parse(&line, text, strlen(text)));
  const FrameResult *result = frame_line_find(&line, NULL);
  ck_assert_ptr_null(result->label);
  ck_assert_uint_eq(result->seen->len, 1);
  ck_assert_str_eq(g_array_index(result->seen, SeenClass, 0).label, "cat");
  ck_assert_double_eq(g_array_index(result->seen, SeenClass, 0).score, 0.125);
  frame_line_clear(&line);
}
END_TEST

START_TEST(a_line_without_results_is_a_frame)
{
  static const char *const texts[] = { "{}", "{\"results\":[]}", "{\"results\":[{}]}",
                                       "{\"results\":[1]}",
                                       "{\"results\":[{\"classes\":[1,{}]}]}" };
  FrameLine line;
  ck_assert(frame_line_parse(&line, texts[_i], strlen(texts[_i])));
  const FrameResult *result = frame_line_find(&line, NULL);
  ck_assert(!result || (!result->label && result->seen->len == 0));
  frame_line_clear(&line);
}
END_TEST

START_TEST(only_objects_are_lines)
{
  static const char *const texts[] = { "", "[1]", "{", "1" };
  FrameLine line;
  ck_assert(!frame_line_parse(&line, texts[_i], strlen(texts[_i])));
}
END_TEST

START_TEST(events_are_one_line_each)
{
  const Sighting sighting = { .label = "a \"cat\"\n", .score = 0.5, .since = 5, .until = 7 };
  g_autofree char *line = event_sighting("door", NULL, &sighting, TRUE);
  ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
  g_autoptr(JsonNode) root = json_from_string(line, NULL);
  JsonObject *event = json_node_get_object(root);
  ck_assert_str_eq(json_object_get_string_member(event, "event"), "vanished");
  ck_assert_str_eq(json_object_get_string_member(event, "stream_id"), "door");
  ck_assert_str_eq(json_object_get_string_member(event, "label"), sighting.label);
  ck_assert_str_eq(json_object_get_string_member(event, "reason"), "camera lost");
  ck_assert_int_eq(json_object_get_int_member(event, "running_time"), 7);
}
END_TEST

START_TEST(waiting_is_an_event_with_its_start)
{
  const Waiting waiting = { .reason = "off", .since = 1000001, .attempts = 3, .retry_after = 0.5 };
  g_autofree char *line = event_waiting("door", &waiting);
  g_autoptr(JsonNode) root = json_from_string(line, NULL);
  JsonObject *event = json_node_get_object(root);
  ck_assert_str_eq(json_object_get_string_member(event, "event"), "waiting");
  ck_assert_str_eq(json_object_get_string_member(event, "reason"), "off");
  ck_assert_str_eq(json_object_get_string_member(event, "waiting_since"),
                   "1970-01-01T00:00:01.000001Z");
  ck_assert_int_eq(json_object_get_int_member(event, "attempts"), 3);
  ck_assert_double_eq(json_object_get_double_member(event, "retry_after"), 0.5);
}
END_TEST

/* ---- The service manager ------------------------------------------------------------------- */

START_TEST(the_service_manager_is_notified)
{
  g_autofree char *folder = fixtures_folder();
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  g_autofree char *path =
      _i ? g_strdup_printf("@vitgate-test-%d", getpid()) : g_build_filename(folder, "s", NULL);
  strcpy(address.sun_path, path);
  if (_i)
    address.sun_path[0] = '\0';
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
  ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);

  g_setenv("NOTIFY_SOCKET", path, TRUE);
  service_notify("READY=1");
  char heard[32] = "";
  ck_assert_int_eq(recv(fd, heard, sizeof heard - 1, 0), 7);
  ck_assert_str_eq(heard, "READY=1");
  close(fd);
  fixtures_remove(g_steal_pointer(&folder));
}
END_TEST

START_TEST(without_a_service_manager_nothing_happens)
{
  static const char *const sockets[] = { NULL, "", "x", "relative", "/none/at/all" };
  if (sockets[_i])
    g_setenv("NOTIFY_SOCKET", sockets[_i], TRUE);
  else
    g_unsetenv("NOTIFY_SOCKET");
  service_notify("READY=1");
}
END_TEST

START_TEST(the_watchdog_is_only_for_this_process)
{
  g_unsetenv("WATCHDOG_PID");
  g_setenv("WATCHDOG_USEC", "3000000", TRUE);
  ck_assert_uint_eq(service_watchdog_interval(), 1500);
  g_setenv("WATCHDOG_PID", "1", TRUE);
  ck_assert_uint_eq(service_watchdog_interval(), 0);
  g_unsetenv("WATCHDOG_PID");
  g_setenv("WATCHDOG_USEC", "soon", TRUE);
  ck_assert_uint_eq(service_watchdog_interval(), 0);
}
END_TEST

/* ---- Stamps of models ---------------------------------------------------------------------- */

START_TEST(a_change_in_the_folder_of_a_model_changes_its_stamp)
{
  char *root = fixtures_folder();
  g_autofree char *hub = g_build_filename(root, "hub", NULL);
  g_autofree char *file = g_build_filename(hub, "model.safetensors", NULL);
  g_autofree char *config = g_build_filename(hub, "config.json", NULL);
  const char *const models[] = { hub, file };
  fixtures_write(hub, "model.safetensors", "weights", -1);
  for (guint i = 0; i < G_N_ELEMENTS(models); i++) {
    fixtures_write(hub, "config.json", "{}", -1);
    g_autofree char *before = model_stamp_new(models[i], NULL);
    /* In place, so that the folder itself stays as it is. */
    FILE *written = fopen(config, "a");
    ck_assert(written && fputs(" ", written) >= 0 && fclose(written) == 0);
    g_autofree char *after = model_stamp_new(models[i], NULL);
    ck_assert_str_ne(before, after);
  }
  fixtures_remove(root);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("parts");
  tcase_add_test(tests, waits_double_up_to_the_limit);
  tcase_add_test(tests, chance_shortens_a_wait_by_up_to_half);
  tcase_add_test(tests, hopeless_errors_wait_longest);
  tcase_add_test(tests, only_long_connections_reset_the_wait);
  tcase_add_test(tests, a_label_appears_after_some_time);
  tcase_add_test(tests, a_short_flash_is_ignored);
  tcase_add_test(tests, a_label_vanishes_after_some_time);
  tcase_add_test(tests, staying_needs_a_lower_score_than_appearing);
  tcase_add_test(tests, labels_vanish_with_the_camera);
  tcase_add_test(tests, time_that_goes_back_restarts_the_wait);
  tcase_add_loop_test(tests, any_name_of_a_class_matches, 0, 5);
  tcase_add_test(tests, part_of_a_name_does_not_match);
  tcase_add_loop_test(tests, similar_labels_contain_the_word_or_differ_by_letters, 0,
                      G_N_ELEMENTS(similar_labels));
  tcase_add_test(tests, a_line_holds_all_classes);
  tcase_add_test(tests, sightings_see_each_inference_as_it_is);
  tcase_add_loop_test(tests, a_line_without_results_is_a_frame, 0, 5);
  tcase_add_loop_test(tests, only_objects_are_lines, 0, 4);
  tcase_add_test(tests, events_are_one_line_each);
  tcase_add_test(tests, waiting_is_an_event_with_its_start);
  tcase_add_loop_test(tests, the_service_manager_is_notified, 0, 2);
  tcase_add_loop_test(tests, without_a_service_manager_nothing_happens, 0, 5);
  tcase_add_test(tests, the_watchdog_is_only_for_this_process);
  tcase_add_test(tests, a_change_in_the_folder_of_a_model_changes_its_stamp);
  return fixtures_run(tests, "parts");
}
