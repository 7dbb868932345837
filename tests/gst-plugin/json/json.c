/* json.c: every line can be read back, and holds what the frame carries. */
#include <json-glib/json-glib.h>
#include <string.h>

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

/* ---- Reading ------------------------------------------------------------------------------- */

/* Pushes @frame (transfer full).
 * Returns: (transfer full): the output, which must be one object in one line. */
static JsonNode *convert(GstBuffer *frame)
{
  GstBuffer *out = fixture_process(harness, frame);
  g_autoptr(GError) error = NULL;
  g_autofree char *text = NULL;
  GstMapInfo map;
  JsonNode *node;

  fail_unless(gst_buffer_map(out, &map, GST_MAP_READ));
  text = g_strndup((const char *)map.data, map.size);
  gst_buffer_unmap(out, &map);
  gst_buffer_unref(out);
  fail_unless(g_utf8_validate(text, -1, NULL), "not UTF-8: %s", text);
  fail_unless(strlen(text) == map.size && strchr(text, '\n') == text + map.size - 1,
              "not one line: %s", text);
  node = json_from_string(text, &error);
  fail_unless(node && JSON_NODE_HOLDS_OBJECT(node), "%s: %s", error ? error->message : "no object",
              text);
  return node;
}

/* Returns: the member at @path, which consists of names and array positions, such as
 * "results/0/label"; NULL if there is none. */
static JsonNode *find(JsonNode *node, const char *path)
{
  g_auto(GStrv) names = g_strsplit(path, "/", -1);

  for (char **name = names; node && *name; name++) {
    if (JSON_NODE_HOLDS_ARRAY(node)) {
      JsonArray *array = json_node_get_array(node);
      const guint i = (guint)g_ascii_strtoull(*name, NULL, 10);
      node = i < json_array_get_length(array) ? json_array_get_element(array, i) : NULL;
    } else {
      node = json_object_get_member(json_node_get_object(node), *name);
    }
  }
  return node;
}

static JsonNode *get(JsonNode *root, const char *path)
{
  JsonNode *node = find(root, path);

  fail_unless(node, "no %s", path);
  return node;
}

static const char *get_string(JsonNode *root, const char *path)
{
  fail_unless_equals_int(json_node_get_value_type(get(root, path)), G_TYPE_STRING);
  return json_node_get_string(get(root, path));
}

static gint64 get_int(JsonNode *root, const char *path)
{
  fail_unless_equals_int(json_node_get_value_type(get(root, path)), G_TYPE_INT64);
  return json_node_get_int(get(root, path));
}

static double get_double(JsonNode *root, const char *path)
{
  fail_unless_equals_int(json_node_get_value_type(get(root, path)), G_TYPE_DOUBLE);
  return json_node_get_double(get(root, path));
}

static guint get_length(JsonNode *root, const char *path)
{
  fail_unless(JSON_NODE_HOLDS_ARRAY(get(root, path)), "%s is not an array", path);
  return json_array_get_length(json_node_get_array(get(root, path)));
}

/* ---- Members ------------------------------------------------------------------------------- */

static void set_all(GstStructure *s)
{
  static const AttachedClass classes[] = { { "parachute, chute", 701, 0.87 },
                                           { "balloon", 417, 0.0625 } };

  attached_classes(s, classes, G_N_ELEMENTS(classes));
  gst_structure_set(s, "age", G_TYPE_UINT64, G_GUINT64_CONSTANT(2), "age-time", G_TYPE_UINT64,
                    G_GUINT64_CONSTANT(66666666), "state", G_TYPE_STRING, "interval", "gmacs",
                    G_TYPE_DOUBLE, 0.539, "compute-ratio", G_TYPE_DOUBLE, 0.43, "compute",
                    G_TYPE_DOUBLE, 0.5, "modules", G_TYPE_STRING, "1101", "tokens", G_TYPE_UINT,
                    141, "inference-time", G_TYPE_UINT64, G_GUINT64_CONSTANT(6931347), NULL);
}

static void check_all(JsonNode *result)
{
  fail_unless_equals_string(get_string(result, "label"), "parachute, chute");
  fail_unless_equals_int(get_int(result, "index"), 701);
  fail_unless(get_double(result, "score") == 0.87);
  fail_unless_equals_int(get_length(result, "classes"), 2);
  fail_unless_equals_string(get_string(result, "classes/0/label"), "parachute, chute");
  fail_unless_equals_int(get_int(result, "classes/0/index"), 701);
  fail_unless(get_double(result, "classes/0/score") == 0.87);
  fail_unless_equals_string(get_string(result, "classes/1/label"), "balloon");
  fail_unless_equals_int(get_int(result, "classes/1/index"), 417);
  fail_unless(get_double(result, "classes/1/score") == 0.0625);
  fail_unless_equals_int64(get_int(result, "age"), 2);
  fail_unless_equals_int64(get_int(result, "age_time"), 66666666);
  fail_unless_equals_string(get_string(result, "state"), "interval");
  fail_unless(get_double(result, "compute/ratio") == 0.43);
  fail_unless(get_double(result, "compute/gmacs") == 0.539);
  fail_unless(get_double(result, "compute/dial") == 0.5);
  fail_unless_equals_string(get_string(result, "compute/modules"), "1101");
  fail_unless_equals_int(get_int(result, "compute/tokens"), 141);
  fail_unless_equals_int64(get_int(result, "compute/time"), 6931347);
}

GST_START_TEST(test_every_field_of_a_result_is_written)
{
  GstBuffer *frame = attached_frame(NULL);
  GstStructure *s = attached_result(frame);
  g_autoptr(JsonNode) root = NULL;

  gst_structure_set(s, "model-name", G_TYPE_STRING, "deit", "class-count", G_TYPE_UINT, 1000, NULL);
  set_all(s);
  root = convert(frame);
  fail_unless_equals_int(get_int(root, "version"), 1);
  fail_unless_equals_int(get_length(root, "results"), 1);
  fail_unless_equals_string(get_string(root, "results/0/model"), "deit");
  fail_unless_equals_int(get_int(root, "results/0/class_count"), 1000);
  check_all(get(root, "results/0"));
  fail_if(find(root, "results/0/regions"));
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
  root = convert(frame);
  fail_if(find(root, "results/0/label"));
  fail_if(find(root, "results/0/compute"));
  fail_unless_equals_int(get_length(root, "results/0/regions"), 2);
  fail_unless_equals_int(get_int(root, "results/0/regions/0/x"), 1);
  fail_unless_equals_int(get_int(root, "results/0/regions/0/y"), 2);
  fail_unless_equals_int(get_int(root, "results/0/regions/0/width"), 30);
  fail_unless_equals_int(get_int(root, "results/0/regions/0/height"), 40);
  fail_unless_equals_int(get_int(root, "results/0/regions/0/id"), 7);
  fail_unless_equals_string(get_string(root, "results/0/regions/0/type"), "person");
  check_all(get(root, "results/0/regions/0"));
  fail_unless_equals_int(get_int(root, "results/0/regions/1/id"), -1);
  fail_unless_equals_string(get_string(root, "results/0/regions/1/label"), "cat");
  fail_if(find(root, "results/0/regions/1/type"));
}
GST_END_TEST;

GST_START_TEST(test_every_vitgate_upstream_has_its_result)
{
  GstBuffer *frame = attached_frame("first");
  g_autoptr(JsonNode) root = NULL;

  attached_label(attached_result(frame), "second");
  root = convert(frame);
  fail_unless_equals_int(get_length(root, "results"), 2);
  fail_unless_equals_string(get_string(root, "results/0/label"), "first");
  fail_unless_equals_string(get_string(root, "results/1/label"), "second");
}
GST_END_TEST;

GST_START_TEST(test_no_class_above_the_threshold_gives_no_label)
{
  GstBuffer *frame = attached_frame(NULL);
  g_autoptr(JsonNode) root = NULL;

  attached_classes(attached_result(frame), NULL, 0);
  root = convert(frame);
  fail_unless_equals_int(get_length(root, "results/0/classes"), 0);
  fail_if(find(root, "results/0/label"));
}
GST_END_TEST;

GST_START_TEST(test_frames_have_numbers_sizes_and_times)
{
  g_autoptr(JsonNode) before = convert(attached_frame("cat")), after = NULL;
  GstBuffer *frame = attached_frame("cat");
  GstSegment segment;

  fail_unless_equals_int(get_int(before, "frame"), 0);
  fail_if(find(before, "timestamp"), "an unknown time is written");
  fail_if(find(before, "running_time"));

  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.start = 2 * GST_SECOND;
  segment.time = 10 * GST_SECOND;
  segment.base = 100 * GST_SECOND;
  fail_unless(gst_harness_push_event(harness, gst_event_new_segment(&segment)));
  gst_harness_set_src_caps_str(harness, "video/x-raw, format=RGB, width=640, height=480");
  fail_unless(gst_harness_push_event(harness, gst_event_new_segment(&segment)));
  GST_BUFFER_PTS(frame) = 3 * GST_SECOND;
  GST_BUFFER_DURATION(frame) = 40 * GST_MSECOND;
  after = convert(frame);
  fail_unless_equals_int(get_int(after, "frame"), 1);
  fail_unless_equals_int(get_int(after, "width"), 640);
  fail_unless_equals_int(get_int(after, "height"), 480);
  fail_unless_equals_uint64(get_int(after, "timestamp"), 3 * GST_SECOND);
  fail_unless_equals_uint64(get_int(after, "duration"), 40 * GST_MSECOND);
  fail_unless_equals_uint64(get_int(after, "stream_time"), 11 * GST_SECOND);
  fail_unless_equals_uint64(get_int(after, "running_time"), 101 * GST_SECOND);
}
GST_END_TEST;

GST_START_TEST(test_numbers_count_frames_that_are_not_written)
{
  g_autoptr(JsonNode) root = NULL;

  g_object_set(harness->element, "only-changes", TRUE, NULL);
  json_node_unref(convert(attached_frame("cat")));
  fail_unless_equals_int(gst_harness_push(harness, attached_frame("cat")), GST_FLOW_OK);
  root = convert(attached_frame("dog"));
  fail_unless_equals_int(get_int(root, "frame"), 2);
}
GST_END_TEST;

GST_START_TEST(test_buffers_keep_their_times)
{
  GstBuffer *frame = attached_frame("cat"), *out;
  GstCaps *caps;

  GST_BUFFER_PTS(frame) = 3 * GST_SECOND;
  GST_BUFFER_DURATION(frame) = 40 * GST_MSECOND;
  out = fixture_process(harness, frame);
  fail_unless_equals_uint64(GST_BUFFER_PTS(out), 3 * GST_SECOND);
  fail_unless_equals_uint64(GST_BUFFER_DURATION(out), 40 * GST_MSECOND);
  gst_buffer_unref(out);
  caps = gst_pad_get_current_caps(harness->sinkpad);
  fail_unless(gst_structure_has_name(gst_caps_get_structure(caps, 0), "application/x-json"));
  gst_caps_unref(caps);
}
GST_END_TEST;

GST_START_TEST(test_stream_id_is_the_property_or_the_streams_own)
{
  g_autofree char *own = gst_pad_get_stream_id(harness->srcpad);
  g_autoptr(JsonNode) unset = convert(attached_frame("cat")), set = NULL;

  fail_unless_equals_string(get_string(unset, "stream_id"), own);
  g_object_set(harness->element, "stream-id", "front \"door\"", NULL);
  set = convert(attached_frame("cat"));
  fail_unless_equals_string(get_string(set, "stream_id"), "front \"door\"");
}
GST_END_TEST;

/* ---- Time of day --------------------------------------------------------------------------- */

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
  ntp = convert(gst_buffer_copy_deep(frame));
  fail_unless_equals_string(get_string(ntp, "wall_clock"), "2001-09-09T01:46:40.123456Z");
  fail_unless_equals_string(get_string(ntp, "wall_clock_source"), "ntp");

  add_reference(frame, "timestamp/x-unix", 1000000001 * GST_SECOND);
  both = convert(frame);
  fail_unless_equals_string(get_string(both, "wall_clock"), "2001-09-09T01:46:41.000000Z");
  fail_unless_equals_string(get_string(both, "wall_clock_source"), "unix");
}
GST_END_TEST;

GST_START_TEST(test_times_that_are_not_dates_are_not_written)
{
  GstBuffer *frame = attached_frame("cat");
  g_autoptr(JsonNode) root = NULL;

  add_reference(frame, "timestamp/x-ntp", 5 * GST_SECOND); /* a camera that has just started */
  add_reference(frame, "timestamp/x-drivers-own", 1000000001 * GST_SECOND);
  root = convert(frame);
  fail_if(find(root, "wall_clock"));
}
GST_END_TEST;

/* The harness answers LATENCY queries as a live source does. */
GST_START_TEST(test_wall_clock_of_a_live_source)
{
  GstBuffer *frame = attached_frame("cat");
  g_autoptr(GDateTime) before = g_date_time_new_now_utc();
  g_autoptr(GDateTime) after = NULL, written = NULL;
  g_autoptr(JsonNode) root = NULL;
  GTimeSpan since, until;

  gst_harness_use_testclock(harness);
  gst_harness_set_time(harness, 10 * GST_SECOND);
  GST_BUFFER_PTS(frame) = 4 * GST_SECOND;
  root = convert(frame);
  after = g_date_time_new_now_utc();
  fail_unless_equals_string(get_string(root, "wall_clock_source"), "clock");
  written = g_date_time_new_from_iso8601(get_string(root, "wall_clock"), NULL);
  fail_unless(written, "%s", get_string(root, "wall_clock"));
  /* The frame was taken 6 s before the clock's present time. */
  since = g_date_time_difference(written, before) + 6 * G_TIME_SPAN_SECOND;
  until = g_date_time_difference(after, written) - 6 * G_TIME_SPAN_SECOND;
  fail_unless(since >= 0 && until >= 0, "%s", get_string(root, "wall_clock"));
}
GST_END_TEST;

/* A playlist goes from a camera to a file. */
GST_START_TEST(test_each_segment_may_be_live_or_not)
{
  for (guint i = 0; i < 4; i++) {
    GstBuffer *frame = attached_frame("cat");
    g_autoptr(JsonNode) root = NULL;
    GstSegment segment;

    gst_harness_use_testclock(harness);
    gst_harness_set_live(harness, i % 2 == 0);
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.base = i * GST_SECOND;
    fail_unless(gst_harness_push_event(harness, gst_event_new_segment(&segment)));
    GST_BUFFER_PTS(frame) = 0;
    root = convert(frame);
    fail_unless((find(root, "wall_clock") != NULL) == (i % 2 == 0), "segment %u", i);
  }
}
GST_END_TEST;

/* ---- Hostile values ------------------------------------------------------------------------ */

static void check_label(const char *label, const char *expected)
{
  g_autoptr(JsonNode) root = convert(attached_frame(label));

  fail_unless_equals_string(get_string(root, "results/0/label"), expected);
  fail_unless_equals_string(get_string(root, "results/0/classes/0/label"), expected);
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
  g_autoptr(JsonNode) bytes = NULL, surrogate = convert(attached_frame("\xed\xa0\x80"));

  g_object_set(harness->element, "stream-id", "\xc3(", NULL);
  bytes = convert(attached_frame("\xff"
                                 "cat\xc3"));
  fail_unless_equals_string(get_string(bytes, "results/0/classes/0/label"), "\ufffdcat\ufffd");
  fail_unless_equals_string(get_string(bytes, "stream_id"), "\ufffd(");
  fail_unless_equals_string(get_string(surrogate, "results/0/classes/0/label"),
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
  root = convert(frame);
  fail_unless(JSON_NODE_HOLDS_NULL(get(root, "results/0/score")));
  fail_unless(JSON_NODE_HOLDS_NULL(get(root, "results/0/classes/1/score")));
  fail_unless(get_double(root, "results/0/classes/2/score") == 1e-310);
  fail_unless(JSON_NODE_HOLDS_NULL(get(root, "results/0/compute/ratio")));
  fail_unless_equals_int64(get_int(root, "results/0/age"), G_MAXINT64);
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
  root = convert(frame);
  fail_unless(JSON_NODE_HOLDS_NULL(get(root, "results/0/label")));
  fail_unless_equals_string(get_string(root, "results/0/classes/0/label"), "cat");
  fail_if(find(root, "results/0/classes/0/score"));
  fail_if(find(root, "results/0/regions"));
}
GST_END_TEST;

/* ---- Frames without results ---------------------------------------------------------------- */

GST_START_TEST(test_frames_without_results_post_one_warning)
{
  g_autoptr(JsonNode) root = convert(attached_frame(NULL));
  GstMessage *message = fixture_message(harness->element, GST_MESSAGE_WARNING);

  fail_unless_equals_int(get_length(root, "results"), 0);
  fail_unless(message, "no warning");
  gst_message_unref(message);
  json_node_unref(convert(attached_frame(NULL)));
  fail_if(fixture_message(harness->element, GST_MESSAGE_WARNING), "a second warning");
}
GST_END_TEST;

GST_START_TEST(test_frames_before_the_first_result_post_no_warning)
{
  GstBuffer *gap = attached_frame(NULL);

  GST_BUFFER_FLAG_SET(gap, GST_BUFFER_FLAG_GAP);
  json_node_unref(convert(gap));
  json_node_unref(convert(gst_buffer_new()));
  json_node_unref(convert(attached_frame("cat")));
  json_node_unref(convert(attached_frame(NULL)));
  fail_if(fixture_message(harness->element, GST_MESSAGE_WARNING));
}
GST_END_TEST;

/* ---- The stream ---------------------------------------------------------------------------- */

GST_START_TEST(test_frames_in_any_memory_are_accepted)
{
  g_autoptr(JsonNode) root = NULL;

  gst_harness_set_src_caps_str(
      harness, "video/x-raw(memory:GLMemory, meta:GstVideoOverlayComposition), format=RGBA, "
               "width=320, height=240, texture-target=2D");
  root = convert(attached_frame("cat"));
  fail_unless_equals_int(get_int(root, "width"), 320);
}
GST_END_TEST;

GST_START_TEST(test_any_layout_of_pixels_is_accepted)
{
  GstCaps *caps = gst_pad_get_current_caps(harness->srcpad);
  GstQuery *query = gst_query_new_allocation(caps, FALSE);

  fail_unless(gst_pad_peer_query(harness->srcpad, query));
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
    g_autoptr(JsonNode) root = convert(attached_frame("cat"));

    fail_unless_equals_int(get_int(root, "frame"), 0);
    gst_element_set_state(harness->element, GST_STATE_NULL);
    gst_element_set_state(harness->element, GST_STATE_PLAYING);
    gst_harness_push_event(harness, gst_event_new_stream_start("again"));
    gst_harness_set_src_caps_str(harness, "video/x-raw, format=RGB, width=64, height=48");
    gst_harness_push_event(harness, gst_event_new_segment(&segment));
  }
}
GST_END_TEST;

static TCase *member_tests(void)
{
  TCase *tcase = tcase_create("members");

  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_test(tcase, test_every_field_of_a_result_is_written);
  tcase_add_test(tcase, test_regions_hold_places_and_results);
  tcase_add_test(tcase, test_every_vitgate_upstream_has_its_result);
  tcase_add_test(tcase, test_no_class_above_the_threshold_gives_no_label);
  tcase_add_test(tcase, test_frames_have_numbers_sizes_and_times);
  tcase_add_test(tcase, test_numbers_count_frames_that_are_not_written);
  tcase_add_test(tcase, test_buffers_keep_their_times);
  tcase_add_test(tcase, test_stream_id_is_the_property_or_the_streams_own);
  tcase_add_test(tcase, test_wall_clock_of_the_camera);
  tcase_add_test(tcase, test_times_that_are_not_dates_are_not_written);
  tcase_add_test(tcase, test_wall_clock_of_a_live_source);
  tcase_add_test(tcase, test_each_segment_may_be_live_or_not);
  tcase_add_test(tcase, test_any_label_is_read_back);
  tcase_add_test(tcase, test_invalid_utf8_is_replaced);
  tcase_add_test(tcase, test_numbers_that_are_not_finite_are_null);
  tcase_add_test(tcase, test_fields_of_other_types_do_no_harm);
  return tcase;
}

static TCase *stream_tests(void)
{
  TCase *tcase = tcase_create("stream");

  tcase_add_checked_fixture(tcase, setup, teardown);
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
