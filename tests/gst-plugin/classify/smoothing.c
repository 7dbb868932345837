/* smoothing.c: the arithmetic of averages and steady labels, on made probabilities. */
#include <gst/check/gstcheck.h>
#include <math.h>

#include "classify/smoothing.h"

#define N     3
#define FRAME (40 * GST_MSECOND)

/* Roundings of a few products in float32. */
#define TOLERANCE 1e-6

static GstVitgateSmoothing smoothing;
static GstVitgateSmoothingOptions options;
static GstVitgateSmoothingMoment moment;
static float threshold, unknown, unknown_threshold;
static const float *thresholds;
static gpointer memory;

static void setup(void)
{
  memory = g_malloc(gst_vitgate_smoothing_size(N));
  gst_vitgate_smoothing_init(&smoothing, N, memory);
  options = (GstVitgateSmoothingOptions){ .time_constant = 0.5, .hysteresis = 0.1 };
  moment = (GstVitgateSmoothingMoment){ .frame_duration = FRAME };
  threshold = 0.25f;
  unknown = unknown_threshold = 0;
  thresholds = NULL;
}

static void teardown(void)
{
  g_free(memory);
}

static void choose(float minimum)
{
  const GstVitgateSmoothingLimits limits = { options.hysteresis, minimum, thresholds,
                                             unknown_threshold };

  gst_vitgate_smoothing_choose(&smoothing, &limits);
}

/* Adds a frame with these probabilities of the classes 0 and 1; the rest is class 2's.
 * Returns: the best label. */
static gint add(float first, float second)
{
  const float probabilities[N] = { first, second, 1 - first - second };

  gst_vitgate_smoothing_add(&smoothing, &options, &moment, probabilities, unknown);
  choose(threshold);
  moment.frame++;
  if (GST_CLOCK_TIME_IS_VALID(moment.time))
    moment.time += FRAME;
  return smoothing.best;
}

static void check_close(double found, double expected, double tolerance)
{
  fail_unless(ABS(found - expected) <= tolerance, "%g instead of %g", found, expected);
}

GST_START_TEST(test_the_first_result_counts_in_full)
{
  fail_unless_equals_int(add(0.2f, 0.7f), 1);
  check_close(smoothing.mean[0], 0.2, TOLERANCE);
  check_close(smoothing.mean[1], 0.7, TOLERANCE);
}
GST_END_TEST;

GST_START_TEST(test_the_first_results_count_the_same)
{
  add(0.1f, 0.7f);
  add(0.2f, 0.7f);
  add(0.6f, 0.3f);
  check_close(smoothing.mean[0], 0.3, TOLERANCE);
}
GST_END_TEST;

GST_START_TEST(test_old_results_fade_with_the_time_constant)
{
  for (guint i = 0; i < 1000; i++)
    add(1, 0);
  for (GstClockTime time = 0; time < GST_SECOND / 2; time += FRAME)
    add(0, 1);
  /* 13 frames of 40 ms. */
  check_close(smoothing.mean[0], exp(-13 * 0.04 / 0.5), 1e-4);
}
GST_END_TEST;

GST_START_TEST(test_skipped_frames_count_by_their_time)
{
  for (guint i = 0; i < 1000; i++)
    add(1, 0);
  moment.time += 9 * FRAME; /* one inference in ten frames */
  add(0, 1);
  check_close(smoothing.mean[0], exp(-10 * 0.04 / 0.5), 1e-4);
}
GST_END_TEST;

GST_START_TEST(test_the_frame_rate_stands_in_for_times)
{
  moment.time = GST_CLOCK_TIME_NONE;
  for (guint i = 0; i < 1000; i++)
    add(1, 0);
  moment.frame += 9;
  add(0, 1);
  check_close(smoothing.mean[0], exp(-10 * 0.04 / 0.5), 1e-4);
}
GST_END_TEST;

GST_START_TEST(test_without_time_and_frame_rate_nothing_is_averaged)
{
  moment.time = GST_CLOCK_TIME_NONE;
  moment.frame_duration = 0;
  add(1, 0);
  fail_unless_equals_int(add(0.4f, 0.6f), 1);
  check_close(smoothing.mean[0], 0.4, TOLERANCE);
}
GST_END_TEST;

GST_START_TEST(test_a_stream_that_plays_backwards_is_averaged)
{
  moment.backwards = TRUE;
  moment.time = GST_SECOND;
  add(1, 0);
  moment.time -= 2 * FRAME;
  add(0, 1);
  check_close(smoothing.mean[0], 0.5, TOLERANCE);
}
GST_END_TEST;

GST_START_TEST(test_a_jump_back_starts_again)
{
  moment.time = GST_SECOND;
  add(1, 0);
  moment.time = 0;
  add(0, 1);
  check_close(smoothing.mean[0], 0, TOLERANCE);
}
GST_END_TEST;

GST_START_TEST(test_a_long_gap_starts_again_and_a_dropped_frame_does_not)
{
  add(1, 0);
  moment.discontinuous = TRUE; /* as a leaky queue sets it */
  moment.time += FRAME;
  add(0, 1);
  check_close(smoothing.mean[0], 0.5, TOLERANCE);
  moment.time += 2 * GST_SECOND;
  add(0.1f, 0.9f);
  check_close(smoothing.mean[0], 0.1, TOLERANCE);
}
GST_END_TEST;

GST_START_TEST(test_a_restart_forgets_everything)
{
  for (guint i = 0; i < 100; i++)
    add(1, 0);
  gst_vitgate_smoothing_restart(&smoothing);
  fail_unless_equals_int(smoothing.best, -1);
  fail_unless_equals_int(add(0.45f, 0.5f), 1);
  check_close(smoothing.mean[0], 0.45, TOLERANCE);
}
GST_END_TEST;

GST_START_TEST(test_without_a_time_constant_each_result_stands_alone)
{
  options.time_constant = 0;
  add(1, 0);
  add(0.2f, 0.7f);
  check_close(smoothing.mean[0], 0.2, TOLERANCE);
}
GST_END_TEST;

GST_START_TEST(test_a_challenger_needs_a_lead)
{
  options.time_constant = 0;
  fail_unless_equals_int(add(0.5f, 0.4f), 0);
  fail_unless_equals_int(add(0.42f, 0.48f), 0);
  fail_unless_equals_int(add(0.4f, 0.52f), 1);
  fail_unless_equals_int(add(0.48f, 0.42f), 1);
}
GST_END_TEST;

GST_START_TEST(test_without_hysteresis_the_best_class_is_the_label)
{
  options = (GstVitgateSmoothingOptions){ 0, 0 };
  fail_unless_equals_int(add(0.5f, 0.4f), 0);
  fail_unless_equals_int(add(0.44f, 0.46f), 1);
  fail_unless_equals_int(add(0.45f, 0.45f), 1); /* a tie is no change */
  fail_unless_equals_int(add(0.46f, 0.44f), 0);
}
GST_END_TEST;

GST_START_TEST(test_below_the_threshold_there_is_no_label)
{
  options.time_constant = 0;
  threshold = 0.6f;
  fail_unless_equals_int(add(0.3f, 0.3f), -1);
  fail_unless_equals_int(add(0.6f, 0.2f), 0);
  fail_unless_equals_int(add(0.59f, 0.2f), -1);
}
GST_END_TEST;

GST_START_TEST(test_a_label_returns_only_above_the_threshold_and_the_hysteresis)
{
  options.time_constant = 0;
  threshold = 0.6f;
  add(0.6f, 0.2f);
  add(0.59f, 0.2f);
  fail_unless_equals_int(add(0.65f, 0.2f), -1);
  fail_unless_equals_int(add(0.2f, 0.6f), 1); /* another class has not been shown yet */
  fail_unless_equals_int(add(0.75f, 0.2f), 0);
}
GST_END_TEST;

GST_START_TEST(test_near_one_a_label_can_return)
{
  options.time_constant = 0;
  threshold = 0.98f;
  fail_unless_equals_int(add(1, 0), 0);
  fail_unless_equals_int(add(0.9f, 0), -1);
  fail_unless_equals_int(add(1, 0), 0);
}
GST_END_TEST;

GST_START_TEST(test_a_new_threshold_counts_at_once)
{
  options.time_constant = 0;
  threshold = 0.6f;
  add(0.6f, 0.2f);
  add(0.59f, 0.2f);
  threshold = 0.55f;
  choose(threshold);
  fail_unless_equals_int(smoothing.best, 0);
  threshold = 0.9f;
  choose(threshold);
  fail_unless_equals_int(smoothing.best, -1);
}
GST_END_TEST;

/* Adds a frame with a score for none of the classes.
 * Returns: whether it is of none. */
static gboolean add_unknown(float score)
{
  unknown = score;
  add(0.6f, 0.2f);
  return gst_vitgate_smoothing_is_unknown(&smoothing);
}

GST_START_TEST(test_the_score_for_none_of_the_classes_is_averaged)
{
  unknown_threshold = 0.5f;
  fail_unless(add_unknown(0.8f)); /* the first one counts in full */
  fail_unless(add_unknown(0.4f));
  check_close(smoothing.unknown, 0.6, TOLERANCE);
  fail_if(add_unknown(0.15f));
  check_close(smoothing.unknown, 0.45, TOLERANCE);
  gst_vitgate_smoothing_restart(&smoothing);
  fail_if(gst_vitgate_smoothing_is_unknown(&smoothing));
  fail_unless(add_unknown(0.5f));
}
GST_END_TEST;

GST_START_TEST(test_a_score_returns_when_it_exceeds_its_threshold_by_the_hysteresis)
{
  options.time_constant = 0;
  unknown_threshold = 0.5f;
  fail_if(add_unknown(0.49f));
  fail_unless(add_unknown(0.5f));
  fail_if(add_unknown(0.49f));
  fail_if(add_unknown(0.59f));
  fail_unless(add_unknown(0.61f));
}
GST_END_TEST;

GST_START_TEST(test_a_new_threshold_of_the_score_counts_at_once)
{
  options.time_constant = 0;
  unknown_threshold = 0.5f;
  add_unknown(0.6f);
  fail_if(add_unknown(0.45f));
  unknown_threshold = 0.4f;
  choose(threshold);
  fail_unless(gst_vitgate_smoothing_is_unknown(&smoothing));
  unknown_threshold = 0; /* off */
  choose(threshold);
  fail_if(gst_vitgate_smoothing_is_unknown(&smoothing));
  fail_if(add_unknown(1));
}
GST_END_TEST;

GST_START_TEST(test_a_score_that_is_not_a_number_does_not_stay)
{
  unknown_threshold = 0.5f;
  add_unknown(NAN);
  fail_unless(add_unknown(0.9f));
  check_close(smoothing.unknown, 0.9, TOLERANCE);
}
GST_END_TEST;

GST_START_TEST(test_classes_may_have_thresholds_of_their_own)
{
  static const float own[N] = { 0.5f, 0.25f, 0.3f };

  options.time_constant = 0;
  thresholds = own;
  fail_unless_equals_int(add(0.4f, 0.31f), 1); /* 0.4 is not enough for the first */
  fail_if(gst_vitgate_smoothing_is_shown(&smoothing, 0));
  fail_unless(gst_vitgate_smoothing_is_shown(&smoothing, 1));
  thresholds = NULL;
  choose(threshold);
  fail_unless(gst_vitgate_smoothing_is_shown(&smoothing, 0));
}
GST_END_TEST;

GST_START_TEST(test_several_classes_are_shown_each_by_itself)
{
  const float both[N] = { 0.9f, 0.8f, 0.1f }, one[N] = { 0.9f, 0.4f, 0.1f },
              nearly[N] = { 0.9f, 0.55f, 0.1f };
  const float *frames[] = { both, one, nearly, both };
  static const gboolean expected[] = { TRUE, FALSE, FALSE, TRUE };

  options.time_constant = 0;
  for (guint i = 0; i < G_N_ELEMENTS(frames); i++) {
    gst_vitgate_smoothing_add(&smoothing, &options, &moment, frames[i], 0);
    choose(0.5f);
    fail_unless(gst_vitgate_smoothing_is_shown(&smoothing, 0));
    fail_unless_equals_int(gst_vitgate_smoothing_is_shown(&smoothing, 1), expected[i]);
    fail_if(gst_vitgate_smoothing_is_shown(&smoothing, 2));
  }
}
GST_END_TEST;

GST_START_TEST(test_one_overflow_does_not_stay)
{
  add(0.5f, 0.4f);
  add(NAN, NAN);
  add(0.3f, 0.6f);
  check_close(smoothing.mean[0], 0.3, TOLERANCE);
}
GST_END_TEST;

GST_START_TEST(test_a_copy_goes_on_by_itself)
{
  g_autofree gpointer other_memory = g_malloc(gst_vitgate_smoothing_size(N));
  GstVitgateSmoothing other;

  add(0.6f, 0.4f);
  gst_vitgate_smoothing_init(&other, N, other_memory);
  gst_vitgate_smoothing_copy(&other, &smoothing);
  add(0, 1);
  fail_unless_equals_int(other.best, 0);
  check_close(other.mean[0], 0.6, TOLERANCE);
  fail_unless(gst_vitgate_smoothing_is_shown(&other, 0));
}
GST_END_TEST;

static Suite *smoothing_suite(void)
{
  Suite *suite = suite_create("smoothing");
  TCase *average = tcase_create("average"), *labels = tcase_create("labels");

  tcase_add_checked_fixture(average, setup, teardown);
  tcase_add_test(average, test_the_first_result_counts_in_full);
  tcase_add_test(average, test_the_first_results_count_the_same);
  tcase_add_test(average, test_old_results_fade_with_the_time_constant);
  tcase_add_test(average, test_skipped_frames_count_by_their_time);
  tcase_add_test(average, test_the_frame_rate_stands_in_for_times);
  tcase_add_test(average, test_without_time_and_frame_rate_nothing_is_averaged);
  tcase_add_test(average, test_a_stream_that_plays_backwards_is_averaged);
  tcase_add_test(average, test_a_jump_back_starts_again);
  tcase_add_test(average, test_a_long_gap_starts_again_and_a_dropped_frame_does_not);
  tcase_add_test(average, test_a_restart_forgets_everything);
  tcase_add_test(average, test_without_a_time_constant_each_result_stands_alone);
  tcase_add_test(average, test_one_overflow_does_not_stay);
  tcase_add_test(average, test_a_copy_goes_on_by_itself);
  suite_add_tcase(suite, average);

  tcase_add_checked_fixture(labels, setup, teardown);
  tcase_add_test(labels, test_a_challenger_needs_a_lead);
  tcase_add_test(labels, test_without_hysteresis_the_best_class_is_the_label);
  tcase_add_test(labels, test_below_the_threshold_there_is_no_label);
  tcase_add_test(labels, test_a_label_returns_only_above_the_threshold_and_the_hysteresis);
  tcase_add_test(labels, test_near_one_a_label_can_return);
  tcase_add_test(labels, test_a_new_threshold_counts_at_once);
  tcase_add_test(labels, test_the_score_for_none_of_the_classes_is_averaged);
  tcase_add_test(labels, test_a_score_returns_when_it_exceeds_its_threshold_by_the_hysteresis);
  tcase_add_test(labels, test_a_new_threshold_of_the_score_counts_at_once);
  tcase_add_test(labels, test_a_score_that_is_not_a_number_does_not_stay);
  tcase_add_test(labels, test_classes_may_have_thresholds_of_their_own);
  tcase_add_test(labels, test_several_classes_are_shown_each_by_itself);
  suite_add_tcase(suite, labels);
  return suite;
}

GST_CHECK_MAIN(smoothing)
