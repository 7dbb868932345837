/* dial.c: how much is computed for a frame, and how its metadata describes that. */
#include <gst/controller/gstdirectcontrolbinding.h>
#include <gst/controller/gstinterpolationcontrolsource.h>

#include "fixture.h"

static GstHarness *harness;
static GstVideoInfo info;

static void setup(void)
{
  GstElement *element = fixture_element();

  g_object_set(element, "model", fixture_path("VITGATE_TEST_GATED_MODEL"), NULL);
  harness = fixture_harness(element);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 32, 32, &info);
}

static void teardown(void)
{
  fixture_free(harness);
}

static GstStructure *classify_at(double compute)
{
  g_object_set(harness->element, "compute", compute, NULL);
  return fixture_classify(harness, &info, 1);
}

GST_START_TEST(test_the_default_is_the_models_own)
{
  GstStructure *s = fixture_classify(harness, &info, 1);
  double compute;

  g_object_get(harness->element, "compute", &compute, NULL);
  fail_unless_equals_float(compute, -1);
  fail_unless_equals_float(fixture_double(s, "compute"), 0.6);
  gst_structure_free(s);
}
GST_END_TEST;

GST_START_TEST(test_the_ends_of_the_dial)
{
  GstStructure *low = classify_at(0), *high = classify_at(1);

  fail_unless_equals_float(fixture_double(low, "compute"), 0.2);
  fail_unless_equals_float(fixture_double(high, "compute"), 0.9);
  /* Block 0's MLP, block 1's attention and block 2's MLP have gates. */
  fail_unless_equals_string(fixture_string(low, "modules"), "10000011");
  fail_unless_equals_string(fixture_string(high, "modules"), "11100111");
  fail_unless_equals_int(fixture_uint(low, "tokens"), 9);
  fail_unless_equals_int(fixture_uint(high, "tokens"), 17);
  fail_unless(fixture_double(low, "gmacs") < fixture_double(high, "gmacs"));
  fail_unless(fixture_double(low, "compute-ratio") < fixture_double(high, "compute-ratio"));
  gst_structure_free(low);
  gst_structure_free(high);
}
GST_END_TEST;

GST_START_TEST(test_the_dial_applies_from_the_next_frame)
{
  static const double turns[] = { 0.2, 0.9, 0.5, 0.21, 0.6 };
  GstStructure *stats;

  for (guint i = 0; i < G_N_ELEMENTS(turns); i++) {
    GstStructure *s = classify_at(turns[i]);

    fail_unless_equals_float(fixture_double(s, "compute"), turns[i]);
    gst_structure_free(s);
  }
  stats = fixture_stats(harness->element);
  fail_unless_equals_float(fixture_double(stats, "compute"), 0.6);
  gst_structure_free(stats);
}
GST_END_TEST;

GST_START_TEST(test_old_results_describe_their_own_inference)
{
  GstStructure *fresh, *old;

  g_object_set(harness->element, "inference-interval", 10, NULL);
  fresh = classify_at(1);
  old = classify_at(0);
  fail_unless_equals_float(fixture_double(old, "compute"), fixture_double(fresh, "compute"));
  fail_unless_equals_string(fixture_string(old, "modules"), fixture_string(fresh, "modules"));
  gst_structure_free(fresh);
  gst_structure_free(old);
}
GST_END_TEST;

GST_START_TEST(test_the_dial_can_be_controlled)
{
  GstControlSource *source = gst_interpolation_control_source_new();
  GstTimedValueControlSource *timed = GST_TIMED_VALUE_CONTROL_SOURCE(source);

  g_object_set(source, "mode", GST_INTERPOLATION_MODE_LINEAR, NULL);
  fail_unless(gst_object_add_control_binding(
      GST_OBJECT(harness->element),
      gst_direct_control_binding_new_absolute(GST_OBJECT(harness->element), "compute", source)));
  fail_unless(gst_timed_value_control_source_set(timed, 0, 0.9));
  fail_unless(gst_timed_value_control_source_set(timed, 280 * GST_MSECOND, 0.2));
  for (guint i = 0; i < 8; i++) { /* every 40 ms */
    GstStructure *s = fixture_classify(harness, &info, i);

    fail_unless(ABS(fixture_double(s, "compute") - (0.9 - 0.1 * i)) < 1e-6);
    gst_structure_free(s);
  }
  gst_object_unref(source);
}
GST_END_TEST;

GST_START_TEST(test_a_model_without_a_dial_ignores_compute)
{
  GstStructure *low, *high;

  fixture_free(harness);
  harness = fixture_harness_for(GST_VIDEO_FORMAT_RGB, 32, 32);
  low = classify_at(0);
  high = classify_at(1);
  fail_unless_equals_float(fixture_double(low, "gmacs"), fixture_double(high, "gmacs"));
  fail_unless_equals_float(fixture_double(low, "compute"), fixture_double(low, "compute-ratio"));
  gst_structure_free(low);
  gst_structure_free(high);
}
GST_END_TEST;

GST_START_TEST(test_the_shipped_model_has_a_dial)
{
  GstElement *element = fixture_element();
  GstStructure *low, *high;

  g_object_set(element, "model", fixture_path("VITGATE_TEST_SHIPPED_MODEL"), NULL);
  fixture_free(harness);
  harness = fixture_harness(element);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_NV12, 320, 240, &info);
  low = classify_at(0);
  high = classify_at(1);
  fail_unless(fixture_double(low, "gmacs") < 0.8 * fixture_double(high, "gmacs"));
  gst_structure_free(low);
  gst_structure_free(high);
}
GST_END_TEST;

/* ---- Age and state ---- */

GST_START_TEST(test_age_is_given_in_frames_and_in_time)
{
  g_object_set(harness->element, "inference-interval", 3, NULL);
  for (guint i = 0; i < 6; i++) { /* every 40 ms */
    GstStructure *s = fixture_classify(harness, &info, 5 + i);

    fail_unless_equals_string(fixture_string(s, "state"), i % 3 ? "interval" : "fresh");
    fail_unless_equals_uint64(fixture_uint64(s, "age"), i % 3);
    fail_unless_equals_uint64(fixture_uint64(s, "age-time"), i % 3 * 40 * GST_MSECOND);
    gst_structure_free(s);
  }
}
GST_END_TEST;

/* Without a clock, the arrival of a frame without a timestamp has no time either. */
GST_START_TEST(test_age_time_is_absent_if_unknown)
{
  GstStructure *s;

  gst_element_set_clock(harness->element, NULL);
  g_object_set(harness->element, "inference-interval", 3, NULL);
  gst_structure_free(fixture_analyse(harness, fixture_grey(&info, 9, GST_CLOCK_TIME_NONE)));
  s = fixture_analyse(harness, fixture_grey(&info, 9, GST_SECOND));
  fail_unless_equals_uint64(fixture_uint64(s, "age"), 1);
  fail_if(gst_structure_has_field(s, "age-time"));
  gst_structure_free(s);
}
GST_END_TEST;

GST_START_TEST(test_age_also_counts_when_playing_backwards)
{
  GstSegment segment;
  GstStructure *s;

  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.rate = -1;
  segment.stop = 10 * GST_SECOND;
  fail_unless(gst_harness_push_event(harness, gst_event_new_segment(&segment)));
  g_object_set(harness->element, "inference-interval", 3, NULL);
  gst_structure_free(fixture_analyse(harness, fixture_grey(&info, 9, 5 * GST_SECOND)));
  s = fixture_analyse(harness, fixture_grey(&info, 9, 4 * GST_SECOND));
  fail_unless_equals_uint64(fixture_uint64(s, "age-time"), GST_SECOND);
  gst_structure_free(s);
}
GST_END_TEST;

GST_START_TEST(test_a_frame_without_content_is_empty)
{
  GstBuffer *gap = fixture_frame(&info, 2);
  GstStructure *s;

  gst_structure_free(fixture_classify(harness, &info, 1));
  GST_BUFFER_FLAG_SET(gap, GST_BUFFER_FLAG_GAP);
  s = fixture_analyse(harness, gap);
  fail_unless_equals_string(fixture_string(s, "state"), "empty");
  gst_structure_free(s);
  s = fixture_analyse(harness, gst_buffer_new_allocate(NULL, 5, NULL)); /* unreadable */
  fail_unless_equals_string(fixture_string(s, "state"), "empty");
  fail_unless_equals_uint64(fixture_uint64(s, "age"), 2);
  gst_structure_free(s);
}
GST_END_TEST;

static Suite *dial_suite(void)
{
  Suite *suite = suite_create("dial");
  TCase *tcase = tcase_create("dial");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_test(tcase, test_the_default_is_the_models_own);
  tcase_add_test(tcase, test_the_ends_of_the_dial);
  tcase_add_test(tcase, test_the_dial_applies_from_the_next_frame);
  tcase_add_test(tcase, test_old_results_describe_their_own_inference);
  tcase_add_test(tcase, test_the_dial_can_be_controlled);
  tcase_add_test(tcase, test_a_model_without_a_dial_ignores_compute);
  tcase_add_test(tcase, test_the_shipped_model_has_a_dial);
  tcase_add_test(tcase, test_age_is_given_in_frames_and_in_time);
  tcase_add_test(tcase, test_age_time_is_absent_if_unknown);
  tcase_add_test(tcase, test_age_also_counts_when_playing_backwards);
  tcase_add_test(tcase, test_a_frame_without_content_is_empty);
  return suite;
}

GST_CHECK_MAIN(dial);
