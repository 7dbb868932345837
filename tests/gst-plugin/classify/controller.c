/* controller.c: the controller's decisions, on simulated machines and clocks. */
#include <gst/check/gstcheck.h>

#include "classify/controller.h"

#define INTERVAL (33 * GST_MSECOND) /* from frame to frame */
#define WINDOW   GST_VITGATE_CONTROLLER_WINDOW

/* A camera and a machine on which an inference takes load x (fixed + by_dial x dial). */
typedef struct {
  GstVitgateController controller;
  GstVitgateControllerLimits limits;
  double fixed, by_dial, load; /* nanoseconds */
  double noise;                /* maximum share of the time that chance adds */
  GRand *random;
  GstClockTime due, now;     /* when the camera's next frame is due; the machine's time */
  gboolean live;             /* frames wait for their turn, and their lateness is known */
  GstClockTime own_lateness; /* that the camera adds to every frame */

  /* About the last frame. */
  gboolean inferred;
  GstClockTime taken;
  GstClockTimeDiff lag; /* when it left */
  guint n_inferred, n_over, n_moves, n_reports;
} Machine;

static Machine m;

static void setup(void)
{
  m = (Machine){
    .limits = { .budget = 40 * GST_MSECOND, .min = 0.2, .max = 1 },
    .fixed = 4 * GST_MSECOND,
    .by_dial = 20 * GST_MSECOND,
    .load = 1,
    .random = g_rand_new_with_seed(1),
  };
  gst_vitgate_controller_reset(&m.controller);
}

static void teardown(void)
{
  g_rand_free(m.random);
}

static void infer(void)
{
  const double chance = 1 + m.noise * g_rand_double(m.random);

  m.taken = m.load * (m.fixed + m.by_dial * m.controller.dial) * chance;
  m.now += m.taken;
  m.n_inferred++;
  m.n_over += m.taken > m.limits.budget;
  gst_vitgate_controller_record(&m.controller, m.now, m.taken);
}

static void frame(void)
{
  const double dial = m.controller.dial;
  GstClockTimeDiff late;

  m.now = m.live ? MAX(m.now, m.due + m.own_lateness) : m.due;
  late = m.live ? GST_CLOCK_DIFF(m.due, m.now) : 0;
  m.taken = 0;
  m.inferred = gst_vitgate_controller_admit(&m.controller, &m.limits, m.now, m.due, late);
  fail_unless(m.controller.dial >= m.limits.min && m.controller.dial <= m.limits.max);
  if (m.inferred)
    infer();
  m.lag = GST_CLOCK_DIFF(m.due, m.now);
  m.n_reports += gst_vitgate_controller_has_report(&m.controller, m.now);
  m.n_moves += m.controller.dial != dial;
  m.due += INTERVAL;
}

static void frames(guint n)
{
  m.n_inferred = m.n_over = m.n_moves = m.n_reports = 0;
  for (guint i = 0; i < n; i++)
    frame();
}

/* ---- The dial ---- */

GST_START_TEST(test_without_a_budget_every_frame_is_inferred_in_full)
{
  m.limits.budget = 0;
  m.load = 1000;
  frames(200);
  fail_unless_equals_int(m.n_inferred, 200);
  fail_unless_equals_float(m.controller.dial, 1);
  fail_unless_equals_int(m.n_reports, 0);
}
GST_END_TEST;

GST_START_TEST(test_with_enough_time_the_dial_stays)
{
  m.limits.max = 0.7;
  frames(500);
  fail_unless_equals_int(m.n_inferred, 500);
  fail_unless_equals_float(m.controller.dial, 0.7);
  fail_unless_equals_int(m.controller.strategy, GST_VITGATE_STRATEGY_FULL);
  fail_unless_equals_int(m.n_reports, 0);
}
GST_END_TEST;

GST_START_TEST(test_the_dial_goes_down_within_a_few_frames)
{
  frames(500);
  m.load = 3;
  frames(20);
  fail_unless(m.n_over <= 8, "%u frames over the budget", m.n_over);
  fail_unless_equals_int(m.n_inferred, 20);
  fail_unless_equals_int(m.controller.reported, GST_VITGATE_STRATEGY_REDUCED);
  fail_unless_equals_int(m.n_reports, 1);
  frames(2000);
  fail_unless(m.n_over * 20 <= m.n_inferred, "%u of %u over the budget", m.n_over, m.n_inferred);
  fail_unless(m.controller.dial > m.limits.min, "the dial is lower than necessary");
}
GST_END_TEST;

GST_START_TEST(test_the_dial_goes_up_slowly)
{
  frames(100);
  m.load = 3;
  frames(100);
  m.load = 1;
  frames(WINDOW / 2);
  fail_unless_equals_int(m.n_moves, 0);
  frames(10 * WINDOW);
  fail_unless(m.n_moves >= 2, "the dial goes up in one step");
  fail_unless_equals_float(m.controller.dial, 1);
  fail_unless_equals_int(m.n_over, 0);
  fail_unless_equals_int(m.controller.reported, GST_VITGATE_STRATEGY_FULL);
}
GST_END_TEST;

GST_START_TEST(test_one_slow_frame_in_thirty_does_not_lower_the_dial)
{
  for (guint i = 0; i < 3000; i++) {
    m.load = i % 30 == 29 ? 5 : 1;
    frame();
    fail_unless_equals_float(m.controller.dial, 1);
  }
}
GST_END_TEST;

/* With this budget, chance decides whether a step of the dial stays within it. */
GST_START_TEST(test_the_dial_does_not_oscillate)
{
  m.load = 2.5;
  m.noise = 0.4;
  frames(20000);
  fail_unless(m.n_moves <= 120, "%u moves in eleven minutes", m.n_moves);
  fail_unless(m.n_over * 20 <= m.n_inferred, "%u of %u over the budget", m.n_over, m.n_inferred);
  fail_unless(m.n_inferred > 19000, "%u of 20000 inferred", m.n_inferred);
}
GST_END_TEST;

/* Each frame takes 10 ms, or 60 ms with the dial at its maximum, so that a move there never lasts.
 * Returns: the frames that pass before the dial goes there from a step below */
static guint frames_before_maximum(void)
{
  guint n = 0;

  do {
    m.load = m.controller.dial >= m.limits.max ? 6 : 1;
    frame();
    n = m.controller.dial == 0.8 ? n + 1 : 0;
  } while (m.controller.dial != 0.8 || n == 0);
  while (m.controller.dial == 0.8) {
    frame();
    n++;
  }
  fail_unless_equals_float(m.controller.dial, m.limits.max);
  return n - 1; /* the dial is at 0.8 after the frame that moved it there */
}

GST_START_TEST(test_a_setting_that_fails_is_tried_half_as_often_each_time)
{
  m.fixed = 10 * GST_MSECOND;
  m.by_dial = 0;
  for (guint windows = 1; windows <= 16; windows *= 2)
    fail_unless_equals_int(frames_before_maximum(), windows * WINDOW);
  fail_unless_equals_int(frames_before_maximum(), 16 * WINDOW);

  m.load = 1;
  frames(2 * WINDOW); /* it lasts */
  fail_unless_equals_float(m.controller.dial, m.limits.max);
  fail_unless_equals_int(frames_before_maximum(), WINDOW);
}
GST_END_TEST;

/* At 0.6, an inference that takes more than 27 ms is expected to take more than 36 at 0.8, and 36
 * is what a move may use of 40. */
GST_START_TEST(test_the_dial_rises_only_where_there_is_room)
{
  m.fixed = 60 * GST_MSECOND;
  m.by_dial = 0;
  frames(2);
  fail_unless_equals_float(m.controller.dial, 0.6);
  m.fixed = 27.5 * GST_MSECOND;
  frames(20 * WINDOW);
  fail_unless_equals_int(m.n_moves, 0);
  m.fixed = 26.5 * GST_MSECOND;
  frames(WINDOW);
  fail_unless(m.controller.dial > 0.79 && m.controller.dial < 0.81, "%g", m.controller.dial);
}
GST_END_TEST;

/* The machine changes every minute; earlier measurements must not delay the adaptation. */
GST_START_TEST(test_a_changing_machine_is_followed)
{
  for (guint i = 0; i < 20; i++) {
    m.load = i % 2 ? 1 : 3;
    frames(1800);
    fail_unless(i % 2 ? m.controller.dial == 1 : m.controller.dial < 0.7, "%g in minute %u",
                m.controller.dial, i);
  }
}
GST_END_TEST;

GST_START_TEST(test_limits_may_change)
{
  m.load = 3;
  frames(200);
  fail_unless(m.controller.dial < 0.6);
  m.limits.min = 0.8;
  frame();
  fail_unless(m.controller.dial >= 0.8);
  m.limits.max = m.limits.min = 0.3;
  frame();
  fail_unless_equals_float(m.controller.dial, 0.3);
  m.limits.budget = 0;
  m.limits.max = 1;
  frame();
  fail_unless_equals_float(m.controller.dial, 1);
}
GST_END_TEST;

/* ---- Skipping ---- */

GST_START_TEST(test_inferences_that_are_too_slow_are_skipped)
{
  frames(100);
  m.load = 20;
  frames(30);
  fail_unless_equals_int(m.controller.reported, GST_VITGATE_STRATEGY_SKIP);
  frames(3000); /* 99 s */
  fail_unless(m.n_inferred >= 9, "only %u tries", m.n_inferred);
  fail_unless(m.n_inferred <= 99, "%u tries", m.n_inferred);
  fail_unless_equals_int(m.n_reports, 0);
}
GST_END_TEST;

GST_START_TEST(test_a_lower_minimum_is_tried)
{
  m.limits.min = 0.8;
  m.load = 3; /* 60 ms at 0.8, 24 ms at 0.2 */
  frames(100);
  fail_unless_equals_int(m.controller.strategy, GST_VITGATE_STRATEGY_SKIP);
  m.limits.min = 0.2;
  frames(6 * GST_SECOND / INTERVAL);
  fail_unless_equals_int(m.controller.strategy, GST_VITGATE_STRATEGY_REDUCED);
}
GST_END_TEST;

GST_START_TEST(test_inference_resumes)
{
  frames(100);
  m.load = 20;
  frames(300);
  m.load = 1;
  frames(11 * GST_SECOND / INTERVAL);
  fail_unless(m.inferred, "still skipping");
  frames(10 * WINDOW);
  fail_unless_equals_float(m.controller.dial, 1);
  fail_unless_equals_int(m.controller.reported, GST_VITGATE_STRATEGY_FULL);
}
GST_END_TEST;

GST_START_TEST(test_a_model_without_a_dial_is_skipped_and_resumes)
{
  m.limits.min = m.limits.max = 1;
  m.load = 4;
  frames(100);
  fail_unless_equals_int(m.controller.reported, GST_VITGATE_STRATEGY_SKIP);
  m.load = 1;
  frames(1000);
  fail_unless_equals_int(m.controller.reported, GST_VITGATE_STRATEGY_FULL);
}
GST_END_TEST;

GST_START_TEST(test_changes_are_reported_rarely)
{
  for (guint i = 0; i < 1000; i++) { /* 33 s */
    m.load = i % 20 < 10 ? 20 : 1;
    frame();
  }
  fail_unless(m.n_reports <= 66, "%u messages in 33 s", m.n_reports);
}
GST_END_TEST;

GST_START_TEST(test_better_news_waits_for_a_second)
{
  GstVitgateController *controller = &m.controller;
  GstClockTime now = 7 * GST_SECOND;

  controller->strategy = GST_VITGATE_STRATEGY_SKIP;
  fail_unless(gst_vitgate_controller_has_report(controller, now)); /* worse: at once */
  controller->strategy = GST_VITGATE_STRATEGY_FULL;
  fail_if(gst_vitgate_controller_has_report(controller, now));
  fail_if(gst_vitgate_controller_has_report(controller, now + GST_SECOND - 1));
  controller->strategy = GST_VITGATE_STRATEGY_SKIP; /* it did not last */
  fail_if(gst_vitgate_controller_has_report(controller, now + GST_SECOND));
  controller->strategy = GST_VITGATE_STRATEGY_REDUCED;
  now += 2 * GST_SECOND;
  fail_if(gst_vitgate_controller_has_report(controller, now));
  fail_if(gst_vitgate_controller_has_report(controller, now + GST_SECOND - 1));
  fail_unless(gst_vitgate_controller_has_report(controller, now + GST_SECOND));
  fail_unless_equals_int(controller->reported, GST_VITGATE_STRATEGY_REDUCED);
}
GST_END_TEST;

GST_START_TEST(test_another_model_starts_afresh_and_is_reported)
{
  m.load = 20;
  frames(100);
  m.load = 1;
  gst_vitgate_controller_restart(&m.controller);
  frames(2 * GST_SECOND / INTERVAL);
  fail_unless_equals_int(m.n_inferred, 2 * GST_SECOND / INTERVAL);
  fail_unless_equals_int(m.n_reports, 1);
  fail_unless_equals_int(m.controller.reported, GST_VITGATE_STRATEGY_FULL);
}
GST_END_TEST;

/* ---- Sinks ---- */

GST_START_TEST(test_late_sinks_lower_the_dial)
{
  frames(10);
  gst_vitgate_controller_record_late(&m.controller, m.due - INTERVAL);
  fail_unless_equals_float(m.controller.dial, 1);
  frames(1);
  gst_vitgate_controller_record_late(&m.controller, m.due - INTERVAL);
  fail_unless(m.controller.dial < 1);
}
GST_END_TEST;

GST_START_TEST(test_frames_from_before_a_move_do_not_count)
{
  double dial;

  frames(10);
  gst_vitgate_controller_record_late(&m.controller, m.due - INTERVAL);
  gst_vitgate_controller_record_late(&m.controller, m.due - INTERVAL);
  dial = m.controller.dial;
  fail_unless(dial < 1);
  frames(1);
  for (guint i = 0; i < 10; i++) /* already queued when the dial moved */
    gst_vitgate_controller_record_late(&m.controller, m.due - 2 * INTERVAL);
  fail_unless_equals_float(m.controller.dial, dial);
}
GST_END_TEST;

GST_START_TEST(test_late_sinks_alone_do_not_stop_inferences)
{
  for (guint i = 0; i < 500; i++) {
    frame();
    fail_unless(m.inferred);
    gst_vitgate_controller_record_late(&m.controller, m.due - INTERVAL);
  }
  fail_unless_equals_float(m.controller.dial, m.limits.min);
}
GST_END_TEST;

/* ---- Lateness ---- */

/* Inferences stay within the budget, but are slower than the camera. */
GST_START_TEST(test_a_queue_does_not_grow)
{
  m.live = TRUE;
  m.limits.budget = 200 * GST_MSECOND;
  m.limits.min = 0.9;
  m.load = 3; /* 66 ms at least */
  for (guint i = 0; i < 3000; i++) {
    frame();
    fail_unless(m.lag <= (GstClockTimeDiff)(2 * m.limits.budget),
                "frame %u is %" G_GINT64_FORMAT " ms late", i, m.lag / GST_MSECOND);
  }
  fail_unless(m.n_inferred > 1000, "%u of 3000 inferred", m.n_inferred);
  fail_unless_equals_float(m.controller.dial, 0.9);
}
GST_END_TEST;

GST_START_TEST(test_a_queue_of_slow_inferences_brings_the_dial_down)
{
  m.live = TRUE;
  m.limits.budget = 200 * GST_MSECOND;
  m.load = 3; /* 72 ms at most, 24 ms at least */
  frames(600);
  frames(300);
  fail_unless(m.controller.dial < 0.5);
  fail_unless(m.n_inferred >= 270, "%u of 300 inferred", m.n_inferred);
}
GST_END_TEST;

GST_START_TEST(test_the_stream_catches_up_after_a_stall)
{
  guint n = 0;

  m.live = TRUE;
  frames(100);
  m.now += 3 * GST_SECOND; /* 91 frames */
  do {
    frame();
    n++;
  } while (!m.inferred);
  fail_unless(n >= 88 && n <= 92, "inferred again after %u frames", n);
  fail_unless(m.lag < (GstClockTimeDiff)m.limits.budget);
}
GST_END_TEST;

GST_START_TEST(test_lateness_of_the_stream_itself_is_ignored)
{
  m.live = TRUE;
  m.own_lateness = 2 * GST_SECOND;
  frames(20);
  fail_unless(m.inferred, "no inference for a camera that is always late");
  frames(500);
  fail_unless_equals_int(m.n_inferred, 500);
  m.own_lateness = 0; /* a burst of frames is inferred faster than new ones arrive */
  frames(400);
  fail_unless_equals_int(m.n_inferred, 400);
  m.own_lateness = GST_SECOND;
  frames(20);
  fail_unless(m.n_inferred < 20, "nothing is skipped when a second late");
}
GST_END_TEST;

/* Whatever the load, a frame is late by at most the budget and the slowest inference. */
GST_START_TEST(test_lag_is_bounded_whatever_the_load)
{
  m.live = TRUE;
  for (guint i = 0; i < 50000; i++) {
    GstClockTimeDiff slowest;

    if (g_rand_int_range(m.random, 0, 300) == 0)
      m.load = g_rand_double_range(m.random, 0.5, 40);
    frame();
    slowest = 40 * (m.fixed + m.by_dial);
    fail_unless(m.lag <= (GstClockTimeDiff)m.limits.budget + slowest,
                "frame %u is %" G_GINT64_FORMAT " ms late", i, m.lag / GST_MSECOND);
  }
}
GST_END_TEST;

GST_START_TEST(test_a_flush_drops_running_times)
{
  m.live = TRUE;
  m.now = 10 * GST_SECOND;
  frames(5);
  fail_if(m.inferred);
  gst_vitgate_controller_flush(&m.controller);
  m.due = m.now;
  frames(5);
  fail_unless_equals_int(m.n_inferred, 5);
}
GST_END_TEST;

static Suite *controller_suite(void)
{
  Suite *suite = suite_create("controller");
  TCase *tcase = tcase_create("controller");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_test(tcase, test_without_a_budget_every_frame_is_inferred_in_full);
  tcase_add_test(tcase, test_with_enough_time_the_dial_stays);
  tcase_add_test(tcase, test_the_dial_goes_down_within_a_few_frames);
  tcase_add_test(tcase, test_the_dial_goes_up_slowly);
  tcase_add_test(tcase, test_one_slow_frame_in_thirty_does_not_lower_the_dial);
  tcase_add_test(tcase, test_the_dial_does_not_oscillate);
  tcase_add_test(tcase, test_a_setting_that_fails_is_tried_half_as_often_each_time);
  tcase_add_test(tcase, test_the_dial_rises_only_where_there_is_room);
  tcase_add_test(tcase, test_a_changing_machine_is_followed);
  tcase_add_test(tcase, test_limits_may_change);
  tcase_add_test(tcase, test_inferences_that_are_too_slow_are_skipped);
  tcase_add_test(tcase, test_a_lower_minimum_is_tried);
  tcase_add_test(tcase, test_inference_resumes);
  tcase_add_test(tcase, test_a_model_without_a_dial_is_skipped_and_resumes);
  tcase_add_test(tcase, test_changes_are_reported_rarely);
  tcase_add_test(tcase, test_better_news_waits_for_a_second);
  tcase_add_test(tcase, test_another_model_starts_afresh_and_is_reported);
  tcase_add_test(tcase, test_late_sinks_lower_the_dial);
  tcase_add_test(tcase, test_frames_from_before_a_move_do_not_count);
  tcase_add_test(tcase, test_late_sinks_alone_do_not_stop_inferences);
  tcase_add_test(tcase, test_a_queue_does_not_grow);
  tcase_add_test(tcase, test_a_queue_of_slow_inferences_brings_the_dial_down);
  tcase_add_test(tcase, test_the_stream_catches_up_after_a_stall);
  tcase_add_test(tcase, test_lateness_of_the_stream_itself_is_ignored);
  tcase_add_test(tcase, test_lag_is_bounded_whatever_the_load);
  tcase_add_test(tcase, test_a_flush_drops_running_times);
  return suite;
}

GST_CHECK_MAIN(controller);
