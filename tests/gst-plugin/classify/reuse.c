/* reuse.c: a scene that has hardly changed keeps its result. */
#include "fixture.h"

#define THRESHOLD 0.03

static GstHarness *harness;
static GstVideoInfo info;
static guint n_frames;

static void setup(void)
{
  harness = fixture_harness(fixture_element());
  g_object_set(harness->element, "reuse-threshold", THRESHOLD, NULL);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_GRAY8, 320, 240, &info);
  n_frames = 0;
}

static void teardown(void)
{
  fixture_free(harness);
}

/* Returns: (transfer full): the state of @frame, 40 ms after the last one. */
static char *state_of(GstBuffer *frame)
{
  GstStructure *s;
  char *state;

  GST_BUFFER_PTS(frame) = n_frames++ * 40 * GST_MSECOND;
  s = fixture_analyse(harness, frame);
  state = g_strdup(fixture_string(s, "state"));
  gst_structure_free(s);
  return state;
}

static void check_state(GstBuffer *frame, const char *expected)
{
  g_autofree char *state = state_of(frame);

  fail_unless(g_str_equal(state, expected), "frame %u is %s, not %s", n_frames - 1, state,
              expected);
}

/* Returns: a picture with a sensor's noise: each pixel is off by up to @noise of 255. */
static GstBuffer *noisy(guint8 level, guint noise, guint seed)
{
  GstBuffer *frame = fixture_grey(&info, level, 0);
  g_autoptr(GRand) random = g_rand_new_with_seed(seed);
  GstMapInfo map;

  fail_unless(gst_buffer_map(frame, &map, GST_MAP_READWRITE));
  for (gsize i = 0; i < map.size; i++)
    map.data[i] += g_rand_int_range(random, -(gint)noise, noise + 1);
  gst_buffer_unmap(frame, &map);
  return frame;
}

GST_START_TEST(test_an_unchanged_scene_keeps_its_result)
{
  GstStructure *s, *stats;

  check_state(fixture_frame(&info, 1), "fresh");
  check_state(fixture_frame(&info, 1), "unchanged");
  s = fixture_analyse(harness, fixture_frame(&info, 1));
  fail_unless_equals_uint64(fixture_uint64(s, "age"), 2);
  gst_structure_free(s);
  check_state(fixture_frame(&info, 2), "fresh");
  stats = fixture_stats(harness->element);
  fail_unless_equals_uint64(fixture_uint64(stats, "inferred"), 2);
  fail_unless_equals_uint64(fixture_uint64(stats, "reused"), 2);
  gst_structure_free(stats);
}
GST_END_TEST;

GST_START_TEST(test_nothing_is_reused_without_a_threshold)
{
  g_object_set(harness->element, "reuse-threshold", 0.0, NULL);
  for (guint i = 0; i < 3; i++)
    check_state(fixture_frame(&info, 1), "fresh");
  g_object_set(harness->element, "reuse-threshold", -1.0, NULL); /* temporal is off */
  for (guint i = 0; i < 3; i++)
    check_state(fixture_frame(&info, 1), "fresh");
  g_object_set(harness->element, "reuse-threshold", THRESHOLD, NULL);
  check_state(fixture_frame(&info, 1), "unchanged");
}
GST_END_TEST;

GST_START_TEST(test_noise_is_not_a_change)
{
  check_state(noisy(100, 20, 0), "fresh");
  for (guint i = 1; i < 30; i++)
    check_state(noisy(100, 20, i), "unchanged");
}
GST_END_TEST;

GST_START_TEST(test_slow_drift_is_detected)
{
  guint n_fresh = 0;

  /* Like a sunset: one level of 255 every second frame, too little from one frame to the next. */
  for (guint i = 0; i < 200; i++) {
    g_autofree char *state = state_of(noisy(200 - i / 2, 10, i));

    n_fresh += g_str_equal(state, "fresh");
  }
  /* The threshold is 7.65 levels of full range. All cells drift alike, but with noise some of them
   * reach it a little sooner. */
  fail_unless(n_fresh >= 11 && n_fresh <= 30, "%u inferences in a drift of 100 levels", n_fresh);
}
GST_END_TEST;

GST_START_TEST(test_max_age_forces_an_inference)
{
  g_object_set(harness->element, "max-age", 200 * GST_MSECOND, NULL);
  for (guint i = 0; i < 15; i++)
    check_state(fixture_frame(&info, 1), i % 5 ? "unchanged" : "fresh");
  g_object_set(harness->element, "max-age", (guint64)0, NULL);
  check_state(fixture_frame(&info, 1), "unchanged");
  n_frames += 25 * 3600;
  check_state(fixture_frame(&info, 1), "unchanged");
}
GST_END_TEST;

/* Checks the result of the same frame, without a timestamp, that arrives after @ms of the clock. */
static void check_arrival(guint ms, const char *state, GstClockTime age_time)
{
  GstStructure *s;
  guint64 found;

  gst_harness_set_time(harness, ms * GST_MSECOND);
  s = fixture_analyse(harness, fixture_grey(&info, 9, GST_CLOCK_TIME_NONE));
  fail_unless_equals_string(fixture_string(s, "state"), state);
  fail_unless(gst_structure_get_uint64(s, "age-time", &found));
  fail_unless_equals_uint64(found, age_time);
  gst_structure_free(s);
}

GST_START_TEST(test_frames_without_a_timestamp_age_from_their_arrival)
{
  g_object_set(harness->element, "max-age", 200 * GST_MSECOND, NULL);
  check_arrival(50, "fresh", 0);
  check_arrival(150, "unchanged", 100 * GST_MSECOND);
  check_arrival(249, "unchanged", 199 * GST_MSECOND);
  check_arrival(250, "fresh", 0);
}
GST_END_TEST;

GST_START_TEST(test_the_interval_comes_first)
{
  g_object_set(harness->element, "inference-interval", 2, NULL);
  check_state(fixture_frame(&info, 1), "fresh");
  check_state(fixture_frame(&info, 2), "interval");
  check_state(fixture_frame(&info, 1), "unchanged");
  check_state(fixture_frame(&info, 2), "fresh");
}
GST_END_TEST;

GST_START_TEST(test_a_flush_ends_reuse)
{
  check_state(fixture_frame(&info, 1), "fresh");
  fixture_flush(harness);
  check_state(fixture_frame(&info, 1), "fresh");
}
GST_END_TEST;

static Suite *reuse_suite(void)
{
  Suite *suite = suite_create("reuse");
  TCase *tcase = tcase_create("reuse");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_test(tcase, test_an_unchanged_scene_keeps_its_result);
  tcase_add_test(tcase, test_nothing_is_reused_without_a_threshold);
  tcase_add_test(tcase, test_noise_is_not_a_change);
  tcase_add_test(tcase, test_slow_drift_is_detected);
  tcase_add_test(tcase, test_max_age_forces_an_inference);
  tcase_add_test(tcase, test_frames_without_a_timestamp_age_from_their_arrival);
  tcase_add_test(tcase, test_the_interval_comes_first);
  tcase_add_test(tcase, test_a_flush_ends_reuse);
  return suite;
}

GST_CHECK_MAIN(reuse);
