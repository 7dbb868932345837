/* json.c: every line can be read back, and holds what the frame carries. */
#include <json-glib/json-glib.h>
#include <string.h>

#include "attached.h"
#include "fixture.h"
#include "json/json-fixture.h"

/* ---- Members ------------------------------------------------------------------------------- */

static void set_all(GstStructure *s)
{
  static const AttachedClass classes[] = { { "parachute, chute", 701, 0.87 },
                                           { "balloon", 417, 0.0625 } };

  static const AttachedClass raw[] = { { "balloon", 417, 0.5 }, { "kite", 21, 0.25 } };

  attached_classes(s, classes, G_N_ELEMENTS(classes));
  attached_raw(s, raw, G_N_ELEMENTS(raw));
  gst_structure_set(s, "age", G_TYPE_UINT64, G_GUINT64_CONSTANT(2), "age-time", G_TYPE_UINT64,
                    G_GUINT64_CONSTANT(66666666), "state", G_TYPE_STRING, "interval", "gmacs",
                    G_TYPE_DOUBLE, 0.539, "compute-ratio", G_TYPE_DOUBLE, 0.43, "compute",
                    G_TYPE_DOUBLE, 0.5, "modules", G_TYPE_STRING, "1101", "tokens", G_TYPE_UINT,
                    141, "inference-time", G_TYPE_UINT64, G_GUINT64_CONSTANT(6931347), NULL);
}

static void check_all(JsonNode *result)
{
  fail_unless_equals_string(json_get_string(result, "label"), "parachute, chute");
  fail_unless_equals_int(json_get_int(result, "index"), 701);
  fail_unless(json_get_double(result, "score") == 0.87);
  fail_unless_equals_int(json_get_length(result, "classes"), 2);
  fail_unless_equals_string(json_get_string(result, "classes/0/label"), "parachute, chute");
  fail_unless_equals_int(json_get_int(result, "classes/0/index"), 701);
  fail_unless(json_get_double(result, "classes/0/score") == 0.87);
  fail_unless_equals_string(json_get_string(result, "classes/1/label"), "balloon");
  fail_unless_equals_int(json_get_int(result, "classes/1/index"), 417);
  fail_unless(json_get_double(result, "classes/1/score") == 0.0625);
  fail_unless_equals_string(json_get_string(result, "raw_label"), "balloon");
  fail_unless_equals_int(json_get_int(result, "raw_index"), 417);
  fail_unless(json_get_double(result, "raw_score") == 0.5);
  fail_unless_equals_int(json_get_length(result, "raw_classes"), 2);
  fail_unless_equals_string(json_get_string(result, "raw_classes/1/label"), "kite");
  fail_unless_equals_int64(json_get_int(result, "age"), 2);
  fail_unless_equals_int64(json_get_int(result, "age_time"), 66666666);
  fail_unless_equals_string(json_get_string(result, "state"), "interval");
  fail_unless(json_get_double(result, "compute/ratio") == 0.43);
  fail_unless(json_get_double(result, "compute/gmacs") == 0.539);
  fail_unless(json_get_double(result, "compute/dial") == 0.5);
  fail_unless_equals_string(json_get_string(result, "compute/modules"), "1101");
  fail_unless_equals_int(json_get_int(result, "compute/tokens"), 141);
  fail_unless_equals_int64(json_get_int(result, "compute/time"), 6931347);
}

GST_START_TEST(test_every_field_of_a_result_is_written)
{
  GstBuffer *frame = attached_frame(NULL);
  GstStructure *s = attached_result(frame);
  g_autoptr(JsonNode) root = NULL;

  gst_structure_set(s, "model-name", G_TYPE_STRING, "deit", "class-count", G_TYPE_UINT, 1000, NULL);
  gst_structure_set(s, "x", G_TYPE_UINT, 8, "y", G_TYPE_UINT, 0, "width", G_TYPE_UINT, 47, "height",
                    G_TYPE_UINT, 48, "views", G_TYPE_UINT, 2, NULL);
  set_all(s);
  root = json_convert(frame);
  fail_unless_equals_int(json_get_int(root, "version"), 1);
  fail_unless_equals_int(json_get_int(root, "results/0/x"), 8);
  fail_unless_equals_int(json_get_int(root, "results/0/y"), 0);
  fail_unless_equals_int(json_get_int(root, "results/0/width"), 47);
  fail_unless_equals_int(json_get_int(root, "results/0/height"), 48);
  fail_unless_equals_int(json_get_int(root, "results/0/compute/views"), 2);
  fail_unless_equals_int(json_get_length(root, "results"), 1);
  fail_unless_equals_string(json_get_string(root, "results/0/model"), "deit");
  fail_unless_equals_int(json_get_int(root, "results/0/class_count"), 1000);
  check_all(json_get(root, "results/0"));
  fail_if(json_find(root, "results/0/regions"));
}
GST_END_TEST;

GST_START_TEST(test_regions_hold_places_and_results)
{
  GstBuffer *frame = attached_frame(NULL);
  GstStructure *region = attached_region(1, 2, 30, 40, 7, NULL);
  g_autoptr(JsonNode) root = NULL;

  set_all(region);
  gst_structure_set(region, "type", G_TYPE_STRING, "person", NULL);
  attached_regions(attached_result(frame), region, attached_region(5, 6, 7, 8, -1, "cat"), NULL);
  root = json_convert(frame);
  fail_if(json_find(root, "results/0/label"));
  fail_if(json_find(root, "results/0/compute"));
  fail_unless_equals_int(json_get_length(root, "results/0/regions"), 2);
  fail_unless_equals_int(json_get_int(root, "results/0/regions/0/x"), 1);
  fail_unless_equals_int(json_get_int(root, "results/0/regions/0/y"), 2);
  fail_unless_equals_int(json_get_int(root, "results/0/regions/0/width"), 30);
  fail_unless_equals_int(json_get_int(root, "results/0/regions/0/height"), 40);
  fail_unless_equals_int(json_get_int(root, "results/0/regions/0/id"), 7);
  fail_unless_equals_string(json_get_string(root, "results/0/regions/0/type"), "person");
  check_all(json_get(root, "results/0/regions/0"));
  fail_unless_equals_int(json_get_int(root, "results/0/regions/1/id"), -1);
  fail_unless_equals_string(json_get_string(root, "results/0/regions/1/label"), "cat");
  fail_if(json_find(root, "results/0/regions/1/type"));
}
GST_END_TEST;

GST_START_TEST(test_every_vitgate_upstream_has_its_result)
{
  GstBuffer *frame = attached_frame("first");
  g_autoptr(JsonNode) root = NULL;

  attached_label(attached_result(frame), "second");
  root = json_convert(frame);
  fail_unless_equals_int(json_get_length(root, "results"), 2);
  fail_unless_equals_string(json_get_string(root, "results/0/label"), "first");
  fail_unless_equals_string(json_get_string(root, "results/1/label"), "second");
}
GST_END_TEST;

GST_START_TEST(test_no_class_above_the_threshold_gives_no_label)
{
  GstBuffer *frame = attached_frame(NULL);
  g_autoptr(JsonNode) root = NULL;

  attached_classes(attached_result(frame), NULL, 0);
  root = json_convert(frame);
  fail_unless_equals_int(json_get_length(root, "results/0/classes"), 0);
  fail_if(json_find(root, "results/0/label"));
}
GST_END_TEST;

GST_START_TEST(test_the_score_for_none_of_the_classes_is_written)
{
  const AttachedClass none = { "unknown", 20, 0.96875 };
  GstBuffer *frame = attached_frame(NULL);
  GstStructure *s = attached_result(frame), *region = attached_region(0, 0, 8, 8, 1, "cat");
  g_autoptr(JsonNode) root = NULL, regions = NULL;

  attached_classes(s, &none, 1);
  gst_structure_set(s, "unknown", G_TYPE_DOUBLE, 0.96875, NULL);
  root = json_convert(frame);
  fail_unless_equals_string(json_get_string(root, "results/0/label"), "unknown");
  fail_unless_equals_int(json_get_int(root, "results/0/index"), 20);
  fail_unless(json_get_double(root, "results/0/score") == 0.96875);
  fail_unless(json_get_double(root, "results/0/unknown") == 0.96875);
  frame = attached_frame(NULL);
  gst_structure_set(region, "unknown", G_TYPE_DOUBLE, 0.25, NULL);
  attached_regions(attached_result(frame), region, NULL);
  regions = json_convert(frame);
  fail_unless(json_get_double(regions, "results/0/regions/0/unknown") == 0.25);
}
GST_END_TEST;

GST_START_TEST(test_a_probability_for_each_class_is_told)
{
  GstBuffer *frame = attached_frame("cat");
  g_autoptr(JsonNode) root = json_convert(attached_frame("cat")), own = NULL;

  fail_if(json_find(root, "results/0/activation"));
  gst_structure_set((GstStructure *)fixture_result(frame), "activation", G_TYPE_STRING, "sigmoid",
                    NULL);
  own = json_convert(frame);
  fail_unless_equals_string(json_get_string(own, "results/0/activation"), "sigmoid");
}
GST_END_TEST;

GST_START_TEST(test_frames_have_numbers_sizes_and_times)
{
  g_autoptr(JsonNode) before = json_convert(attached_frame("cat")), after = NULL;
  GstBuffer *frame = attached_frame("cat");
  GstSegment segment;

  fail_unless_equals_int(json_get_int(before, "frame"), 0);
  fail_if(json_find(before, "timestamp"), "an unknown time is written");
  fail_unless(json_find(before, "running_time"), "not the time of its arrival");

  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.start = 2 * GST_SECOND;
  segment.time = 10 * GST_SECOND;
  segment.base = 100 * GST_SECOND;
  fail_unless(gst_harness_push_event(json_harness, gst_event_new_segment(&segment)));
  gst_harness_set_src_caps_str(json_harness, "video/x-raw, format=RGB, width=640, height=480");
  fail_unless(gst_harness_push_event(json_harness, gst_event_new_segment(&segment)));
  GST_BUFFER_PTS(frame) = 3 * GST_SECOND;
  GST_BUFFER_DURATION(frame) = 40 * GST_MSECOND;
  after = json_convert(frame);
  fail_unless_equals_int(json_get_int(after, "frame"), 1);
  fail_unless_equals_int(json_get_int(after, "width"), 640);
  fail_unless_equals_int(json_get_int(after, "height"), 480);
  fail_unless_equals_uint64(json_get_int(after, "timestamp"), 3 * GST_SECOND);
  fail_unless_equals_uint64(json_get_int(after, "duration"), 40 * GST_MSECOND);
  fail_unless_equals_uint64(json_get_int(after, "stream_time"), 11 * GST_SECOND);
  fail_unless_equals_uint64(json_get_int(after, "running_time"), 101 * GST_SECOND);
}
GST_END_TEST;

GST_START_TEST(test_numbers_count_frames_that_are_not_written)
{
  g_autoptr(JsonNode) root = NULL;

  g_object_set(json_harness->element, "only-changes", TRUE, NULL);
  json_node_unref(json_convert(attached_frame("cat")));
  fail_unless_equals_int(gst_harness_push(json_harness, attached_frame("cat")), GST_FLOW_OK);
  root = json_convert(attached_frame("dog"));
  fail_unless_equals_int(json_get_int(root, "frame"), 2);
}
GST_END_TEST;

GST_START_TEST(test_buffers_keep_their_times)
{
  GstBuffer *frame = attached_frame("cat"), *out;
  GstCaps *caps;

  GST_BUFFER_PTS(frame) = 3 * GST_SECOND;
  GST_BUFFER_DURATION(frame) = 40 * GST_MSECOND;
  out = fixture_process(json_harness, frame);
  fail_unless_equals_uint64(GST_BUFFER_PTS(out), 3 * GST_SECOND);
  fail_unless_equals_uint64(GST_BUFFER_DURATION(out), 40 * GST_MSECOND);
  gst_buffer_unref(out);
  caps = gst_pad_get_current_caps(json_harness->sinkpad);
  fail_unless(gst_structure_has_name(gst_caps_get_structure(caps, 0), "application/x-json"));
  gst_caps_unref(caps);
}
GST_END_TEST;

GST_START_TEST(test_stream_id_is_the_property_or_the_streams_own)
{
  g_autofree char *own = gst_pad_get_stream_id(json_harness->srcpad);
  g_autoptr(JsonNode) unset = json_convert(attached_frame("cat")), set = NULL;

  fail_unless_equals_string(json_get_string(unset, "stream_id"), own);
  g_object_set(json_harness->element, "stream-id", "front \"door\"", NULL);
  set = json_convert(attached_frame("cat"));
  fail_unless_equals_string(json_get_string(set, "stream_id"), "front \"door\"");
}
GST_END_TEST;

/* A reader that holds every number in a double cannot hold these. */
GST_START_TEST(test_integers_beyond_doubles_are_strings_too)
{
  GstBuffer *frame = attached_frame(NULL);
  g_autoptr(JsonNode) root = NULL;

  gst_structure_set(attached_result(frame), "age-time", G_TYPE_UINT64, G_MAXUINT64, NULL);
  GST_BUFFER_PTS(frame) = G_GUINT64_CONSTANT(1732561234567890123);
  GST_BUFFER_DURATION(frame) = (G_GUINT64_CONSTANT(1) << 53) - 1;
  root = json_convert(frame);
  fail_unless_equals_int64(json_get_int(root, "timestamp"), 1732561234567890123);
  fail_unless_equals_string(json_get_string(root, "timestamp_exact"), "1732561234567890123");
  fail_unless_equals_string(json_get_string(root, "running_time_exact"), "1732561234567890123");
  fail_unless_equals_int64(json_get_int(root, "duration"), (G_GINT64_CONSTANT(1) << 53) - 1);
  fail_if(json_find(root, "duration_exact"));
  fail_unless_equals_string(json_get_string(root, "results/0/age_time_exact"),
                            "18446744073709551615");
}
GST_END_TEST;

GST_START_TEST(test_numbers_with_an_exponent_are_json)
{
  GstBuffer *frame = attached_frame(NULL);
  const AttachedClass class = { "cat", 1, 1e-08 };
  g_autofree char *text = NULL;

  attached_classes(attached_result(frame), &class, 1);
  text = json_convert_to_text(frame);
  fail_unless(strstr(text, "\"score\":1e-08,"), "%s", text);
}
GST_END_TEST;

/* Gives the element new properties, as before a start. */
static void restart(const char *name, const char *value)
{
  GstSegment segment;

  gst_element_set_state(json_harness->element, GST_STATE_NULL);
  gst_util_set_object_arg(G_OBJECT(json_harness->element), name, value);
  gst_element_set_state(json_harness->element, GST_STATE_PLAYING);
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(json_harness, gst_event_new_stream_start("again"));
  gst_harness_set_src_caps_str(json_harness, "video/x-raw, format=RGB, width=64, height=48");
  gst_harness_push_event(json_harness, gst_event_new_segment(&segment));
}

GST_START_TEST(test_source_and_tags_are_written)
{
  g_autoptr(JsonNode) unset = json_convert(attached_frame("cat")), set = NULL;

  fail_if(json_find(unset, "source"));
  fail_if(json_find(unset, "tags"));
  restart("tags", "{\"site\": {\"gate\": 3}}");
  g_object_set(json_harness->element, "source", "rtsp://camera/1", NULL);
  set = json_convert(attached_frame("cat"));
  fail_unless_equals_string(json_get_string(set, "source"), "rtsp://camera/1");
  fail_unless_equals_int(json_get_int(set, "tags/site/gate"), 3);
  json_node_unref(json_convert(attached_frame("cat")));
}
GST_END_TEST;

GST_START_TEST(test_tags_that_are_no_object_are_refused)
{
  static const char *bad[] = { "site", "[1]", "{\"a\": 1e999}", "", "{\"a\": " };

  for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autoptr(GError) error = NULL;
    GstMessage *message;

    gst_element_set_state(json_harness->element, GST_STATE_NULL);
    g_object_set(json_harness->element, "tags", bad[i], NULL);
    fail_unless_equals_int(gst_element_set_state(json_harness->element, GST_STATE_PAUSED),
                           GST_STATE_CHANGE_FAILURE);
    message = fixture_message(json_harness->element, GST_MESSAGE_ERROR);
    fail_unless(message, "no error for %s", bad[i]);
    gst_message_parse_error(message, &error, NULL);
    fail_unless(strstr(error->message, "Property tags: expected a JSON object"), "%s",
                error->message);
    gst_message_unref(message);
  }
}
GST_END_TEST;

/* ---- Hostile values ------------------------------------------------------------------------ */

static void check_label(const char *label, const char *expected)
{
  g_autoptr(JsonNode) root = json_convert(attached_frame(label));

  fail_unless_equals_string(json_get_string(root, "results/0/label"), expected);
  fail_unless_equals_string(json_get_string(root, "results/0/classes/0/label"), expected);
}

GST_START_TEST(test_any_label_is_read_back)
{
  char controls[32], *long_label = g_strnfill(100000, 'x');

  for (guint i = 0; i < 31; i++)
    controls[i] = (char)(i + 1);
  controls[31] = '\0';
  check_label(controls, controls);
  check_label("", "");
  check_label("\"}]}\n{\"a\":\"\\", "\"}]}\n{\"a\":\"\\");
  check_label("\x7f\u2028 猫 \U0001f408 קט", "\x7f\u2028 猫 \U0001f408 קט");
  check_label(long_label, long_label);
  g_free(long_label);
}
GST_END_TEST;

GST_START_TEST(test_invalid_utf8_is_replaced)
{
  g_autoptr(JsonNode) bytes = NULL, surrogate = json_convert(attached_frame("\xed\xa0\x80"));

  g_object_set(json_harness->element, "stream-id", "\xc3(", NULL);
  bytes = json_convert(attached_frame("\xff"
                                      "cat\xc3"));
  fail_unless_equals_string(json_get_string(bytes, "results/0/classes/0/label"), "\ufffdcat\ufffd");
  fail_unless_equals_string(json_get_string(bytes, "stream_id"), "\ufffd(");
  fail_unless_equals_string(json_get_string(surrogate, "results/0/classes/0/label"),
                            "\ufffd\ufffd\ufffd");
}
GST_END_TEST;

GST_START_TEST(test_numbers_that_are_not_finite_are_null)
{
  GstBuffer *frame = attached_frame(NULL);
  const AttachedClass classes[] = { { "cat", 1, NAN },
                                    { "dog", 2, INFINITY },
                                    { "cow", 3, 1e-310 } };
  GstStructure *s = attached_result(frame);
  g_autoptr(JsonNode) root = NULL;

  attached_classes(s, classes, 3);
  gst_structure_set(s, "compute-ratio", G_TYPE_DOUBLE, -INFINITY, "age", G_TYPE_UINT64, G_MAXUINT64,
                    NULL);
  root = json_convert(frame);
  fail_unless(JSON_NODE_HOLDS_NULL(json_get(root, "results/0/score")));
  fail_unless(JSON_NODE_HOLDS_NULL(json_get(root, "results/0/classes/1/score")));
  fail_unless(json_get_double(root, "results/0/classes/2/score") == 1e-310);
  fail_unless(JSON_NODE_HOLDS_NULL(json_get(root, "results/0/compute/ratio")));
  fail_unless_equals_int64(json_get_int(root, "results/0/age"), G_MAXINT64);
}
GST_END_TEST;

GST_START_TEST(test_fields_of_other_types_do_no_harm)
{
  GstBuffer *frame = attached_frame(NULL);
  GstStructure *s = attached_result(frame);
  g_autoptr(JsonNode) root = NULL;

  attached_label(s, "cat");
  gst_structure_set(s, "scores", G_TYPE_STRING, "none", "index", G_TYPE_DOUBLE, 2.5, "regions",
                    G_TYPE_INT, 3, "label", G_TYPE_STRING, NULL, NULL);
  root = json_convert(frame);
  fail_unless(JSON_NODE_HOLDS_NULL(json_get(root, "results/0/label")));
  fail_unless_equals_string(json_get_string(root, "results/0/classes/0/label"), "cat");
  fail_if(json_find(root, "results/0/classes/0/score"));
  fail_if(json_find(root, "results/0/regions"));
}
GST_END_TEST;

/* ---- Frames without results ---------------------------------------------------------------- */

GST_START_TEST(test_frames_without_results_post_one_warning)
{
  g_autoptr(JsonNode) root = json_convert(attached_frame(NULL));
  GstMessage *message = fixture_message(json_harness->element, GST_MESSAGE_WARNING);

  fail_unless_equals_int(json_get_length(root, "results"), 0);
  fail_unless(message, "no warning");
  gst_message_unref(message);
  json_node_unref(json_convert(attached_frame(NULL)));
  fail_if(fixture_message(json_harness->element, GST_MESSAGE_WARNING), "a second warning");
}
GST_END_TEST;

GST_START_TEST(test_frames_before_the_first_result_post_no_warning)
{
  GstBuffer *gap = attached_frame(NULL);

  GST_BUFFER_FLAG_SET(gap, GST_BUFFER_FLAG_GAP);
  json_node_unref(json_convert(gap));
  json_node_unref(json_convert(gst_buffer_new()));
  json_node_unref(json_convert(attached_frame("cat")));
  json_node_unref(json_convert(attached_frame(NULL)));
  fail_if(fixture_message(json_harness->element, GST_MESSAGE_WARNING));
}
GST_END_TEST;

/* ---- The stream ---------------------------------------------------------------------------- */

GST_START_TEST(test_frames_in_any_memory_are_accepted)
{
  g_autoptr(JsonNode) root = NULL;

  gst_harness_set_src_caps_str(
      json_harness, "video/x-raw(memory:GLMemory, meta:GstVideoOverlayComposition), format=RGBA, "
                    "width=320, height=240, texture-target=2D");
  root = json_convert(attached_frame("cat"));
  fail_unless_equals_int(json_get_int(root, "width"), 320);
}
GST_END_TEST;

GST_START_TEST(test_any_layout_of_pixels_is_accepted)
{
  GstCaps *caps = gst_pad_get_current_caps(json_harness->srcpad);
  GstQuery *query = gst_query_new_allocation(caps, FALSE);

  fail_unless(gst_pad_peer_query(json_harness->srcpad, query));
  fail_unless(gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL));
  gst_query_unref(query);
  gst_caps_unref(caps);
}
GST_END_TEST;

GST_START_TEST(test_states_may_cycle)
{
  GstSegment segment;

  gst_segment_init(&segment, GST_FORMAT_TIME);
  for (guint i = 0; i < 3; i++) {
    g_autoptr(JsonNode) root = json_convert(attached_frame("cat"));

    fail_unless_equals_int(json_get_int(root, "frame"), 0);
    gst_element_set_state(json_harness->element, GST_STATE_NULL);
    gst_element_set_state(json_harness->element, GST_STATE_PLAYING);
    gst_harness_push_event(json_harness, gst_event_new_stream_start("again"));
    gst_harness_set_src_caps_str(json_harness, "video/x-raw, format=RGB, width=64, height=48");
    gst_harness_push_event(json_harness, gst_event_new_segment(&segment));
  }
}
GST_END_TEST;

static TCase *member_tests(void)
{
  TCase *tcase = tcase_create("members");

  tcase_add_checked_fixture(tcase, json_setup, json_teardown);
  tcase_add_test(tcase, test_every_field_of_a_result_is_written);
  tcase_add_test(tcase, test_regions_hold_places_and_results);
  tcase_add_test(tcase, test_every_vitgate_upstream_has_its_result);
  tcase_add_test(tcase, test_no_class_above_the_threshold_gives_no_label);
  tcase_add_test(tcase, test_a_probability_for_each_class_is_told);
  tcase_add_test(tcase, test_the_score_for_none_of_the_classes_is_written);
  tcase_add_test(tcase, test_frames_have_numbers_sizes_and_times);
  tcase_add_test(tcase, test_numbers_count_frames_that_are_not_written);
  tcase_add_test(tcase, test_buffers_keep_their_times);
  tcase_add_test(tcase, test_stream_id_is_the_property_or_the_streams_own);
  tcase_add_test(tcase, test_integers_beyond_doubles_are_strings_too);
  tcase_add_test(tcase, test_numbers_with_an_exponent_are_json);
  tcase_add_test(tcase, test_source_and_tags_are_written);
  tcase_add_test(tcase, test_tags_that_are_no_object_are_refused);
  tcase_add_test(tcase, test_any_label_is_read_back);
  tcase_add_test(tcase, test_invalid_utf8_is_replaced);
  tcase_add_test(tcase, test_numbers_that_are_not_finite_are_null);
  tcase_add_test(tcase, test_fields_of_other_types_do_no_harm);
  return tcase;
}

static TCase *stream_tests(void)
{
  TCase *tcase = tcase_create("stream");

  tcase_add_checked_fixture(tcase, json_setup, json_teardown);
  tcase_add_test(tcase, test_frames_without_results_post_one_warning);
  tcase_add_test(tcase, test_frames_before_the_first_result_post_no_warning);
  tcase_add_test(tcase, test_frames_in_any_memory_are_accepted);
  tcase_add_test(tcase, test_any_layout_of_pixels_is_accepted);
  tcase_add_test(tcase, test_states_may_cycle);
  return tcase;
}

static Suite *json_suite(void)
{
  Suite *suite = suite_create("json");

  suite_add_tcase(suite, member_tests());
  suite_add_tcase(suite, stream_tests());
  return suite;
}

GST_CHECK_MAIN(json);
