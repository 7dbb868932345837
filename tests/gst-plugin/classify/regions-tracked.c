/* regions-tracked.c: results of regions are carried from frame to frame. */
#include "regions-fixture.h"

GST_START_TEST(test_tracked_regions_are_inferred_at_intervals)
{
  GstStructure *last = NULL;

  g_object_set(regions_harness->element, "reclassify-interval", 3, NULL);
  for (guint i = 0; i < 7; i++) {
    GstBuffer *frame = fixture_frame(&regions_info, i);
    GstStructure *s;

    regions_attach_tracked(frame, 10 + i, 5);
    regions_attach_tracked(frame, 60, 0); /* no id */
    s = fixture_analyse(regions_harness, frame);
    fail_unless_equals_uint64(fixture_uint64(regions_get(s, 0), "age"), i % 3);
    fail_unless_equals_uint64(fixture_uint64(regions_get(s, 0), "age-time"),
                              i % 3 * 40 * GST_MSECOND);
    fail_unless_equals_int(fixture_uint(regions_get(s, 0), "x"), 10 + i);
    regions_check_state(regions_get(s, 0), i % 3 ? "interval" : "fresh");
    regions_check_state(regions_get(s, 1), "fresh");
    if (i % 3)
      regions_check_same(regions_get(s, 0), regions_get(last, 0));
    else if (last)
      fail_if(fixture_score(regions_get(s, 0), 0) == fixture_score(regions_get(last, 0), 0));
    g_clear_pointer(&last, gst_structure_free);
    last = s;
  }
  gst_structure_free(last);
}
GST_END_TEST;

GST_START_TEST(test_carried_results_are_attached_to_the_regions_of_interest)
{
  GstBuffer *frame, *out;

  g_object_set(regions_harness->element, "reclassify-interval", 100, NULL);
  for (guint i = 0; i < 2; i++) {
    GstVideoRegionOfInterestMeta *roi;
    frame = fixture_frame(&regions_info, i);
    regions_attach_tracked(frame, 10, 5);
    out = fixture_process(regions_harness, frame);
    roi = (gpointer)gst_buffer_get_meta(out, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
    fail_unless(
        gst_video_region_of_interest_meta_get_param(roi, "classification_layer_name:logits"));
    regions_check_state(fixture_result(out), i ? "interval" : "fresh");
    gst_buffer_unref(out);
  }
}
GST_END_TEST;

GST_START_TEST(test_frames_between_inferences_have_only_tracked_regions)
{
  static const guint n_known[] = { 2, 1, 1, 3 };

  g_object_set(regions_harness->element, "inference-interval", 3, NULL);
  for (guint i = 0; i < G_N_ELEMENTS(n_known); i++) {
    GstBuffer *frame = fixture_frame(&regions_info, i);
    GstStructure *s;

    regions_attach_tracked(frame, 10, 5);
    regions_attach_tracked(frame, 60, 0);
    if (i > 0)
      regions_attach_tracked(frame, 30, 6); /* new */
    s = fixture_analyse(regions_harness, frame);
    fail_unless_equals_int(regions_count(s), n_known[i]);
    fail_unless_equals_uint64(fixture_uint64(regions_get(s, 0), "age"), i % 3);
    regions_check_state(s, i % 3 ? "interval" : "fresh");
    gst_structure_free(s);
  }
}
GST_END_TEST;

GST_START_TEST(test_new_regions_do_not_wait_after_frames_without_regions)
{
  GstBuffer *frame;
  GstStructure *s;

  g_object_set(regions_harness->element, "inference-interval", 100, NULL);
  gst_structure_free(fixture_analyse(regions_harness, fixture_frame(&regions_info, 0)));
  frame = fixture_frame(&regions_info, 1);
  regions_attach_tracked(frame, 10, 5);
  s = fixture_analyse(regions_harness, frame);
  fail_unless_equals_int(regions_count(s), 1);
  gst_structure_free(s);
}
GST_END_TEST;

GST_START_TEST(test_new_caps_drop_results)
{
  g_object_set(regions_harness->element, "reclassify-interval", 100, NULL);
  for (guint i = 0; i < 4; i++) {
    GstBuffer *frame = fixture_frame(&regions_info, i);
    GstStructure *s;

    regions_attach_tracked(frame, 10, 5);
    s = fixture_analyse(regions_harness, frame);
    fail_unless_equals_uint64(fixture_uint64(regions_get(s, 0), "age"), i % 2);
    gst_structure_free(s);
    if (i == 1)
      fixture_set_caps(regions_harness, GST_VIDEO_FORMAT_RGB, REGIONS_WIDTH, REGIONS_HEIGHT,
                       &regions_info);
  }
}
GST_END_TEST;

GST_START_TEST(test_frames_without_pixels_carry_old_results)
{
  GstBuffer *frame = fixture_frame(&regions_info, 0);
  GstStructure *s;

  regions_attach_tracked(frame, 10, 5);
  gst_structure_free(fixture_analyse(regions_harness, frame));
  for (guint i = 1; i <= 2; i++) {
    frame = i == 1 ? gst_buffer_new() : gst_buffer_new_allocate(NULL, 5, NULL);
    regions_attach_tracked(frame, 10, 5);
    regions_attach_tracked(frame, 60, 0);
    s = fixture_analyse(regions_harness, frame);
    fail_unless_equals_int(regions_count(s), 1);
    fail_unless_equals_uint64(fixture_uint64(regions_get(s, 0), "age"), i);
    regions_check_state(regions_get(s, 0), "empty");
    gst_structure_free(s);
  }
  fail_unless_equals_int(regions_count_warnings("Cannot read a frame"), 1);
}
GST_END_TEST;

/* No inference takes less than a nanosecond, so sooner or later inferences stop. */
GST_START_TEST(test_without_time_regions_carry_old_results)
{
  const char *state = "fresh";

  g_object_set(regions_harness->element, "latency-budget", G_GUINT64_CONSTANT(1), NULL);
  for (guint i = 0; g_str_equal(state, "fresh"); i++) {
    GstBuffer *frame = fixture_frame(&regions_info, i);
    GstStructure *s;

    fail_unless(i < 1000, "time is never short");
    regions_attach_tracked(frame, 10, 5);
    regions_attach_tracked(frame, 60, 0);
    s = fixture_analyse(regions_harness, frame);
    state = g_intern_string(gst_structure_get_string(s, "state"));
    if (!g_str_equal(state, "fresh")) {
      fail_unless_equals_string(state, "late");
      fail_unless_equals_int(regions_count(s), 1);
      regions_check_state(regions_get(s, 0), "late");
      fail_unless_equals_uint64(fixture_uint64(regions_get(s, 0), "age"), 1);
    }
    gst_structure_free(s);
  }
}
GST_END_TEST;

GST_START_TEST(test_inference_region_changes_while_playing)
{
  gboolean frames = FALSE;

  gst_util_set_object_arg(G_OBJECT(regions_harness->element), "inference-region", "full-frame");
  /* The classifier for frames is loaded in the background; each frame checks whether it is ready.
   */
  for (guint i = 0; !frames; i++) {
    GstBuffer *frame = fixture_frame(&regions_info, i);
    GstStructure *s;

    regions_attach_tracked(frame, 10, 5);
    s = fixture_analyse(regions_harness, frame);
    frames = !gst_structure_has_field(s, "regions");
    fail_unless(!frames || gst_structure_has_field(s, "label"));
    gst_structure_free(s);
  }
}
GST_END_TEST;

#ifdef HAVE_GST_ANALYTICS

GST_START_TEST(test_tracked_detections_are_inferred_at_intervals)
{
  g_object_set(regions_harness->element, "reclassify-interval", 3, NULL);
  for (guint i = 0; i < 7; i++) {
    GstBuffer *frame = fixture_frame(&regions_info, i), *out;
    GstAnalyticsODMtd car = regions_detect(frame, 10 + i);
    GstAnalyticsTrackingMtd track;
    gint id;

    fail_unless(gst_analytics_relation_meta_add_tracking_mtd(car.meta, 77, 0, &track));
    fail_unless(gst_analytics_relation_meta_set_relation(car.meta, GST_ANALYTICS_REL_TYPE_RELATE_TO,
                                                         car.id, track.id));
    out = fixture_process(regions_harness, frame);
    fail_unless_equals_uint64(fixture_uint64(regions_get(fixture_result(out), 0), "age"), i % 3);
    fail_unless(gst_structure_get_int(regions_get(fixture_result(out), 0), "id", &id) && id == 77);
    /* The detection, its tracking and two classifications. */
    fail_unless_equals_int(
        gst_analytics_relation_get_length(gst_buffer_get_analytics_relation_meta(out)), 4);
    gst_buffer_unref(out);
  }
}
GST_END_TEST;

#endif

/* An object's results are averaged by its id; a new object starts with its own. The picture is the
 * same in all frames. */
GST_START_TEST(test_each_tracked_region_has_an_average_of_its_own)
{
  g_object_set(regions_harness->element, "smoothing", 0.5, NULL);
  for (guint i = 0; i < 6; i++) {
    GstBuffer *frame = fixture_frame(&regions_info, 1);
    GstStructure *s;

    GST_BUFFER_PTS(frame) = i * 40 * GST_MSECOND;
    regions_attach_tracked(frame, 10 + i, 5);
    regions_attach_tracked(frame, 60, 0);     /* no id */
    regions_attach_tracked(frame, 30, i + 6); /* new in each frame */
    s = fixture_analyse(regions_harness, frame);
    for (guint r = 0; r < 3; r++) {
      const GstStructure *region = regions_get(s, r);
      const gboolean averaged =
          fixture_double(region, "score") != fixture_double(region, "raw-score");

      fail_unless_equals_int(averaged, r == 0 && i > 0);
    }
    gst_structure_free(s);
  }
}
GST_END_TEST;

/* Trackers may keep their ids over a cut. */
GST_START_TEST(test_a_cut_starts_the_averages_of_regions_again)
{
  static const guint8 levels[] = { 60, 65, 200, 205, 210 };
  static const gboolean averaged[] = { FALSE, TRUE, FALSE, TRUE, TRUE };

  g_object_set(regions_harness->element, "smoothing", 0.5, NULL);
  for (guint i = 0; i < G_N_ELEMENTS(levels); i++) {
    GstBuffer *frame = fixture_grey(&regions_info, levels[i], i * 40 * GST_MSECOND);
    const GstStructure *region;
    GstStructure *s;

    regions_attach_tracked(frame, 10, 5);
    s = fixture_analyse(regions_harness, frame);
    region = regions_get(s, 0);
    fail_unless_equals_int(fixture_double(region, "score") != fixture_double(region, "raw-score"),
                           averaged[i]);
    gst_structure_free(s);
  }
}
GST_END_TEST;

static Suite *regions_tracked_suite(void)
{
  Suite *suite = suite_create("regions-tracked");
  TCase *tcase = tcase_create("regions-tracked");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, regions_setup, regions_teardown);
  tcase_add_test(tcase, test_tracked_regions_are_inferred_at_intervals);
  tcase_add_test(tcase, test_carried_results_are_attached_to_the_regions_of_interest);
  tcase_add_test(tcase, test_frames_between_inferences_have_only_tracked_regions);
  tcase_add_test(tcase, test_new_regions_do_not_wait_after_frames_without_regions);
  tcase_add_test(tcase, test_each_tracked_region_has_an_average_of_its_own);
  tcase_add_test(tcase, test_a_cut_starts_the_averages_of_regions_again);
  tcase_add_test(tcase, test_new_caps_drop_results);
  tcase_add_test(tcase, test_frames_without_pixels_carry_old_results);
  tcase_add_test(tcase, test_without_time_regions_carry_old_results);
  tcase_add_test(tcase, test_inference_region_changes_while_playing);
#ifdef HAVE_GST_ANALYTICS
  tcase_add_test(tcase, test_tracked_detections_are_inferred_at_intervals);
#endif
  return suite;
}

GST_CHECK_MAIN(regions_tracked);
