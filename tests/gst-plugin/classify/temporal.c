/* temporal.c: only what changed is computed of a frame. */
#include "fixture.h"

/* The test model's input: four by four patches. */
enum { SIZE = 32, N_PATCHES = 16 };

static GstHarness *harness;
static GstVideoInfo info;

static void play(const char *temporal, guint width)
{
  GstElement *element = fixture_element();

  gst_util_set_object_arg(G_OBJECT(element), "temporal", temporal);
  harness = fixture_harness(element);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_GRAY8, width, SIZE, &info);
}

static void teardown(void)
{
  fixture_free(harness);
}

/* Returns: (transfer full): a grey frame with a square of 8 x 8 pixels at (@x, 0). */
static GstBuffer *scene(guint x, guint8 level)
{
  GstBuffer *frame = fixture_grey(&info, 100, 0);
  GstMapInfo map;

  fail_unless(gst_buffer_map(frame, &map, GST_MAP_WRITE));
  for (guint y = 0; y < 8; y++)
    memset(map.data + y * GST_VIDEO_INFO_PLANE_STRIDE(&info, 0) + x, level, 8);
  gst_buffer_unmap(frame, &map);
  return frame;
}

static void check_pass(GstBuffer *frame, const char *pass, const char *reason, guint patches)
{
  GstStructure *s = fixture_analyse(harness, frame);

  ck_assert_str_eq(fixture_string(s, "state"), "fresh");
  ck_assert_str_eq(fixture_string(s, "pass"), pass);
  ck_assert_str_eq(fixture_string(s, "pass-reason"), reason);
  ck_assert_uint_eq(fixture_uint(s, "patches"), patches);
  gst_structure_free(s);
}

static void check_unchanged(GstBuffer *frame)
{
  GstStructure *s = fixture_analyse(harness, frame);

  ck_assert_str_eq(fixture_string(s, "state"), "unchanged");
  gst_structure_free(s);
}

GST_START_TEST(test_only_changed_patches_are_computed)
{
  play("on", SIZE);
  check_pass(scene(0, 200), "full", "first", N_PATCHES);
  check_unchanged(scene(0, 200));
  /* The patch in the corner, and its three neighbours. */
  check_pass(scene(0, 150), "updated", "none", 4);
  check_unchanged(scene(0, 150));
}
GST_END_TEST;

GST_START_TEST(test_off_computes_every_frame_on_its_own)
{
  play("off", SIZE);
  check_pass(scene(0, 200), "independent", "first", N_PATCHES);
  for (guint i = 0; i < 3; i++)
    check_pass(scene(0, 200), "independent", "motion", N_PATCHES);
}
GST_END_TEST;

/* A photograph, and slides that differ, cost what they cost without streams. */
GST_START_TEST(test_auto_waits_until_frames_have_been_alike)
{
  play("auto", SIZE);
  check_pass(fixture_frame(&info, 0), "independent", "first", N_PATCHES);
  for (guint i = 1; i < 8; i++)
    check_pass(fixture_grey(&info, (guint8)(30 * i), 0), "independent", "motion", N_PATCHES);
  check_pass(scene(0, 200), "independent", "motion", N_PATCHES);
  for (guint i = 1; i < 8; i++) {
    GstStructure *s = fixture_analyse(harness, scene(0, (guint8)(200 - 20 * (i % 2))));
    const gboolean updated = g_str_equal(fixture_string(s, "pass"), "updated");

    gst_structure_free(s);
    if (updated)
      return;
  }
  fail("no frame was updated");
}
GST_END_TEST;

GST_START_TEST(test_a_new_stream_starts_again)
{
  play("on", SIZE);
  check_pass(scene(0, 200), "full", "first", N_PATCHES);
  check_pass(scene(0, 150), "updated", "none", 4);
  fixture_flush(harness);
  check_pass(scene(0, 150), "full", "first", N_PATCHES);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_GRAY8, 2 * SIZE, 2 * SIZE, &info);
  check_pass(scene(0, 150), "full", "first", N_PATCHES);
}
GST_END_TEST;

static double score_after(const char *temporal, guint8 level)
{
  GstStructure *s;
  double score;

  play(temporal, SIZE);
  if (level)
    gst_buffer_unref(fixture_process(harness, fixture_frame(&info, 7)));
  s = fixture_analyse(harness, scene(0, 200));
  score = fixture_score(s, 0);
  gst_structure_free(s);
  return score;
}

GST_START_TEST(test_a_cut_leaves_nothing_of_the_scene_before)
{
  const double after_cut = score_after("on", 1);

  fixture_free(harness);
  fail_unless(score_after("on", 0) == after_cut);
}
GST_END_TEST;

/* Returns: (transfer full): the scores of @n frames, of two scenes in turn. */
static double *scores_of_turns(const char *temporal, guint n)
{
  double *scores = g_new(double, n);

  play(temporal, SIZE);
  for (guint i = 0; i < n; i++) {
    GstBuffer *frame = i % 2 ? scene(0, 200) : fixture_frame(&info, 7);
    GstStructure *s;

    GST_BUFFER_PTS(frame) = (n - i) * GST_MSECOND; /* backwards */
    s = fixture_analyse(harness, frame);
    scores[i] = fixture_score(s, 0);
    gst_structure_free(s);
  }
  return scores;
}

/* As behind an input-selector that changes its input with each frame. */
GST_START_TEST(test_two_scenes_in_turn_are_as_without)
{
  enum { N = 12 };
  g_autofree double *expected = scores_of_turns("off", N), *with_auto = NULL, *with_on = NULL;

  fixture_free(harness);
  with_auto = scores_of_turns("auto", N);
  fixture_free(harness);
  with_on = scores_of_turns("on", N);
  for (guint i = 0; i < N; i++) {
    fail_unless(with_auto[i] == expected[i], "frame %u with auto", i);
    fail_unless(with_on[i] == expected[i], "frame %u with on", i);
  }
}
GST_END_TEST;

GST_START_TEST(test_frames_that_change_their_size_start_again)
{
  play("on", SIZE);
  for (guint i = 0; i < 6; i++) {
    fixture_set_caps(harness, GST_VIDEO_FORMAT_GRAY8, SIZE + i % 3, SIZE, &info);
    check_pass(scene(0, 200), "full", "first", N_PATCHES);
  }
}
GST_END_TEST;

GST_START_TEST(test_the_largest_threshold_never_computes_again)
{
  play("on", SIZE);
  g_object_set(harness->element, "change-threshold", 1.0, "reuse-threshold", 1.0, NULL);
  check_pass(scene(0, 200), "full", "first", N_PATCHES);
  for (guint i = 0; i < 5; i++)
    check_unchanged(fixture_frame(&info, i));
}
GST_END_TEST;

/* All patches whose pixels differ at all, and their neighbours. */
GST_START_TEST(test_the_smallest_threshold_computes_each_difference)
{
  play("on", SIZE);
  g_object_set(harness->element, "change-threshold", 0.0, "reuse-threshold", 0.0, NULL);
  check_pass(scene(0, 200), "full", "first", N_PATCHES);
  check_pass(scene(0, 200), "updated", "none", 0);
  check_pass(scene(0, 201), "updated", "none", 4);
}
GST_END_TEST;

GST_START_TEST(test_the_interval_refreshes_all_patches)
{
  play("on", SIZE);
  g_object_set(harness->element, "refresh-interval", 4, NULL);
  check_pass(scene(0, 200), "full", "first", N_PATCHES);
  for (guint i = 0; i < 3; i++)
    check_pass(scene(0, i % 2 ? 200 : 150), "updated", "none", 4);
  check_pass(scene(0, 200), "full", "interval", N_PATCHES);
}
GST_END_TEST;

GST_START_TEST(test_the_threshold_says_what_has_changed)
{
  play("on", SIZE);
  g_object_set(harness->element, "change-threshold", 0.3, "reuse-threshold", 0.0, NULL);
  check_pass(scene(0, 200), "full", "first", N_PATCHES);
  check_pass(scene(0, 150), "updated", "none", 0);
  check_pass(scene(0, 110), "updated", "none", 4);
}
GST_END_TEST;

GST_START_TEST(test_a_moved_dial_applies_to_a_still_scene)
{
  play("on", SIZE);
  check_pass(scene(0, 200), "full", "first", N_PATCHES);
  check_unchanged(scene(0, 200));
  g_object_set(harness->element, "model", fixture_path("VITGATE_TEST_GATED_MODEL"), "compute", 0.9,
               NULL);
  /* The other model takes over between two frames. */
  for (guint i = 0; i < 1000; i++) {
    GstStructure *s = fixture_analyse(harness, scene(0, 200));
    const gboolean fresh = g_str_equal(fixture_string(s, "state"), "fresh");

    gst_structure_free(s);
    if (fresh)
      break;
    g_usleep(1000);
  }
  check_unchanged(scene(0, 200));
  g_object_set(harness->element, "compute", 0.3, NULL);
  check_pass(scene(0, 200), "full", "dial", N_PATCHES);
  check_unchanged(scene(0, 200));
}
GST_END_TEST;

/* The frame is covered by two squares; only the left one sees the change. */
GST_START_TEST(test_squares_are_updated_each_by_itself)
{
  play("on", 2 * SIZE);
  check_pass(scene(0, 200), "full", "first", 2 * N_PATCHES);
  check_pass(scene(0, 150), "updated", "none", 4);
  check_pass(scene(2 * SIZE - 8, 150), "updated", "none", 8);
}
GST_END_TEST;

/* Sets temporal and pushes frames until one is computed by @pass. */
static void change_to(const char *temporal, const char *pass)
{
  gboolean found = FALSE;

  gst_util_set_object_arg(G_OBJECT(harness->element), "temporal", temporal);
  for (guint i = 0; !found && i < 1000; i++) {
    GstStructure *s = fixture_analyse(harness, scene(0, i % 2 ? 200 : 150));

    found = g_str_equal(fixture_string(s, "pass"), pass);
    gst_structure_free(s);
    g_usleep(1000);
  }
  fail_unless(found, "no frame is %s after temporal=%s", pass, temporal);
}

GST_START_TEST(test_temporal_changes_while_playing)
{
  play("on", SIZE);
  check_pass(scene(0, 200), "full", "first", N_PATCHES);
  change_to("off", "independent");
  change_to("on", "updated");
}
GST_END_TEST;

static Suite *temporal_suite(void)
{
  Suite *suite = suite_create("temporal");
  TCase *tcase = tcase_create("temporal");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, NULL, teardown);
  tcase_add_test(tcase, test_only_changed_patches_are_computed);
  tcase_add_test(tcase, test_off_computes_every_frame_on_its_own);
  tcase_add_test(tcase, test_auto_waits_until_frames_have_been_alike);
  tcase_add_test(tcase, test_a_new_stream_starts_again);
  tcase_add_test(tcase, test_a_cut_leaves_nothing_of_the_scene_before);
  tcase_add_test(tcase, test_two_scenes_in_turn_are_as_without);
  tcase_add_test(tcase, test_frames_that_change_their_size_start_again);
  tcase_add_test(tcase, test_the_largest_threshold_never_computes_again);
  tcase_add_test(tcase, test_the_smallest_threshold_computes_each_difference);
  tcase_add_test(tcase, test_the_interval_refreshes_all_patches);
  tcase_add_test(tcase, test_the_threshold_says_what_has_changed);
  tcase_add_test(tcase, test_a_moved_dial_applies_to_a_still_scene);
  tcase_add_test(tcase, test_squares_are_updated_each_by_itself);
  tcase_add_test(tcase, test_temporal_changes_while_playing);
  return suite;
}

GST_CHECK_MAIN(temporal);
