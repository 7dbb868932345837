/* steady.c: labels stay calm while a scene lasts, and follow a cut at once. The model's label is a
 * picture's colour; between red and magenta it depends on the blue. */
#include <glib/gstdio.h>
#include <unistd.h>

#include "fixture.h"

#define FRAME (40 * GST_MSECOND)

/* Blue of a picture that is just red, and just magenta. */
#define RED     125
#define MAGENTA 130

static GstHarness *harness;
static GstVideoInfo info;
static GstClockTime now;

static void start(const char *model)
{
  GstElement *element = fixture_make("vitgate");

  g_object_set(element, "model", fixture_path(model), NULL);
  gst_util_set_object_arg(G_OBJECT(element), "temporal", "off");
  harness = fixture_harness(element);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 32, 32, &info);
  now = 0;
}

static void setup(void)
{
  start("VITGATE_TEST_GATED_MODEL");
}

static void teardown(void)
{
  fixture_free(harness);
}

/* Returns: (transfer full): the next frame, of one colour. */
static GstBuffer *colour(guint8 red, guint8 green, guint8 blue)
{
  const guint8 pixel[] = { red, green, blue };
  GstBuffer *frame = fixture_grey(&info, 0, now);
  GstMapInfo map;

  now += FRAME;
  fail_unless(gst_buffer_map(frame, &map, GST_MAP_WRITE));
  for (gsize i = 0; i < map.size; i++)
    map.data[i] = pixel[i % 3];
  gst_buffer_unmap(frame, &map);
  return frame;
}

/* Returns: (transfer full): the result of the next frame, red with some @blue. */
static GstStructure *reddish(guint8 blue)
{
  return fixture_analyse(harness, colour(250, 10, blue));
}

/* Passes @n frames that are red and magenta in turn.
 * Returns: how often the best class of @field changed. */
static guint count_changes(guint n, const char *field)
{
  g_autofree char *last = NULL;
  guint changes = 0;

  for (guint i = 0; i < n; i++) {
    GstStructure *s = reddish(i % 2 ? MAGENTA : RED);

    changes += last && !g_str_equal(last, fixture_string(s, field));
    g_free(last);
    last = g_strdup(fixture_string(s, field));
    gst_structure_free(s);
  }
  return changes;
}

GST_START_TEST(test_a_label_that_flickers_is_kept)
{
  fail_unless_equals_int(count_changes(20, "raw-label"), 19);
  fail_unless_equals_int(count_changes(20, "label"), 0);
}
GST_END_TEST;

GST_START_TEST(test_without_smoothing_and_hysteresis_each_frame_stands_alone)
{
  g_object_set(harness->element, "smoothing", 0.0, "hysteresis", 0.0, NULL);
  fail_unless_equals_int(count_changes(20, "label"), 19);
}
GST_END_TEST;

GST_START_TEST(test_a_slow_change_arrives_within_a_second)
{
  gboolean magenta = FALSE;

  for (guint i = 0; i < 50; i++)
    gst_structure_free(reddish(10));
  for (guint i = 0; i < 25; i++) {
    /* Less blue than makes a cut, in each of two steps. */
    GstStructure *s = reddish(i < 5 ? 110 : 200);

    magenta = g_str_equal(fixture_string(s, "label"), "magenta");
    gst_structure_free(s);
  }
  fail_unless(magenta);
}
GST_END_TEST;

GST_START_TEST(test_a_slideshow_has_the_label_of_each_picture_at_once)
{
  static const guint8 pictures[][3] = {
    { 250, 10, 10 }, { 10, 10, 250 }, { 250, 250, 10 }, { 10, 250, 10 }, { 250, 250, 250 },
  };

  for (guint i = 0; i < 3 * G_N_ELEMENTS(pictures); i++) {
    const guint8 *picture = pictures[i / 3];
    GstStructure *s = fixture_analyse(harness, colour(picture[0], picture[1], picture[2]));

    fail_unless_equals_string(fixture_string(s, "label"), fixture_string(s, "raw-label"));
    fail_unless(fixture_double(s, "score") == fixture_double(s, "raw-score"));
    gst_structure_free(s);
  }
}
GST_END_TEST;

/* Fails unless the average has just begun. */
static void check_anew(const char *after)
{
  GstStructure *s = reddish(MAGENTA);

  fail_unless(fixture_double(s, "score") == fixture_double(s, "raw-score"), "after %s", after);
  gst_structure_free(s);
}

GST_START_TEST(test_the_average_starts_again)
{
  GstStructure *s;
  GstBuffer *frame;

  count_changes(9, "label");
  s = reddish(MAGENTA);
  fail_if(fixture_double(s, "score") == fixture_double(s, "raw-score"));
  gst_structure_free(s);
  fixture_flush(harness);
  check_anew("a flush");

  count_changes(9, "label");
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 48, 32, &info);
  check_anew("new caps");

  count_changes(9, "label");
  gst_harness_push_event(harness, gst_event_new_stream_start("another"));
  check_anew("a new stream");

  count_changes(9, "label");
  now += 5 * GST_SECOND;
  frame = colour(250, 10, MAGENTA);
  GST_BUFFER_FLAG_SET(frame, GST_BUFFER_FLAG_DISCONT);
  s = fixture_analyse(harness, frame);
  fail_unless(fixture_double(s, "score") == fixture_double(s, "raw-score"), "after a gap");
  gst_structure_free(s);

  count_changes(9, "label");
  now = 0;
  check_anew("a jump back");
}
GST_END_TEST;

GST_START_TEST(test_a_new_model_or_labels_start_the_average_again)
{
  g_autofree char *path = g_build_filename(g_get_tmp_dir(), "vitgate-steady-XXXXXX", NULL);
  const int file = g_mkstemp(path);
  gboolean swapped = FALSE;

  fail_unless(file >= 0);
  fail_unless(g_file_set_contents(path, "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n", -1, NULL));
  count_changes(9, "label");
  g_object_set(harness->element, "labels", path, NULL);
  while (!swapped) {
    GstStructure *s = reddish(MAGENTA);

    swapped = g_str_equal(fixture_string(s, "raw-label"), "5");
    if (swapped)
      fail_unless(fixture_double(s, "score") == fixture_double(s, "raw-score"));
    gst_structure_free(s);
    g_thread_yield();
  }
  close(file);
  g_remove(path);
}
GST_END_TEST;

GST_START_TEST(test_an_unsure_frame_has_no_label)
{
  GstBuffer *out;
  const GstStructure *s;
  GstMessage *message;

  g_object_set(harness->element, "threshold", 0.99f, "post-messages", TRUE, NULL);
  out = fixture_process(harness, colour(250, 10, 10));
  s = fixture_result(out);
  fail_if(gst_structure_has_field(s, "label"));
  fail_unless_equals_int(fixture_uint(s, "n-results"), 0);
  fail_unless_equals_string(fixture_string(s, "raw-label"), "red");
  fail_unless_equals_int(gst_value_array_get_size(gst_structure_get_value(s, "raw-scores")), 5);
  fail_if(gst_buffer_get_meta(out, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE));
  message = fixture_message(harness->element, GST_MESSAGE_ELEMENT);
  fail_unless(message);
  fail_if(gst_structure_has_field(gst_message_get_structure(message), "label"));
  gst_message_unref(message);
  gst_buffer_unref(out);
}
GST_END_TEST;

/* The classes of a grey picture are about equally probable: none reaches a quarter. */
GST_START_TEST(test_by_default_a_guess_is_no_label_and_runners_up_are_listed)
{
  GstStructure *s = fixture_analyse(harness, colour(120, 120, 120));

  fail_unless(fixture_double(s, "raw-score") < 0.25);
  fail_if(gst_structure_has_field(s, "label"));
  gst_structure_free(s);
  s = fixture_analyse(harness, colour(250, 10, 10));
  fail_unless_equals_string(fixture_string(s, "label"), "red");
  fail_unless_equals_int(fixture_uint(s, "n-results"), 5);
  fail_unless(fixture_score(s, 4) < 0.25);
  gst_structure_free(s);
}
GST_END_TEST;

GST_START_TEST(test_the_steady_label_leads_even_if_only_one_is_attached)
{
  GstStructure *s;

  g_object_set(harness->element, "top-k", 1, "smoothing", 0.0, NULL);
  gst_structure_free(reddish(RED));
  s = reddish(MAGENTA);
  fail_unless_equals_int(fixture_uint(s, "n-results"), 1);
  fail_unless_equals_string(fixture_label(s, 0), "red");
  fail_unless_equals_string(fixture_string(s, "raw-label"), "magenta");
  gst_structure_free(s);
  g_object_set(harness->element, "top-k", 5, NULL);
  s = reddish(MAGENTA);
  fail_unless_equals_string(fixture_label(s, 0), "red");
  fail_unless_equals_string(fixture_label(s, 1), "magenta");
  fail_unless(fixture_score(s, 1) > fixture_score(s, 0));
  gst_structure_free(s);
}
GST_END_TEST;

/* Frames that reuse a result are as good as inferred ones: the average comes to that result. */
GST_START_TEST(test_an_unchanged_scene_arrives_at_its_result)
{
  GstStructure *s;

  g_object_set(harness->element, "reuse-threshold", 0.02, NULL);
  for (guint i = 0; i < 20; i++)
    gst_structure_free(reddish(180));
  s = reddish(200);
  fail_unless_equals_string(fixture_string(s, "state"), "fresh");
  gst_structure_free(s);
  for (guint i = 0; i < 100; i++)
    gst_structure_free(reddish(200));
  s = reddish(200);
  fail_unless_equals_string(fixture_string(s, "state"), "unchanged");
  fail_unless(ABS(fixture_double(s, "score") - fixture_double(s, "raw-score")) < 0.001);
  gst_structure_free(s);
}
GST_END_TEST;

GST_START_TEST(test_frames_between_inferences_keep_the_average)
{
  double score;
  GstStructure *s;

  g_object_set(harness->element, "inference-interval", 3, NULL);
  for (guint i = 0; i < 3; i++)
    gst_structure_free(reddish(RED));
  s = reddish(MAGENTA);
  fail_unless_equals_int(fixture_uint64(s, "age"), 0);
  score = fixture_double(s, "score");
  fail_if(score == fixture_double(s, "raw-score"));
  gst_structure_free(s);
  s = reddish(MAGENTA);
  fail_unless_equals_int(fixture_uint64(s, "age"), 1);
  fail_unless(fixture_double(s, "score") == score);
  gst_structure_free(s);
}
GST_END_TEST;

GST_START_TEST(test_classes_of_their_own_do_not_flicker)
{
  fixture_free(harness);
  start("VITGATE_TEST_SIGMOID_MODEL");
  for (guint i = 0; i < 20; i++) {
    /* The probability of the two blue classes is just above or just below a half. */
    GstStructure *s = reddish(i % 2 ? 107 : 98);
    const guint n_raw = gst_value_array_get_size(gst_structure_get_value(s, "raw-labels"));

    fail_unless_equals_int(n_raw, i % 2 ? 7 : 5);
    fail_unless_equals_int(fixture_uint(s, "n-results"), 5);
    gst_structure_free(s);
  }
}
GST_END_TEST;

static Suite *steady_suite(void)
{
  Suite *suite = suite_create("steady");
  TCase *tests = tcase_create("steady");

  suite_add_tcase(suite, tests);
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_add_test(tests, test_a_label_that_flickers_is_kept);
  tcase_add_test(tests, test_without_smoothing_and_hysteresis_each_frame_stands_alone);
  tcase_add_test(tests, test_a_slow_change_arrives_within_a_second);
  tcase_add_test(tests, test_a_slideshow_has_the_label_of_each_picture_at_once);
  tcase_add_test(tests, test_the_average_starts_again);
  tcase_add_test(tests, test_a_new_model_or_labels_start_the_average_again);
  tcase_add_test(tests, test_an_unsure_frame_has_no_label);
  tcase_add_test(tests, test_by_default_a_guess_is_no_label_and_runners_up_are_listed);
  tcase_add_test(tests, test_the_steady_label_leads_even_if_only_one_is_attached);
  tcase_add_test(tests, test_an_unchanged_scene_arrives_at_its_result);
  tcase_add_test(tests, test_frames_between_inferences_keep_the_average);
  tcase_add_test(tests, test_classes_of_their_own_do_not_flicker);
  return suite;
}

GST_CHECK_MAIN(steady)
