/* budget.c: the element keeps its budget. The engine's time is simulated, so that the machine's
 * load does not matter: an inference takes load x (FIXED + BY_DIAL x dial) of a clock that
 * otherwise stands still. */
#include "fixture.h"

#define FIXED   (4 * GST_MSECOND)
#define BY_DIAL (20 * GST_MSECOND)
#define BUDGET  (20 * GST_MSECOND)
#define FRAME   (33 * GST_MSECOND)

static GstClockTime clock_now;
static double load, dial;

/* Replaces GStreamer's own. */
__attribute__((visibility("default"))) GstClockTime gst_util_get_timestamp(void)
{
  return clock_now;
}

void vitgate_session_set_compute(VitgateSession *session, double compute)
{
  typeof(vitgate_session_set_compute) *real = fixture_engine("vitgate_session_set_compute");

  dial = compute;
  real(session, compute);
}

const VitgateResult *vitgate_session_follow(VitgateSession *session, VitgateStream *const *streams,
                                            const float *tensors, guint n, GError **error)
{
  typeof(vitgate_session_follow) *real = fixture_engine("vitgate_session_follow");

  clock_now += load * (FIXED + BY_DIAL * dial);
  return real(session, streams, tensors, n, error);
}

static GstHarness *harness;
static GstVideoInfo info;
static guint n_frames;

static void setup(void)
{
  GstElement *element = fixture_element();

  clock_now = GST_SECOND;
  load = 1;
  n_frames = 0;
  g_object_set(element, "model", fixture_path("VITGATE_TEST_GATED_MODEL"), "latency-budget",
               (guint64)BUDGET, NULL);
  harness = fixture_harness(element);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 32, 32, &info);
}

static void teardown(void)
{
  fixture_free(harness);
}

/* Processes the next frame of a camera, which arrives when it is due, or when the one before is
 * done. */
static GstStructure *next(void)
{
  const GstClockTime due = n_frames++ * FRAME;

  clock_now = MAX(clock_now, GST_SECOND + due);
  return fixture_analyse(harness, fixture_grey(&info, n_frames, due));
}

static gboolean next_is(const char *state)
{
  GstStructure *s = next();
  const gboolean is = g_str_equal(fixture_string(s, "state"), state);

  gst_structure_free(s);
  return is;
}

static guint count(guint frames, const char *state)
{
  guint n = 0;

  for (guint i = 0; i < frames; i++)
    n += next_is(state);
  return n;
}

/* Returns: how many of the next frames, in which a corner flickers, are computed by @pass. */
static guint count_passes(guint frames, const char *pass)
{
  guint n = 0;

  for (guint i = 0; i < frames; i++) {
    GstBuffer *frame = fixture_grey(&info, 100, n_frames++ * FRAME);
    GstStructure *s;

    gst_buffer_memset(frame, 0, i % 2 ? 200 : 100, 12);
    clock_now = MAX(clock_now, GST_SECOND + GST_BUFFER_PTS(frame));
    s = fixture_analyse(harness, frame);
    n += g_str_equal(fixture_string(s, "pass"), pass);
    gst_structure_free(s);
  }
  return n;
}

/* The first frame's is made before times are known. */
GST_START_TEST(test_full_passes_that_take_too_long_are_not_made)
{
  GstElement *element = fixture_element();

  fixture_free(harness);
  g_object_set(element, "model", fixture_path("VITGATE_TEST_GATED_MODEL"), "reuse-threshold", 0.0,
               "refresh-interval", 10, NULL);
  gst_util_set_object_arg(G_OBJECT(element), "temporal", "on");
  harness = fixture_harness(element);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 32, 32, &info);
  fail_unless_equals_int(count_passes(50, "full"), 5);
  g_object_set(harness->element, "latency-budget", (guint64)BUDGET, NULL);
  load = 1.3; /* a whole frame takes 21 ms */
  fail_unless(count_passes(50, "full") <= 1);
  load = 0.5;
  fail_unless(count_passes(200, "full") > 1);
}
GST_END_TEST;

/* Returns: the share of the dial that the only QOS message on the bus reports. */
static double reported_share(void)
{
  GstMessage *message = fixture_message(harness->element, GST_MESSAGE_QOS);
  gdouble share;
  gint quality;

  fail_unless(message, "no QOS message");
  gst_message_parse_qos_values(message, NULL, &share, &quality);
  fail_unless_equals_int(quality, (gint)(share * 1000000));
  gst_message_unref(message);
  fail_if(fixture_message(harness->element, GST_MESSAGE_QOS), "a second QOS message");
  return share;
}

GST_START_TEST(test_enough_time_changes_nothing)
{
  GstStructure *s;

  fail_unless_equals_int(count(200, "fresh"), 200);
  s = next();
  fail_unless_equals_float(fixture_double(s, "compute"), 0.6);
  gst_structure_free(s);
  fail_if(fixture_message(harness->element, GST_MESSAGE_QOS));
}
GST_END_TEST;

GST_START_TEST(test_too_little_time_lowers_the_dial_until_it_passes)
{
  GstStructure *s;
  double share;

  load = 1.8; /* 28.8 ms at 0.6, 14.4 ms at 0.2 */
  fail_unless_equals_int(count(30, "fresh"), 30);
  s = next();
  fail_unless(fixture_double(s, "compute") < 0.4);
  gst_structure_free(s);
  share = reported_share();
  fail_unless(share > 0 && share < 1);

  load = 1;
  fail_unless_equals_int(count(1000, "fresh"), 1000);
  s = next();
  fail_unless_equals_float(fixture_double(s, "compute"), 0.6);
  gst_structure_free(s);
  fail_unless_equals_float(reported_share(), 1);
}
GST_END_TEST;

GST_START_TEST(test_the_dial_stays_above_min_compute)
{
  GstStructure *s;

  g_object_set(harness->element, "min-compute", 0.5, NULL);
  load = 1.4; /* 19.6 ms at 0.5 */
  fail_unless_equals_int(count(100, "fresh"), 100);
  s = next();
  fail_unless_equals_float(fixture_double(s, "compute"), 0.5);
  gst_structure_free(s);
}
GST_END_TEST;

GST_START_TEST(test_frames_without_time_pass_with_the_last_result)
{
  GstStructure *s, *stats;
  GstMessage *message;
  guint64 processed, dropped, age;
  GstFormat format;

  load = 20;
  count(20, "fresh");
  s = next();
  fail_unless_equals_string(fixture_string(s, "state"), "late");
  age = fixture_uint64(s, "age");
  fail_unless(age > 0);
  fail_unless_equals_uint64(fixture_uint64(s, "age-time"), age * FRAME);
  fail_unless(fixture_uint(s, "n-results") > 0);
  gst_structure_free(s);

  message = fixture_message(harness->element, GST_MESSAGE_QOS); /* about the dial */
  gst_message_unref(message);
  message = fixture_message(harness->element, GST_MESSAGE_QOS);
  fail_unless(message, "no message about frames without an inference");
  gst_message_parse_qos_stats(message, &format, &processed, &dropped);
  fail_unless_equals_int(format, GST_FORMAT_BUFFERS);
  fail_unless(processed > 0);
  gst_message_unref(message);

  stats = fixture_stats(harness->element);
  fail_unless(fixture_uint64(stats, "skipped") >= 1);
  fail_unless_equals_uint64(fixture_uint64(stats, "skipped") + fixture_uint64(stats, "inferred"),
                            fixture_uint64(stats, "frames"));
  gst_structure_free(stats);
}
GST_END_TEST;

GST_START_TEST(test_inference_resumes_after_an_overload)
{
  GstStructure *s;

  load = 20;
  count(60, "fresh");
  fail_unless(count(300, "late") > 290);
  load = 1;
  count(1500, "fresh");
  s = next();
  fail_unless_equals_string(fixture_string(s, "state"), "fresh");
  fail_unless_equals_float(fixture_double(s, "compute"), 0.6);
  gst_structure_free(s);
}
GST_END_TEST;

GST_START_TEST(test_without_a_budget_every_frame_is_inferred)
{
  g_object_set(harness->element, "latency-budget", (guint64)0, NULL);
  load = 100;
  fail_unless_equals_int(count(50, "fresh"), 50);
  fail_if(fixture_message(harness->element, GST_MESSAGE_QOS));
}
GST_END_TEST;

GST_START_TEST(test_there_is_always_a_result)
{
  load = 20;
  count(60, "fresh");
  fail_unless(next_is("late"));
  fixture_flush(harness);
  fail_unless(next_is("fresh"), "no new result after the flush dropped the old one");
  fail_unless(next_is("late"));
}
GST_END_TEST;

GST_START_TEST(test_frames_come_out_in_order_and_none_is_lost)
{
  for (guint i = 0; i < 300; i++) {
    GstBuffer *out;

    load = i % 50 < 25 ? 20 : 1;
    clock_now += FRAME;
    out = fixture_process(harness, fixture_grey(&info, i, i * FRAME));
    fail_unless_equals_uint64(GST_BUFFER_PTS(out), i * FRAME);
    gst_buffer_unref(out);
    fail_unless_equals_int(gst_harness_buffers_in_queue(harness), 0);
  }
}
GST_END_TEST;

GST_START_TEST(test_reported_latency_is_at_most_the_budget)
{
  gst_harness_set_upstream_latency(harness, 100 * GST_MSECOND);
  count(2, "fresh");
  fail_unless_equals_uint64(gst_harness_query_latency(harness), 116 * GST_MSECOND);
  load = 50;
  count(10, "fresh");
  fail_unless_equals_uint64(gst_harness_query_latency(harness), 120 * GST_MSECOND);
}
GST_END_TEST;

/* ---- Sinks ---- */

static void push_qos(GstQOSType type, GstClockTimeDiff diff)
{
  GstEvent *event;

  while ((event = gst_harness_try_pull_upstream_event(harness)))
    gst_event_unref(event);
  gst_harness_push_upstream_event(harness,
                                  gst_event_new_qos(type, 1, diff, (n_frames - 1) * FRAME));
  event = gst_harness_try_pull_upstream_event(harness);
  fail_unless(event && GST_EVENT_TYPE(event) == GST_EVENT_QOS,
              "the QoS event is not forwarded upstream");
  gst_event_unref(event);
}

static double dial_after_qos(GstQOSType type, GstClockTimeDiff diff)
{
  fail_unless(next_is("fresh"));
  for (guint i = 0; i < 20; i++) {
    fail_unless(next_is("fresh"));
    push_qos(type, diff);
  }
  fail_unless(next_is("fresh"));
  return dial;
}

GST_START_TEST(test_a_late_sink_lowers_the_dial)
{
  fail_unless_equals_float(dial_after_qos(GST_QOS_TYPE_UNDERFLOW, 50 * GST_MSECOND), 0.2);
}
GST_END_TEST;

/* A single late frame may be chance. */
GST_START_TEST(test_a_late_frame_counts_once)
{
  fail_unless(next_is("fresh"));
  fail_unless(next_is("fresh"));
  push_qos(GST_QOS_TYPE_UNDERFLOW, 50 * GST_MSECOND);
  fail_unless_equals_int(count(20, "fresh"), 20);
  fail_unless_equals_float(dial, 0.6);
  push_qos(GST_QOS_TYPE_UNDERFLOW, 50 * GST_MSECOND);
  fail_unless_equals_int(count(2, "fresh"), 2);
  fail_unless(dial < 0.6, "two late frames do not lower the dial");
}
GST_END_TEST;

GST_START_TEST(test_a_sink_in_time_does_not_lower_the_dial)
{
  fail_unless_equals_float(dial_after_qos(GST_QOS_TYPE_OVERFLOW, -5 * (gint64)GST_MSECOND), 0.6);
}
GST_END_TEST;

GST_START_TEST(test_a_throttling_sink_does_not_lower_the_dial)
{
  fail_unless_equals_float(dial_after_qos(GST_QOS_TYPE_THROTTLE, 50 * GST_MSECOND), 0.6);
}
GST_END_TEST;

/* ---- Live streams ---- */

/* Sets the test's clock as the pipeline's clock. Frames are due 100 ms after their running time. */
static void make_live(gboolean live)
{
  gst_harness_use_testclock(harness);
  gst_harness_set_live(harness, live);
  gst_harness_set_upstream_latency(harness, 100 * GST_MSECOND);
  gst_harness_query_latency(harness);
}

/* Returns: whether the next frame, which arrives @late, has this state. */
static gboolean late_frame_is(GstClockTime late, const char *state)
{
  gst_harness_set_time(harness, n_frames * FRAME + 100 * GST_MSECOND + late);
  return next_is(state);
}

GST_START_TEST(test_a_queue_that_has_built_up_drains)
{
  make_live(TRUE);
  for (guint i = 0; i < 10; i++)
    fail_unless(late_frame_is(BUDGET / 2, "fresh"));
  for (guint i = 0; i < 15; i++) /* every frame that passes at once reduces the delay */
    fail_unless(late_frame_is(500 * GST_MSECOND - i * FRAME, "late"), "frame %u", i);
  fail_unless(late_frame_is(BUDGET / 2, "fresh"));
}
GST_END_TEST;

GST_START_TEST(test_a_stream_that_is_late_by_itself_is_inferred)
{
  guint n = 0;

  make_live(TRUE);
  fail_unless(late_frame_is(0, "fresh"));
  for (guint i = 0; i < 20; i++)
    n += late_frame_is(GST_SECOND, "late");
  fail_unless(n >= 5 && n <= 10, "%u of 20 skipped", n);
  fail_unless(late_frame_is(GST_SECOND, "fresh"));
}
GST_END_TEST;

GST_START_TEST(test_only_live_streams_can_be_late)
{
  make_live(FALSE);
  for (guint i = 0; i < 20; i++)
    fail_unless(late_frame_is(GST_SECOND, "fresh"));
}
GST_END_TEST;

GST_START_TEST(test_lateness_does_not_matter_without_a_budget)
{
  g_object_set(harness->element, "latency-budget", (guint64)0, NULL);
  make_live(TRUE);
  for (guint i = 0; i < 20; i++)
    fail_unless(late_frame_is(GST_SECOND, "fresh"));
}
GST_END_TEST;

static Suite *budget_suite(void)
{
  Suite *suite = suite_create("budget");
  TCase *tcase = tcase_create("budget");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_test(tcase, test_enough_time_changes_nothing);
  tcase_add_test(tcase, test_full_passes_that_take_too_long_are_not_made);
  tcase_add_test(tcase, test_too_little_time_lowers_the_dial_until_it_passes);
  tcase_add_test(tcase, test_the_dial_stays_above_min_compute);
  tcase_add_test(tcase, test_frames_without_time_pass_with_the_last_result);
  tcase_add_test(tcase, test_inference_resumes_after_an_overload);
  tcase_add_test(tcase, test_without_a_budget_every_frame_is_inferred);
  tcase_add_test(tcase, test_there_is_always_a_result);
  tcase_add_test(tcase, test_frames_come_out_in_order_and_none_is_lost);
  tcase_add_test(tcase, test_reported_latency_is_at_most_the_budget);
  tcase_add_test(tcase, test_a_late_sink_lowers_the_dial);
  tcase_add_test(tcase, test_a_late_frame_counts_once);
  tcase_add_test(tcase, test_a_sink_in_time_does_not_lower_the_dial);
  tcase_add_test(tcase, test_a_throttling_sink_does_not_lower_the_dial);
  tcase_add_test(tcase, test_a_queue_that_has_built_up_drains);
  tcase_add_test(tcase, test_a_stream_that_is_late_by_itself_is_inferred);
  tcase_add_test(tcase, test_only_live_streams_can_be_late);
  tcase_add_test(tcase, test_lateness_does_not_matter_without_a_budget);
  return suite;
}

GST_CHECK_MAIN(budget);
