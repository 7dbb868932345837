/* json-text.c: lines of text for people. */
#include "attached.h"
#include "fixture.h"
#include "json/json-fixture.h"

static void setup(void)
{
  json_setup();
  gst_element_set_state(json_harness->element, GST_STATE_NULL);
  gst_util_set_object_arg(G_OBJECT(json_harness->element), "format", "text");
  gst_element_set_state(json_harness->element, GST_STATE_PLAYING);
  gst_harness_set_src_caps_str(json_harness, "video/x-raw, format=RGB, width=64, height=48");
}

static void check(GstBuffer *frame, const char *expected)
{
  g_autofree char *text = NULL;
  GstBuffer *out;
  GstMapInfo map;

  GST_BUFFER_PTS(frame) = 3723 * GST_SECOND + 45 * GST_MSECOND;
  out = fixture_process(json_harness, frame);
  fail_unless(gst_buffer_map(out, &map, GST_MAP_READ));
  text = g_strndup((const char *)map.data, map.size);
  gst_buffer_unmap(out, &map);
  gst_buffer_unref(out);
  fail_unless_equals_string(text, expected);
}

GST_START_TEST(test_time_score_and_label)
{
  g_autoptr(GstCaps) caps = NULL;

  check(attached_frame("tabby, tabby cat"), "1:02:03.045   50 %  tabby, tabby cat\n");
  caps = gst_pad_get_current_caps(json_harness->sinkpad);
  fail_unless(gst_structure_has_name(gst_caps_get_structure(caps, 0), "text/x-raw"));
}
GST_END_TEST;

GST_START_TEST(test_frames_without_a_label)
{
  GstBuffer *frame = attached_frame(NULL);

  attached_result(frame);
  check(frame, "1:02:03.045         unsure\n");
  check(attached_frame(NULL), "1:02:03.045         no result\n");
}
GST_END_TEST;

GST_START_TEST(test_all_classes_with_probabilities_of_their_own)
{
  const AttachedClass classes[] = { { "cat", 1, 0.875 }, { "dog", 2, 0.625 } };
  GstBuffer *frame = attached_frame(NULL);
  GstStructure *s = attached_result(frame);

  attached_classes(s, classes, 2);
  gst_structure_set(s, "activation", G_TYPE_STRING, "sigmoid", NULL);
  check(frame, "1:02:03.045   88 %  cat   62 %  dog\n");
}
GST_END_TEST;

GST_START_TEST(test_a_line_for_each_region)
{
  GstBuffer *frame = attached_frame(NULL);
  GstStructure *s = attached_result(frame), *car = attached_region(8, 12, 16, 24, 7, "taxi");

  gst_structure_set(car, "type", G_TYPE_STRING, "car", NULL);
  attached_regions(s, car, attached_region(32, 0, 32, 48, -1, NULL), NULL);
  check(frame, "1:02:03.045   50 %  taxi  (car 7, 16x24 at 8,12)\n"
               "1:02:03.045         unsure  (region, 32x48 at 32,0)\n");
}
GST_END_TEST;

GST_START_TEST(test_labels_are_safe_for_a_terminal)
{
  check(attached_frame("a\n\033[31mb"), "1:02:03.045   50 %  a  [31mb\n");
}
GST_END_TEST;

GST_START_TEST(test_the_name_of_a_look_comes_first)
{
  GstBuffer *frame = attached_frame("closed");

  gst_structure_set((GstStructure *)fixture_result(frame), "look", G_TYPE_STRING, "gate\n1", NULL);
  attached_label(attached_result(frame), "rain");
  check(frame, "1:02:03.045  gate 1   50 %  closed\n1:02:03.045   50 %  rain\n");
}
GST_END_TEST;

static Suite *json_text_suite(void)
{
  Suite *suite = suite_create("json-text");
  TCase *tcase = tcase_create("json-text");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, setup, json_teardown);
  tcase_add_test(tcase, test_time_score_and_label);
  tcase_add_test(tcase, test_frames_without_a_label);
  tcase_add_test(tcase, test_all_classes_with_probabilities_of_their_own);
  tcase_add_test(tcase, test_a_line_for_each_region);
  tcase_add_test(tcase, test_labels_are_safe_for_a_terminal);
  tcase_add_test(tcase, test_the_name_of_a_look_comes_first);
  return suite;
}

GST_CHECK_MAIN(json_text);
