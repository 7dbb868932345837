/* json-changes.c: the frames that vitgatejson writes with only-changes. */
#include "attached.h"
#include "fixture.h"

static GstHarness *harness;

static void setup(void)
{
  harness = attached_harness("vitgatejson");
  gst_harness_set_src_caps_str(harness, "video/x-raw, format=RGB, width=64, height=48");
}

static void teardown(void)
{
  fixture_free(harness);
}

/* Returns: whether @frame (transfer full) is written. */
static gboolean written(GstBuffer *frame)
{
  GstBuffer *out;

  fail_unless_equals_int(gst_harness_push(harness, frame), GST_FLOW_OK);
  out = gst_harness_try_pull(harness);
  if (out)
    gst_buffer_unref(out);
  return out != NULL;
}

/* Returns: a frame with two regions with these ids and labels. */
static GstBuffer *two_regions(gint id1, const char *label1, gint id2, const char *label2)
{
  GstBuffer *frame = attached_frame(NULL);

  attached_regions(attached_result(frame), attached_region(1, 1, 9, 9, id1, label1),
                   attached_region(5, 5, 9, 9, id2, label2), NULL);
  return frame;
}

GST_START_TEST(test_only_changes_of_the_best_label_are_written)
{
  g_object_set(harness->element, "only-changes", TRUE, NULL);
  fail_unless(written(attached_frame("cat")));
  fail_if(written(attached_frame("cat")));
  fail_unless(written(attached_frame("dog")));
  fail_if(written(attached_frame("dog")));
  fail_unless(written(attached_frame("cat")));
  fail_unless(written(attached_frame(NULL)));
  fail_if(written(attached_frame(NULL)));
  fail_unless(written(attached_frame("")));
  fail_unless_equals_int(gst_harness_events_in_queue(harness), 3); /* stream, caps, segment */
  g_object_set(harness->element, "only-changes", FALSE, NULL);
  fail_unless(written(attached_frame("")));
}
GST_END_TEST;

GST_START_TEST(test_changes_of_a_second_result_are_written)
{
  static const char *second[] = { "red", "red", "blue" };

  g_object_set(harness->element, "only-changes", TRUE, NULL);
  for (guint i = 0; i < G_N_ELEMENTS(second); i++) {
    GstBuffer *frame = attached_frame("car");
    attached_label(attached_result(frame), second[i]);
    fail_unless_equals_int(written(frame), i != 1);
  }
}
GST_END_TEST;

/* Returns: a frame with these labels, each with a probability of its own. */
static GstBuffer *labels_of_their_own(const char *first, const char *second)
{
  const AttachedClass classes[] = { { first, 1, 0.9 }, { second, 2, 0.8 } };
  GstBuffer *frame = attached_frame(NULL);
  GstStructure *s = attached_result(frame);

  attached_classes(s, classes, second ? 2 : 1);
  gst_structure_set(s, "activation", G_TYPE_STRING, "sigmoid", NULL);
  return frame;
}

GST_START_TEST(test_changes_of_any_label_count_if_each_has_a_probability_of_its_own)
{
  g_object_set(harness->element, "only-changes", TRUE, NULL);
  fail_unless(written(labels_of_their_own("cat", "dog")));
  fail_if(written(labels_of_their_own("dog", "cat")), "their order has no meaning");
  fail_unless(written(labels_of_their_own("dog", NULL)));
  fail_unless(written(labels_of_their_own("dog", "bird")));
  fail_if(written(labels_of_their_own("dog", "bird")));
}
GST_END_TEST;

GST_START_TEST(test_changes_of_regions_are_written)
{
  GstBuffer *one = attached_frame(NULL);

  g_object_set(harness->element, "only-changes", TRUE, NULL);
  attached_regions(attached_result(one), attached_region(1, 1, 9, 9, 1, "cat"), NULL);
  fail_unless(written(two_regions(1, "cat", 2, "dog")));
  fail_if(written(two_regions(1, "cat", 2, "dog")));
  fail_if(written(two_regions(2, "dog", 1, "cat")), "the order of regions is not a change");
  fail_unless(written(two_regions(1, "dog", 2, "cat")));
  fail_unless(written(two_regions(1, NULL, 2, "cat")));
  fail_unless(written(one));
  fail_unless(written(two_regions(1, "cat", 3, NULL)));
}
GST_END_TEST;

GST_START_TEST(test_the_first_frame_is_always_written)
{
  GstSegment segment;

  g_object_set(harness->element, "only-changes", TRUE, NULL);
  gst_segment_init(&segment, GST_FORMAT_TIME);
  fail_unless(written(attached_frame("cat")));
  gst_element_set_state(harness->element, GST_STATE_PAUSED);
  fail_unless(written(attached_frame("cat")), "a pausing sink would wait for ever");
  gst_element_set_state(harness->element, GST_STATE_PLAYING);
  fail_if(written(attached_frame("cat")));

  fixture_flush(harness);
  fail_unless(written(attached_frame("cat")), "a flushed sink would wait for ever");
  fail_if(written(attached_frame("cat")));
  fail_unless(gst_harness_push_event(harness, gst_event_new_stream_start("another")));
  fail_unless(gst_harness_push_event(harness, gst_event_new_segment(&segment)));
  fail_unless(written(attached_frame("cat")));
}
GST_END_TEST;

static Suite *json_changes_suite(void)
{
  Suite *suite = suite_create("json-changes");
  TCase *tcase = tcase_create("json-changes");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_test(tcase, test_only_changes_of_the_best_label_are_written);
  tcase_add_test(tcase, test_changes_of_a_second_result_are_written);
  tcase_add_test(tcase, test_changes_of_any_label_count_if_each_has_a_probability_of_its_own);
  tcase_add_test(tcase, test_changes_of_regions_are_written);
  tcase_add_test(tcase, test_the_first_frame_is_always_written);
  return suite;
}

GST_CHECK_MAIN(json_changes);
