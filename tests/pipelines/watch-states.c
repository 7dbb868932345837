/* States of vitgate-watch, with virtual time. A frame is the probability of "open"; the rest is
 * that of "closed". */
#include <math.h>
#include <string.h>

#include <json-glib/json-glib.h>

#include "camera/events.h"
#include "camera/look-watch.h"
#include "camera/state-tracker.h"
#include "fixtures.h"

#define MS     G_GUINT64_CONSTANT(1000000)
#define SECOND (1000 * MS)
#define NONE   (-1) /* no class: a frame below the threshold */

static GString *reported;

static const StateOptions defaults = {
  .threshold = 0.5,
  .lead = 2,
  .window = SECOND,
  .vanish_after = 2 * SECOND,
};

static void on_state(const StateChange *change, gpointer user_data)
{
  g_string_append_printf(reported, "%s>%s@%g;", change->from ? change->from : "", change->to,
                         (double)change->since / SECOND);
}

static StateTracker *make(const StateOptions *options, char *const *states)
{
  reported = g_string_new(NULL);
  return state_tracker_new(states, options, on_state, NULL);
}

/* @open: of two classes; NONE: three classes are all improbable */
static void see(StateTracker *tracker, double second, double open)
{
  SeenClass seen[] = { { "open", open }, { "closed", 1 - open }, { "ajar", 0 } };
  if (open < 0)
    seen[0].score = seen[1].score = seen[2].score = 1 / 3.0;
  state_tracker_see(tracker, (guint64)llround(second * 1000) * MS, seen, G_N_ELEMENTS(seen));
}

/* Sees ten frames a second, from @start to before @end. */
static void see_all(StateTracker *tracker, double start, double end, double open)
{
  for (int i = 0; start + 0.1 * i < end - 0.01; i++)
    see(tracker, start + 0.1 * i, open);
}

static void expect(const char *expected)
{
  ck_assert_str_eq(reported->str, expected);
  g_string_truncate(reported, 0);
}

static void finish(StateTracker *tracker, const char *expected)
{
  expect(expected);
  state_tracker_free(&tracker);
  ck_assert_ptr_null(tracker);
  g_string_free(reported, TRUE);
}

START_TEST(the_first_state_needs_a_full_window)
{
  StateTracker *tracker = make(&defaults, NULL);
  see_all(tracker, 70, 71, 0.1);
  ck_assert_ptr_null(state_tracker_get(tracker));
  expect("");
  see(tracker, 71, 0.1);
  ck_assert_str_eq(state_tracker_get(tracker), "closed");
  see_all(tracker, 71.1, 75, 0.1);
  finish(tracker, ">closed@70;");
}
END_TEST

/* The frame that fills the window shows another class than those before. */
START_TEST(a_single_frame_does_not_choose_the_first_state)
{
  StateTracker *tracker = make(&defaults, NULL);
  see_all(tracker, 0, 1, 0.1);
  see(tracker, 1, 0.9);
  expect("");
  see(tracker, 1.1, 0.1);
  finish(tracker, ">closed@1.1;");
}
END_TEST

/* The means are equal half a second after the change, and the lead comes soon after that. */
START_TEST(a_change_comes_once_the_average_leads)
{
  StateTracker *tracker = make(&defaults, NULL);
  see_all(tracker, 0, 3, 0.1);
  expect(">closed@0;");
  see_all(tracker, 3, 3.6, 0.9);
  expect("");
  see(tracker, 3.7, 0.9);
  finish(tracker, "closed>open@3;");
}
END_TEST

START_TEST(odd_frames_change_nothing)
{
  StateTracker *tracker = make(&defaults, NULL);
  see_all(tracker, 0, 2, 0.1);
  expect(">closed@0;");
  for (guint i = 0; i < 20; i++) {
    see_all(tracker, 2 + i, 2.8 + i, 0.1);
    see_all(tracker, 2.8 + i, 3 + i, 0.97);
  }
  finish(tracker, "");
}
END_TEST

/* Such a frame would outweigh any number of others if its logarithm were taken as it is. */
START_TEST(a_frame_that_is_certain_has_no_veto)
{
  StateTracker *tracker = make(&defaults, NULL);
  see_all(tracker, 0, 0.5, 0.05);
  see(tracker, 0.5, 1);
  see_all(tracker, 0.6, 1.1, 0.05);
  expect(">closed@0.6;");
  see_all(tracker, 2, 2.3, 0.95);
  see(tracker, 2.3, 0);
  see_all(tracker, 2.4, 3, 0.95);
  finish(tracker, "closed>open@2.4;");
}
END_TEST

/* 0.6 is 1.5 times as probable as 0.4. */
START_TEST(a_small_lead_does_not_change_the_state)
{
  StateOptions options = defaults;
  options.lead = _i ? 1.4 : 2;
  StateTracker *tracker = make(&options, NULL);
  see_all(tracker, 0, 2, 0.4);
  see_all(tracker, 2, 20, 0.6);
  see_all(tracker, 20, 40, 0.4);
  finish(tracker, _i ? ">closed@0;closed>open@2;open>closed@20;" : ">closed@0;");
}
END_TEST

START_TEST(flicker_around_a_half_changes_nothing)
{
  StateTracker *tracker = make(&defaults, NULL);
  see_all(tracker, 0, 2, 0.3);
  for (guint i = 0; i < 200; i++)
    see(tracker, 2 + 0.1 * i, i % 2 ? 0.4 : 0.65);
  finish(tracker, ">closed@0;");
}
END_TEST

START_TEST(frames_below_the_threshold_do_not_count)
{
  StateTracker *tracker = make(&defaults, NULL);
  see_all(tracker, 0, 2, 0.1);
  expect(">closed@0;");
  for (guint i = 0; i < 50; i++)
    see(tracker, 2 + 0.1 * i, i % 10 == 0 ? 0.1 : NONE);
  expect("");
  /* One frame of the class is not half a window. */
  see(tracker, 7, 0.9);
  see_all(tracker, 7.1, 8, NONE);
  see(tracker, 8, 0.9);
  finish(tracker, "");
}
END_TEST

START_TEST(without_a_class_the_state_becomes_unknown_after_some_time)
{
  StateTracker *tracker = make(&defaults, NULL);
  see_all(tracker, 0, 2, 0.1);
  see_all(tracker, 2, 4, NONE);
  expect(">closed@0;");
  see(tracker, 4, NONE);
  ck_assert_str_eq(state_tracker_get(tracker), "unknown");
  see_all(tracker, 4.1, 9, NONE);
  expect("closed>unknown@2;");
  see_all(tracker, 9, 9.6, 0.1);
  finish(tracker, "unknown>closed@9;");
}
END_TEST

START_TEST(a_scene_may_start_unknown)
{
  StateTracker *tracker = make(&defaults, NULL);
  see_all(tracker, 0, 4, NONE);
  finish(tracker, ">unknown@0;");
}
END_TEST

START_TEST(a_known_frame_restarts_the_wait_for_unknown)
{
  StateTracker *tracker = make(&defaults, NULL);
  see_all(tracker, 0, 2, 0.1);
  for (guint i = 0; i < 10; i++) {
    see_all(tracker, 2 + i, 2.9 + i, NONE);
    see(tracker, 2.9 + i, 0.1);
  }
  finish(tracker, ">closed@0;");
}
END_TEST

/* The class "unknown" is what the element calls a picture that is none of the classes. */
START_TEST(the_label_unknown_is_no_class)
{
  StateTracker *tracker = make(&defaults, NULL);
  SeenClass seen[] = { { "unknown", 0.9 }, { "open", 0.1 } };
  for (guint64 time = 0; time <= 3 * SECOND; time += SECOND / 10) {
    state_tracker_see(tracker, time, seen, G_N_ELEMENTS(seen));
    ck_assert_uint_eq(state_tracker_get(tracker) != NULL, time >= 2 * SECOND);
  }
  finish(tracker, ">unknown@0;");
}
END_TEST

START_TEST(only_the_labels_of_interest_are_states)
{
  static char *const states[] = { "Shut", "OPEN", NULL };
  StateTracker *tracker = make(&defaults, states);
  SeenClass seen[] = { { "closed, shut", 0.8 }, { "open", 0.15 }, { "van", 0.05 } };
  for (guint i = 0; i < 20; i++)
    state_tracker_see(tracker, i * SECOND / 10, seen, 3);
  expect(">Shut@0;");
  /* A frame whose best class is no state shows none. */
  seen[2].score = 0.9;
  for (guint i = 20; i < 50; i++)
    state_tracker_see(tracker, i * SECOND / 10, seen, 3);
  finish(tracker, "Shut>unknown@2;");
}
END_TEST

/* A class that a line does not list is as improbable as can be. */
START_TEST(classes_may_be_missing_or_new)
{
  StateTracker *tracker = make(&defaults, NULL);
  SeenClass one = { "one", 0.9 }, other = { "other", 0.9 };
  for (guint i = 0; i < 20; i++)
    state_tracker_see(tracker, i * SECOND / 10, &one, 1);
  for (guint i = 20; i < 40; i++)
    state_tracker_see(tracker, i * SECOND / 10, &other, 1);
  finish(tracker, ">one@0;one>other@2;");
}
END_TEST

/* A frame counts for the time until the next one, so a burst of frames has no more weight. */
START_TEST(a_burst_of_frames_counts_for_its_time)
{
  StateTracker *tracker = make(&defaults, NULL);
  see_all(tracker, 0, 2, 0.1);
  for (guint i = 0; i < 300; i++)
    see(tracker, 2 + 0.001 * i, 0.9);
  finish(tracker, ">closed@0;");
}
END_TEST

/* One inference every five seconds: the second one that says so changes the state. */
START_TEST(sparse_frames_need_a_second_opinion)
{
  StateTracker *tracker = make(&defaults, NULL);
  for (guint i = 0; i < 4; i++)
    see(tracker, 5 * i, 0.05);
  expect(">closed@0;");
  see(tracker, 20, 0.95);
  see(tracker, 25, 0.05);
  see(tracker, 30, 0.95);
  expect("");
  see(tracker, 35, 0.95);
  finish(tracker, "closed>open@30;");
}
END_TEST

START_TEST(frames_after_a_gap_need_a_window_of_their_own)
{
  StateTracker *tracker = make(&defaults, NULL);
  see_all(tracker, 0, 10, 0.05);
  expect(">closed@0;");
  see_all(tracker, 600, 600.5, 0.95);
  expect("");
  see_all(tracker, 600.5, 601, 0.95);
  finish(tracker, "closed>open@600;");
}
END_TEST

START_TEST(without_a_window_each_frame_decides)
{
  StateOptions options = defaults;
  options.window = 0;
  StateTracker *tracker = make(&options, NULL);
  see(tracker, 1, 0.1);
  see(tracker, 2, 0.55);
  see(tracker, 3, 0.9);
  finish(tracker, ">closed@1;closed>open@2;");
}
END_TEST

/* The running time of a clip that is read again starts at 0. */
START_TEST(time_that_goes_back_restarts_the_window_and_keeps_the_state)
{
  StateTracker *tracker = make(&defaults, NULL);
  see_all(tracker, 100, 102, 0.1);
  expect(">closed@100;");
  see_all(tracker, 0, 1, 0.9);
  expect("");
  see(tracker, 1, 0.9);
  finish(tracker, "closed>open@0;");
}
END_TEST

START_TEST(the_same_state_after_a_reconnection_is_no_event)
{
  StateTracker *tracker = make(&defaults, NULL);
  see_all(tracker, 0, 2, 0.1);
  expect(">closed@0;");
  state_tracker_restart(tracker);
  see_all(tracker, 5, 5.5, 0.9);
  state_tracker_restart(tracker);
  see_all(tracker, 0, 3, 0.1);
  ck_assert_str_eq(state_tracker_get(tracker), "closed");
  finish(tracker, "");
}
END_TEST

START_TEST(a_state_that_was_lost_is_unknown)
{
  StateTracker *tracker = make(&defaults, NULL);
  ck_assert_ptr_null(state_tracker_lose(tracker));
  see_all(tracker, 0, 2, 0.1);
  g_autofree char *former = state_tracker_lose(tracker);
  ck_assert_str_eq(former, "closed");
  ck_assert_ptr_null(state_tracker_lose(tracker));
  ck_assert_str_eq(state_tracker_get(tracker), "unknown");
  see_all(tracker, 2, 4, 0.1);
  finish(tracker, ">closed@0;unknown>closed@0;");
}
END_TEST

/* "open" leads enough once it fills 0.658 of the window. */
START_TEST(a_long_window_is_averaged_like_a_short_one)
{
  StateOptions options = defaults;
  options.window = 3600 * SECOND;
  StateTracker *tracker = make(&options, NULL);
  for (guint i = 0; i < 25 * 5100; i++)
    see(tracker, i / 25.0, 0.1);
  expect(">closed@0;");
  for (guint i = 25 * 5100; i < 25 * 7430; i++)
    see(tracker, i / 25.0, 0.9);
  expect("");
  for (guint i = 25 * 7430; i < 25 * 7510; i++)
    see(tracker, i / 25.0, 0.9);
  finish(tracker, "closed>open@5100;");
}
END_TEST

START_TEST(half_of_a_long_window_must_be_known)
{
  StateOptions options = defaults;
  options.window = options.vanish_after = 200 * SECOND;
  StateTracker *tracker = make(&options, NULL);
  for (guint i = 0; i < 5000; i++)
    see(tracker, 0.1 * i, i % 10 < 4 ? 0.1 : NONE);
  expect("");
  for (guint i = 5000; i < 10000; i++)
    see(tracker, 0.1 * i, i % 10 < 6 ? 0.1 : NONE);
  finish(tracker, ">closed@0;");
}
END_TEST

/* ---- Looks --------------------------------------------------------------------------------- */

static void on_event(char *line, gpointer user_data)
{
  g_ptr_array_add(user_data, line);
}

static JsonObject *parse(JsonNode **root, const char *line)
{
  ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
  *root = json_from_string(line, NULL);
  ck_assert_ptr_nonnull(*root);
  return json_node_get_object(*root);
}

/* @state: of the result
 * @index: of the steady label, of two classes; 2: unknown */
static void watch_result(LookWatch *watch, double second, const char *label, const char *state,
                         guint index)
{
  g_autofree char *line = g_strdup_printf(
      "{\"results\":[{\"look\":\"gate\",\"state\":\"%s\",\"class_count\":2,\"label\":\"unknown\","
      "\"index\":%u,\"raw_classes\":[{\"label\":\"%s\",\"score\":0.875}]}]}",
      state, index, label);
  FrameLine frame;
  ck_assert(frame_line_parse(&frame, line, strlen(line)));
  ck_assert_ptr_null(frame_line_find(&frame, NULL));
  ck_assert_ptr_null(frame_line_find(&frame, "door"));
  look_watch_see(watch, frame_line_find(&frame, "gate"), (guint64)(second * 1000) * MS);
  frame_line_clear(&frame);
}

static void watch_frame(LookWatch *watch, double second, const char *label, const char *state)
{
  watch_result(watch, second, label, state, 0);
}

static LookWatch *make_watch(LookConfig *config, GPtrArray *events)
{
  *config = look_defaults;
  config->name = (char *)"gate";
  config->state = TRUE;
  config->keep_threshold = config->threshold;
  return look_watch_new("yard", config, on_event, events);
}

START_TEST(a_state_is_an_event)
{
  g_autoptr(GPtrArray) events = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(JsonNode) root = NULL;
  LookConfig config;
  LookWatch *watch = make_watch(&config, events);
  LookStatus status;
  watch_frame(watch, 7, "closed", "fresh");
  watch_frame(watch, 7.5, "closed", "unchanged");
  ck_assert_uint_eq(events->len, 1);
  JsonObject *event = parse(&root, events->pdata[0]);
  ck_assert_str_eq(json_object_get_string_member(event, "event"), "state");
  ck_assert_str_eq(json_object_get_string_member(event, "stream_id"), "yard");
  ck_assert_str_eq(json_object_get_string_member(event, "look"), "gate");
  ck_assert(json_object_get_null_member(event, "from"));
  ck_assert_str_eq(json_object_get_string_member(event, "to"), "closed");
  ck_assert_double_eq_tol(json_object_get_double_member(event, "score"), 0.875, 1e-9);
  ck_assert_int_eq(json_object_get_int_member(event, "running_time"), 7 * SECOND);
  look_watch_get_status(watch, &status);
  ck_assert_str_eq(status.name, "gate");
  ck_assert_str_eq(status.state, "closed");
  look_status_clear(&status);
  look_watch_free(watch);
}
END_TEST

/* Its raw classes are still there. */
START_TEST(a_frame_of_none_of_the_classes_shows_none)
{
  g_autoptr(GPtrArray) events = g_ptr_array_new_with_free_func(g_free);
  char *labels[] = { (char *)"van", NULL };
  LookConfig config;
  look_watch_free(make_watch(&config, events));
  config.labels = labels;
  LookWatch *watch = look_watch_new("yard", &config, on_event, events);
  LookStatus status;
  for (guint i = 0; i <= 30; i++)
    watch_result(watch, 0.1 * i, "van", "fresh", 2);
  ck_assert_uint_eq(events->len, 1);
  look_watch_get_status(watch, &status);
  ck_assert_str_eq(status.state, "unknown");
  look_status_clear(&status);
  for (guint i = 31; i <= 40; i++)
    watch_result(watch, 0.1 * i, "van", "fresh", 1);
  ck_assert_uint_eq(events->len, 3);
  look_watch_free(watch);
}
END_TEST

/* Between inferences, and when there was no time, a frame says nothing new. */
START_TEST(only_frames_that_were_looked_at_count)
{
  static const char *const states[] = { "interval", "late", "empty", "unchanged" };
  g_autoptr(GPtrArray) events = g_ptr_array_new_with_free_func(g_free);
  LookConfig config;
  LookWatch *watch = make_watch(&config, events);
  watch_frame(watch, 0, "closed", "fresh");
  for (guint i = 1; i < 30; i++)
    watch_frame(watch, 0.1 * i, "closed", states[_i]);
  ck_assert_uint_eq(events->len, _i == 3 ? 1 : 0);
  look_watch_free(watch);
}
END_TEST

START_TEST(a_state_is_kept_while_the_camera_is_away_for_a_moment)
{
  g_autoptr(GPtrArray) events = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(JsonNode) root = NULL;
  LookConfig config;
  LookStatus status;
  LookWatch *watch = make_watch(&config, events);
  look_watch_check_lost(watch, 1000);
  watch_frame(watch, 0, "closed", "fresh");
  watch_frame(watch, 1, "closed", "fresh");
  look_watch_end(watch, TRUE);
  look_watch_check_lost(watch, 59);
  ck_assert_uint_eq(events->len, 1);
  look_watch_check_lost(watch, 60);
  look_watch_check_lost(watch, 61);
  ck_assert_uint_eq(events->len, 2);
  JsonObject *event = parse(&root, events->pdata[1]);
  ck_assert_str_eq(json_object_get_string_member(event, "from"), "closed");
  ck_assert_str_eq(json_object_get_string_member(event, "to"), "unknown");
  ck_assert_str_eq(json_object_get_string_member(event, "reason"), "camera lost");
  ck_assert(!json_object_has_member(event, "score"));
  look_watch_get_status(watch, &status);
  ck_assert_str_eq(status.state, "unknown");
  look_status_clear(&status);
  watch_frame(watch, 5, "closed", "fresh");
  watch_frame(watch, 5.5, "closed", "fresh");
  ck_assert_uint_eq(events->len, 3);
  json_node_unref(root);
  event = parse(&root, events->pdata[2]);
  ck_assert_str_eq(json_object_get_string_member(event, "from"), "unknown");
  ck_assert_int_eq(json_object_get_int_member(event, "running_time"), 5 * SECOND);
  look_watch_free(watch);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("states");
  tcase_add_test(tests, the_first_state_needs_a_full_window);
  tcase_add_test(tests, a_single_frame_does_not_choose_the_first_state);
  tcase_add_test(tests, a_change_comes_once_the_average_leads);
  tcase_add_test(tests, odd_frames_change_nothing);
  tcase_add_test(tests, a_frame_that_is_certain_has_no_veto);
  tcase_add_loop_test(tests, a_small_lead_does_not_change_the_state, 0, 2);
  tcase_add_test(tests, flicker_around_a_half_changes_nothing);
  tcase_add_test(tests, frames_below_the_threshold_do_not_count);
  tcase_add_test(tests, without_a_class_the_state_becomes_unknown_after_some_time);
  tcase_add_test(tests, a_scene_may_start_unknown);
  tcase_add_test(tests, a_known_frame_restarts_the_wait_for_unknown);
  tcase_add_test(tests, the_label_unknown_is_no_class);
  tcase_add_test(tests, only_the_labels_of_interest_are_states);
  tcase_add_test(tests, classes_may_be_missing_or_new);
  tcase_add_test(tests, a_burst_of_frames_counts_for_its_time);
  tcase_add_test(tests, sparse_frames_need_a_second_opinion);
  tcase_add_test(tests, frames_after_a_gap_need_a_window_of_their_own);
  tcase_add_test(tests, without_a_window_each_frame_decides);
  tcase_add_test(tests, time_that_goes_back_restarts_the_window_and_keeps_the_state);
  tcase_add_test(tests, the_same_state_after_a_reconnection_is_no_event);
  tcase_add_test(tests, a_state_that_was_lost_is_unknown);
  tcase_add_test(tests, a_long_window_is_averaged_like_a_short_one);
  tcase_add_test(tests, half_of_a_long_window_must_be_known);
  tcase_add_test(tests, a_state_is_an_event);
  tcase_add_test(tests, a_frame_of_none_of_the_classes_shows_none);
  tcase_add_loop_test(tests, only_frames_that_were_looked_at_count, 0, 4);
  tcase_add_test(tests, a_state_is_kept_while_the_camera_is_away_for_a_moment);
  return fixtures_run(tests, "states");
}
