/* streams.c: parallel streams share one model, and nothing else. Also run this under
 * ThreadSanitizer
 * (-Db_sanitize=thread). */
#include <string.h>

#include "fixture.h"

#define N_STREAMS 8
#define N_FRAMES  30

/* ThreadSanitizer starts a thread of its own with the first other thread. */
#ifdef __SANITIZE_THREAD__
#define SANITIZER_THREADS 1
#else
#define SANITIZER_THREADS 0
#endif

/* The models for which sessions were made. */
static GMutex lock;
static VitgateModel *models[4 * N_STREAMS];
static guint n_sessions;

VitgateSession *vitgate_session_new(VitgateModel *model, const VitgateSessionOptions *options,
                                    GError **error)
{
  typeof(vitgate_session_new) *real = fixture_engine("vitgate_session_new");

  g_mutex_lock(&lock);
  models[n_sessions++ % G_N_ELEMENTS(models)] = model;
  g_mutex_unlock(&lock);
  return real(model, options, error);
}

static GstHarness *harnesses[N_STREAMS];

static void start_streams(guint threads)
{
  for (guint i = 0; i < N_STREAMS; i++) {
    GstElement *element = fixture_element();

    g_object_set(element, "model", fixture_path("VITGATE_TEST_GATED_MODEL"), "threads", threads,
                 NULL);
    harnesses[i] = fixture_harness(element);
  }
}

static void stop_streams(void)
{
  for (guint i = 0; i < N_STREAMS; i++)
    fixture_free(harnesses[i]);
}

static guint n_threads(void)
{
  g_autoptr(GDir) tasks = g_dir_open("/proc/self/task", 0, NULL);
  guint n = 0;

  fail_unless(tasks);
  while (g_dir_read_name(tasks))
    n++;
  return n;
}

GST_START_TEST(test_streams_share_one_model)
{
  n_sessions = 0;
  start_streams(1);
  fail_unless_equals_int(n_sessions, N_STREAMS);
  for (guint i = 1; i < N_STREAMS; i++)
    fail_unless(models[i] == models[0], "stream %u has a model of its own", i);
  stop_streams();
}
GST_END_TEST;

GST_START_TEST(test_streams_have_the_threads_they_asked_for)
{
  const guint before = n_threads();

  start_streams(1);
  fail_unless_equals_int(n_threads(), before);
  stop_streams();
  start_streams(3);
  fail_unless_equals_int(n_threads(), before + 2 * N_STREAMS + SANITIZER_THREADS);
  stop_streams();
}
GST_END_TEST;

GST_START_TEST(test_a_load_leaves_no_thread_behind)
{
  guint before;

  start_streams(1);
  before = n_threads() + SANITIZER_THREADS;
  for (guint i = 0; i < N_STREAMS; i++) {
    g_object_set(harnesses[i]->element, "model", fixture_model(), NULL);
    fixture_set_caps(harnesses[i], GST_VIDEO_FORMAT_RGB, 32, 32, NULL);
  }
  /* Frames must flow for new models to be used. If threads remain, the test times out. */
  while (n_threads() > before) {
    for (guint i = 0; i < N_STREAMS; i++) {
      GstVideoInfo info;

      gst_video_info_set_format(&info, GST_VIDEO_FORMAT_RGB, 32, 32);
      gst_structure_free(fixture_classify(harnesses[i], &info, 1));
    }
  }
  for (guint i = 0; i < N_STREAMS; i++) {
    GstStructure *stats = fixture_stats(harnesses[i]->element);

    fail_unless_equals_string(fixture_string(stats, "model"), fixture_model());
    gst_structure_free(stats);
  }
  stop_streams();
}
GST_END_TEST;

/* ---- In parallel ---- */

typedef struct {
  GstHarness *harness;
  double scores[N_FRAMES];
} Stream;

static gpointer run_stream(gpointer data)
{
  Stream *stream = data;
  GstVideoInfo info;

  fixture_set_caps(stream->harness, GST_VIDEO_FORMAT_NV12, 64, 48, &info);
  for (guint i = 0; i < N_FRAMES; i++) {
    GstStructure *s = fixture_classify(stream->harness, &info, i);

    stream->scores[i] = fixture_double(s, "score");
    gst_structure_free(s);
  }
  return NULL;
}

static void run_streams(Stream streams[N_STREAMS])
{
  GThread *threads[N_STREAMS];

  for (guint i = 0; i < N_STREAMS; i++)
    streams[i].harness = harnesses[i];
  for (guint i = 0; i < N_STREAMS; i++)
    threads[i] = g_thread_new("stream", run_stream, &streams[i]);
  for (guint i = 0; i < N_STREAMS; i++)
    g_thread_join(threads[i]);
}

GST_START_TEST(test_streams_do_not_mix)
{
  Stream streams[N_STREAMS];

  start_streams(2);
  run_streams(streams);
  for (guint i = 1; i < N_STREAMS; i++)
    fail_unless_equals_int(memcmp(streams[i].scores, streams[0].scores, sizeof streams[0].scores),
                           0);
  stop_streams();
}
GST_END_TEST;

static gint done;

/* A user who changes everything all the time. */
static gpointer meddle(gpointer data)
{
  const char *paths[] = { fixture_model(), fixture_path("VITGATE_TEST_GATED_MODEL"),
                          "/nonexistent" };

  for (guint i = 0; !g_atomic_int_get(&done); i++) {
    GstElement *element = harnesses[i % N_STREAMS]->element;
    GstHarness *harness = harnesses[(i + 3) % N_STREAMS];
    g_autofree char *model = NULL;

    g_object_set(element, "model", paths[i / N_STREAMS % 3], "compute", i % 10 / 10.0, "top-k",
                 1 + i % 5, "threshold", i % 3 * 0.1f, "latency-budget",
                 i % 4 * (guint64)GST_MSECOND, "reuse-threshold", i % 5 * 0.01, NULL);
    g_object_get(element, "model", &model, NULL);
    gst_structure_free(fixture_stats(element));
    gst_harness_query_latency(harness);
    gst_harness_push_upstream_event(
        harness, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 1, GST_MSECOND, i * GST_MSECOND));
    fixture_forget_messages(element);
  }
  return NULL;
}

static gpointer pass_frames(gpointer data)
{
  GstVideoInfo info;

  fixture_set_caps(data, GST_VIDEO_FORMAT_NV12, 64, 48, &info);
  for (guint i = 0; i < 10 * N_FRAMES; i++)
    gst_structure_free(fixture_classify(data, &info, i / 3));
  return NULL;
}

GST_START_TEST(test_everything_changes_while_frames_flow)
{
  GThread *threads[N_STREAMS], *user;

  done = FALSE;
  start_streams(1);
  for (guint i = 0; i < N_STREAMS; i++)
    threads[i] = g_thread_new("stream", pass_frames, harnesses[i]);
  user = g_thread_new("user", meddle, NULL);
  for (guint i = 0; i < N_STREAMS; i++)
    g_thread_join(threads[i]);
  g_atomic_int_set(&done, TRUE);
  g_thread_join(user);
  stop_streams();
}
GST_END_TEST;

static Suite *streams_suite(void)
{
  Suite *suite = suite_create("streams");
  TCase *tcase = tcase_create("streams");

  suite_add_tcase(suite, tcase);
  tcase_set_timeout(tcase, 60); /* under a sanitizer */
  tcase_add_test(tcase, test_streams_share_one_model);
  tcase_add_test(tcase, test_streams_have_the_threads_they_asked_for);
  tcase_add_test(tcase, test_a_load_leaves_no_thread_behind);
  tcase_add_test(tcase, test_streams_do_not_mix);
  tcase_add_test(tcase, test_everything_changes_while_frames_flow);
  return suite;
}

GST_CHECK_MAIN(streams);
