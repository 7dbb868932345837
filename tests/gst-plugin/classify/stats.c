/* stats.c: means, the 95th percentile and the hysteresis of the latency. */
#include "classify/stats.h"

#include <gst/check/gstcheck.h>

#include "fixture.h"

static GstVitgateStats stats;

static guint64 field(const char *name)
{
  GstStructure *s = gst_vitgate_stats_to_structure(&stats);
  const guint64 value = fixture_uint64(s, name);

  gst_structure_free(s);
  return value;
}

static double double_field(const char *name)
{
  GstStructure *s = gst_vitgate_stats_to_structure(&stats);
  const double value = fixture_double(s, name);

  gst_structure_free(s);
  return value;
}

GST_START_TEST(test_everything_is_zero_at_first)
{
  gst_vitgate_stats_reset(&stats);
  fail_unless_equals_uint64(field("frames"), 0);
  fail_unless_equals_uint64(field("mean-time"), 0);
  fail_unless_equals_uint64(field("p95-time"), 0);
  fail_unless_equals_uint64(field("worst-time"), 0);
  fail_unless_equals_float(double_field("mean-gmacs"), 0);
}
GST_END_TEST;

GST_START_TEST(test_95_of_100_times_do_not_exceed_p95)
{
  gst_vitgate_stats_reset(&stats);
  for (guint i = 100; i > 0; i--)
    gst_vitgate_stats_add_inference(&stats, i, i, 1);
  fail_unless_equals_uint64(field("p95-time"), 95);
  fail_unless_equals_uint64(field("worst-time"), 100);
  fail_unless_equals_uint64(field("mean-time"), 50);
}
GST_END_TEST;

GST_START_TEST(test_p95_of_one_is_that_one)
{
  gst_vitgate_stats_reset(&stats);
  gst_vitgate_stats_add_inference(&stats, 7, 5, 0.5);
  fail_unless_equals_uint64(field("p95-time"), 7);
  fail_unless_equals_uint64(field("mean-engine-time"), 5);
}
GST_END_TEST;

GST_START_TEST(test_frames_without_inference_change_no_mean)
{
  gst_vitgate_stats_reset(&stats);
  gst_vitgate_stats_add_inference(&stats, 10, 8, 2);
  gst_vitgate_stats_add_frame(&stats);
  gst_vitgate_stats_add_inference(&stats, 20, 18, 4);
  fail_unless_equals_uint64(field("frames"), 3);
  fail_unless_equals_uint64(field("inferred"), 2);
  fail_unless_equals_uint64(field("mean-time"), 15);
  fail_unless_equals_uint64(field("mean-engine-time"), 13);
  fail_unless_equals_float(double_field("gmacs"), 6);
  fail_unless_equals_float(double_field("mean-gmacs"), 3);
}
GST_END_TEST;

GST_START_TEST(test_window_forgets_but_totals_do_not)
{
  gst_vitgate_stats_reset(&stats);
  gst_vitgate_stats_add_inference(&stats, 1000000, 1000000, 1);
  for (guint i = 0; i < GST_VITGATE_STATS_WINDOW; i++)
    gst_vitgate_stats_add_inference(&stats, 10, 10, 1);
  fail_unless_equals_uint64(field("worst-time"), 10);
  fail_unless_equals_uint64(field("mean-time"), 10);
  fail_unless_equals_uint64(field("inferred"), GST_VITGATE_STATS_WINDOW + 1);
  fail_unless_equals_float(double_field("gmacs"), GST_VITGATE_STATS_WINDOW + 1);
}
GST_END_TEST;

GST_START_TEST(test_latency_grows_only_by_more_than_a_quarter)
{
  gst_vitgate_stats_reset(&stats);
  fail_unless(gst_vitgate_stats_add_inference(&stats, 100, 100, 1));
  fail_unless_equals_uint64(stats.latency, 100);
  fail_if(gst_vitgate_stats_add_inference(&stats, 125, 125, 1));
  fail_unless_equals_uint64(stats.latency, 100);
  fail_unless(gst_vitgate_stats_add_inference(&stats, 126, 126, 1));
  fail_unless_equals_uint64(stats.latency, 126);
}
GST_END_TEST;

GST_START_TEST(test_latency_shrinks_only_after_a_full_window)
{
  guint announced = 0;

  gst_vitgate_stats_reset(&stats);
  gst_vitgate_stats_add_inference(&stats, 1000, 1000, 1);
  for (guint i = 1; i < GST_VITGATE_STATS_WINDOW; i++)
    fail_if(gst_vitgate_stats_add_inference(&stats, 100, 100, 1));
  for (guint i = 0; i < GST_VITGATE_STATS_WINDOW; i++)
    announced += gst_vitgate_stats_add_inference(&stats, 100, 100, 1);
  fail_unless_equals_int(announced, 1);
  fail_unless_equals_uint64(stats.latency, 100);
}
GST_END_TEST;

static Suite *stats_suite(void)
{
  Suite *suite = suite_create("stats");
  TCase *tcase = tcase_create("stats");

  suite_add_tcase(suite, tcase);
  tcase_add_test(tcase, test_everything_is_zero_at_first);
  tcase_add_test(tcase, test_95_of_100_times_do_not_exceed_p95);
  tcase_add_test(tcase, test_p95_of_one_is_that_one);
  tcase_add_test(tcase, test_frames_without_inference_change_no_mean);
  tcase_add_test(tcase, test_window_forgets_but_totals_do_not);
  tcase_add_test(tcase, test_latency_grows_only_by_more_than_a_quarter);
  tcase_add_test(tcase, test_latency_shrinks_only_after_a_full_window);
  return suite;
}

GST_CHECK_MAIN(stats);
