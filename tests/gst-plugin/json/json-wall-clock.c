/* json-wall-clock.c: each line says when its frame was taken, and how that is known. */
#include <json-glib/json-glib.h>
#include <string.h>

#include "attached.h"
#include "fixture.h"
#include "json/json-fixture.h"

static void add_reference(GstBuffer *frame, const char *caps_string, GstClockTime time)
{
  GstCaps *caps = gst_caps_from_string(caps_string);

  gst_buffer_add_reference_timestamp_meta(frame, caps, time, GST_CLOCK_TIME_NONE);
  gst_caps_unref(caps);
}

GST_START_TEST(test_wall_clock_of_the_camera)
{
  /* 1,000,000,000 s after the start of 1970; NTP counts 2,208,988,800 s more. */
  GstBuffer *frame = attached_frame("cat");
  g_autoptr(JsonNode) ntp = NULL, both = NULL;

  add_reference(frame, "timestamp/x-ntp", 3208988800 * GST_SECOND + 123456789);
  ntp = json_convert(gst_buffer_copy_deep(frame));
  fail_unless_equals_string(json_get_string(ntp, "wall_clock"), "2001-09-09T01:46:40.123456Z");
  fail_unless_equals_string(json_get_string(ntp, "wall_clock_source"), "ntp");

  add_reference(frame, "timestamp/x-unix", 1000000001 * GST_SECOND);
  both = json_convert(frame);
  fail_unless_equals_string(json_get_string(both, "wall_clock"), "2001-09-09T01:46:41.000000Z");
  fail_unless_equals_string(json_get_string(both, "wall_clock_source"), "unix");
}
GST_END_TEST;

GST_START_TEST(test_times_that_are_not_dates_are_not_written)
{
  GstBuffer *frame = attached_frame("cat");
  g_autoptr(JsonNode) root = NULL;

  add_reference(frame, "timestamp/x-ntp", 5 * GST_SECOND); /* a camera that has just started */
  add_reference(frame, "timestamp/x-drivers-own", 1000000001 * GST_SECOND);
  root = json_convert(frame);
  fail_unless_equals_string(json_get_string(root, "wall_clock_source"), "clock");
}
GST_END_TEST;

/* The json_harness answers LATENCY queries as a live source does. */
GST_START_TEST(test_wall_clock_of_a_live_source)
{
  GstBuffer *frame = attached_frame("cat");
  g_autoptr(GDateTime) before = g_date_time_new_now_utc();
  g_autoptr(GDateTime) after = NULL, written = NULL;
  g_autoptr(JsonNode) root = NULL;
  GTimeSpan since, until;

  gst_harness_use_testclock(json_harness);
  gst_harness_set_time(json_harness, 10 * GST_SECOND);
  GST_BUFFER_PTS(frame) = 4 * GST_SECOND;
  root = json_convert(frame);
  after = g_date_time_new_now_utc();
  fail_unless_equals_string(json_get_string(root, "wall_clock_source"), "clock");
  written = g_date_time_new_from_iso8601(json_get_string(root, "wall_clock"), NULL);
  fail_unless(written, "%s", json_get_string(root, "wall_clock"));
  /* The frame was taken 6 s before the clock's present time. */
  since = g_date_time_difference(written, before) + 6 * G_TIME_SPAN_SECOND;
  until = g_date_time_difference(after, written) - 6 * G_TIME_SPAN_SECOND;
  fail_unless(since >= 0 && until >= 0, "%s", json_get_string(root, "wall_clock"));
}
GST_END_TEST;

/* A playlist goes from a camera to a file. */
GST_START_TEST(test_each_segment_may_be_live_or_not)
{
  for (guint i = 0; i < 4; i++) {
    GstBuffer *frame = attached_frame("cat");
    g_autoptr(JsonNode) root = NULL;
    GstSegment segment;

    gst_harness_use_testclock(json_harness);
    gst_harness_set_live(json_harness, i % 2 == 0);
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.base = i * GST_SECOND;
    fail_unless(gst_harness_push_event(json_harness, gst_event_new_segment(&segment)));
    GST_BUFFER_PTS(frame) = 0;
    root = json_convert(frame);
    fail_unless((json_find(root, "wall_clock") != NULL) == (i % 2 == 0), "segment %u", i);
  }
}
GST_END_TEST;

static Suite *json_wall_clock_suite(void)
{
  Suite *suite = suite_create("json-wall-clock");
  TCase *tcase = tcase_create("json-wall-clock");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, json_setup, json_teardown);
  tcase_add_test(tcase, test_wall_clock_of_the_camera);
  tcase_add_test(tcase, test_times_that_are_not_dates_are_not_written);
  tcase_add_test(tcase, test_wall_clock_of_a_live_source);
  tcase_add_test(tcase, test_each_segment_may_be_live_or_not);
  return suite;
}

GST_CHECK_MAIN(json_wall_clock);
