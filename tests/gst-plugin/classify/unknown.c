/* unknown.c: pictures of none of the classes, and thresholds of classes. The first model was taught
 * with pictures of pure colours: grey is far from all of them, and red with some blue is in
 * between. In the second, red, green and blue have probabilities of their own. */
#include <string.h>

#include "attached.h"
#include "fixture.h"
#include "regions-fixture.h"

#define FRAME     (40 * GST_MSECOND)
#define N_CLASSES 10

/* Blue of red pictures with scores of 0.935 and 0.958; the change between them is no cut. */
#define KNOWN_BLUE   72
#define UNKNOWN_BLUE 84

static GstHarness *harness;
static GstVideoInfo info;
static GstClockTime now;

/* Plays the model in the environment's @variable, for frames of @width x 32. The property @name, if
 * it is not NULL, needs a load. */
static void start_with(const char *variable, guint width, const char *name, const char *value)
{
  GstElement *element = fixture_make("vitgate");

  g_object_set(element, "model", fixture_path(variable), NULL);
  gst_util_set_object_arg(G_OBJECT(element), "temporal", "off");
  if (name)
    gst_util_set_object_arg(G_OBJECT(element), name, value);
  harness = fixture_harness(element);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, width, 32, &info);
  now = 0;
}

static void start(const char *variable, guint width)
{
  start_with(variable, width, NULL, NULL);
}

static void setup(void)
{
  start("VITGATE_TEST_TAUGHT_MODEL", 32);
}

static void teardown(void)
{
  fixture_free(harness);
}

typedef struct {
  guint8 red, green, blue;
} Colour;

static const Colour red = { 250, 10, 10 }, grey = { 128, 128, 128 };

/* Returns: (transfer full): the next frame, whose left and right half have these colours. */
static GstBuffer *halves(Colour left, Colour right)
{
  GstBuffer *frame = fixture_grey(&info, 0, now);
  const gint stride = GST_VIDEO_INFO_PLANE_STRIDE(&info, 0);
  GstMapInfo map;

  now += FRAME;
  fail_unless(gst_buffer_map(frame, &map, GST_MAP_WRITE));
  for (gint y = 0; y < info.height; y++)
    for (gint x = 0; x < info.width; x++)
      memcpy(map.data + y * stride + 3 * x, x < info.width / 2 ? &left : &right, 3);
  gst_buffer_unmap(frame, &map);
  return frame;
}

/* Returns: (transfer full): the result of the next frame, of one colour. */
static GstStructure *result_of(Colour colour)
{
  return fixture_analyse(harness, halves(colour, colour));
}

static GstStructure *reddish(guint8 blue)
{
  return result_of((Colour){ 250, 10, blue });
}

static void check_label(GstStructure *s, const char *label)
{
  fail_unless_equals_string(fixture_string(s, "label"), label);
  gst_structure_free(s);
}

/* ---- Frames -------------------------------------------------------------------------------- */

GST_START_TEST(test_a_picture_of_a_class_has_its_label_and_a_low_score)
{
  GstStructure *s = result_of(red);

  fail_unless(fixture_double(s, "unknown") < 0.05);
  fail_unless_equals_string(fixture_string(s, "raw-label"), "red");
  fail_unless(fixture_double(s, "score") == fixture_double(s, "raw-score"));
  check_label(s, "red");
}
GST_END_TEST;

GST_START_TEST(test_another_picture_is_unknown)
{
  GstStructure *s = result_of(grey);

  fail_unless(fixture_double(s, "unknown") > 0.99);
  fail_unless(fixture_double(s, "score") == fixture_double(s, "unknown"));
  fail_unless_equals_int(fixture_uint(s, "index"), N_CLASSES);
  fail_unless_equals_int(fixture_uint(s, "class-count"), N_CLASSES);
  fail_unless_equals_int(fixture_uint(s, "n-results"), 1);
  fail_unless_equals_int(gst_value_array_get_size(gst_structure_get_value(s, "labels")), 1);
  fail_unless_equals_string(fixture_label(s, 0), "unknown");
  fail_unless_equals_int(fixture_index(s, 0), N_CLASSES);
  fail_unless(fixture_score(s, 0) == fixture_double(s, "score"));
  /* What the classes would be. */
  fail_unless_equals_int(gst_value_array_get_size(gst_structure_get_value(s, "raw-labels")), 5);
  fail_unless(fixture_uint(s, "raw-index") < N_CLASSES);
  fail_unless(fixture_double(s, "raw-score") < 0.5);
  check_label(s, "unknown");
}
GST_END_TEST;

GST_START_TEST(test_readers_of_regions_of_interest_find_it)
{
  GstBuffer *out = fixture_process(harness, halves(grey, grey));
  GstVideoRegionOfInterestMeta *roi = (GstVideoRegionOfInterestMeta *)gst_buffer_get_meta(
      out, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
  const GstStructure *parameter;
  gint id = 0;

  fail_unless(roi);
  parameter = gst_video_region_of_interest_meta_get_param(roi, "classification_layer_name:logits");
  fail_unless_equals_string(fixture_string(parameter, "label"), "unknown");
  fail_unless(gst_structure_get_int(parameter, "label_id", &id) && id == N_CLASSES);
  fail_unless(fixture_double(parameter, "confidence") ==
              fixture_double(fixture_result(out), "unknown"));
  gst_buffer_unref(out);
}
GST_END_TEST;

#ifdef HAVE_GST_ANALYTICS
GST_START_TEST(test_readers_of_analytics_find_it)
{
  GstBuffer *out = fixture_process(harness, halves(grey, grey));
  GstAnalyticsRelationMeta *relations = gst_buffer_get_analytics_relation_meta(out);
  GstAnalyticsClsMtd classes;
  gpointer state = NULL;

  fail_unless(gst_analytics_relation_meta_iterate(relations, &state,
                                                  gst_analytics_cls_mtd_get_mtd_type(), &classes));
  fail_unless_equals_int(gst_analytics_cls_mtd_get_length(&classes), 1);
  fail_unless_equals_string(g_quark_to_string(gst_analytics_cls_mtd_get_quark(&classes, 0)),
                            "unknown");
  gst_buffer_unref(out);
}
GST_END_TEST;
#endif

GST_START_TEST(test_messages_carry_it)
{
  GstMessage *message;
  const GstStructure *s;

  g_object_set(harness->element, "post-messages", TRUE, NULL);
  gst_structure_free(result_of(grey));
  message = fixture_message(harness->element, GST_MESSAGE_ELEMENT);
  s = gst_message_get_structure(message);
  fail_unless_equals_string(fixture_string(s, "label"), "unknown");
  fail_unless(fixture_double(s, "unknown") > 0.99);
  gst_message_unref(message);
}
GST_END_TEST;

/* Returns: (transfer full): what vitgatejson writes for a grey frame. */
static char *line_of(const char *format)
{
  GstHarness *json = attached_harness("vitgatejson");
  GstBuffer *out;
  GstMapInfo map;
  char *line;

  gst_element_set_state(json->element, GST_STATE_NULL);
  gst_util_set_object_arg(G_OBJECT(json->element), "format", format);
  gst_element_set_state(json->element, GST_STATE_PLAYING);
  gst_harness_set_src_caps_str(json, "video/x-raw, format=RGB, width=32, height=32");
  out = fixture_process(json, fixture_process(harness, halves(grey, grey)));
  fail_unless(gst_buffer_map(out, &map, GST_MAP_READ));
  line = g_strndup((const char *)map.data, map.size);
  gst_buffer_unmap(out, &map);
  gst_buffer_unref(out);
  fixture_free(json);
  return line;
}

GST_START_TEST(test_lines_of_every_format_carry_it)
{
  static const char *const parts[][4] = {
    { "vitgate", "\"label\":\"unknown\",\"index\":10,\"score\":0.99", "\"unknown\":0.99",
      "\"classes\":[{\"label\":\"unknown\",\"index\":10" },
    { "dlstreamer", "\"label\":\"unknown\"", "\"confidence\":0.99", "\"label_id\":10" },
    { "text", "100 %  unknown\n", "", "" },
  };

  for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
    g_autofree char *line = line_of(parts[i][0]);

    for (guint part = 1; part < 4; part++)
      fail_unless(strstr(line, parts[i][part]) != NULL, "%s: %s is not in %s", parts[i][0],
                  parts[i][part], line);
  }
}
GST_END_TEST;

GST_START_TEST(test_a_model_without_a_score_has_none)
{
  GstStructure *s;

  fixture_free(harness);
  start("VITGATE_TEST_GATED_MODEL", 32);
  s = result_of(grey);
  fail_if(gst_structure_has_field(s, "unknown"));
  fail_if(g_strcmp0(gst_structure_get_string(s, "label"), "unknown") == 0);
  gst_structure_free(s);
}
GST_END_TEST;

/* ---- The threshold ------------------------------------------------------------------------- */

GST_START_TEST(test_the_threshold_may_change_while_playing)
{
  double score;
  GstStructure *s;

  g_object_set(harness->element, "smoothing", 0.0, "threshold", 0.0f, NULL);
  s = result_of(grey);
  score = fixture_double(s, "unknown");
  check_label(s, "unknown");
  g_object_set(harness->element, "unknown-threshold", 0.0, NULL); /* off */
  s = result_of(grey);
  fail_unless(fixture_double(s, "unknown") == score);
  fail_unless_equals_string(fixture_string(s, "label"), fixture_string(s, "raw-label"));
  gst_structure_free(s);
  g_object_set(harness->element, "unknown-threshold", score, NULL); /* it is reached */
  check_label(result_of(grey), "unknown");
  g_object_set(harness->element, "unknown-threshold", (1 + score) / 2, NULL);
  s = result_of(grey);
  fail_unless_equals_string(fixture_string(s, "label"), fixture_string(s, "raw-label"));
  gst_structure_free(s);
  g_object_set(harness->element, "unknown-threshold", 0.9, NULL);
  check_label(result_of(grey), "unknown");
}
GST_END_TEST;

GST_START_TEST(test_the_default_is_95_percent)
{
  double threshold;

  g_object_get(harness->element, "unknown-threshold", &threshold, NULL);
  fail_unless(threshold == 0.95);
  g_object_set(harness->element, "smoothing", 0.0, "hysteresis", 0.0, NULL);
  check_label(reddish(KNOWN_BLUE), "red");
  check_label(reddish(UNKNOWN_BLUE), "unknown");
  check_label(reddish(KNOWN_BLUE), "red");
}
GST_END_TEST;

GST_START_TEST(test_the_model_may_change_while_playing)
{
  gboolean changed = FALSE;

  check_label(result_of(grey), "unknown");
  g_object_set(harness->element, "model", fixture_path("VITGATE_TEST_TAUGHT_CHANNELS"), NULL);
  while (!changed) {
    GstStructure *s = result_of(grey);

    changed = g_str_equal(fixture_string(s, "model-name"), "channels");
    fail_unless_equals_string(fixture_string(s, "label"), "unknown");
    fail_unless_equals_int(fixture_uint(s, "index"), changed ? 3 : N_CLASSES);
    gst_structure_free(s);
  }
  g_object_set(harness->element, "model", fixture_path("VITGATE_TEST_GATED_MODEL"), NULL);
  while (changed) {
    GstStructure *s = result_of(grey);

    changed = gst_structure_has_field(s, "unknown");
    gst_structure_free(s);
  }
}
GST_END_TEST;

/* ---- Time ---------------------------------------------------------------------------------- */

/* Returns: how often the label changes while frames are known and unknown in turn. */
static guint count_changes(void)
{
  g_autofree char *last = NULL;
  guint changes = 0;

  for (guint i = 0; i < 20; i++) {
    GstStructure *s = reddish(i % 2 ? UNKNOWN_BLUE : KNOWN_BLUE);

    changes += last && !g_str_equal(last, fixture_string(s, "label"));
    g_free(last);
    last = g_strdup(fixture_string(s, "label"));
    gst_structure_free(s);
  }
  return changes;
}

GST_START_TEST(test_a_score_that_flickers_is_averaged)
{
  fail_unless_equals_int(count_changes(), 0);
  fixture_flush(harness);
  now = 0;
  g_object_set(harness->element, "smoothing", 0.0, "hysteresis", 0.0, NULL);
  fail_unless_equals_int(count_changes(), 19);
}
GST_END_TEST;

GST_START_TEST(test_a_cut_is_known_or_unknown_at_once)
{
  for (guint i = 0; i < 5; i++)
    gst_structure_free(result_of(red));
  check_label(result_of(grey), "unknown");
  check_label(result_of(red), "red");
}
GST_END_TEST;

GST_START_TEST(test_a_frame_that_is_not_inferred_carries_the_last_score)
{
  GstStructure *s, *next;

  fixture_free(harness);
  start_with("VITGATE_TEST_TAUGHT_MODEL", 32, "temporal", "auto");
  s = result_of(grey);
  next = result_of(grey);
  fail_unless_equals_string(fixture_string(next, "state"), "unchanged");
  fail_unless(fixture_double(next, "unknown") == fixture_double(s, "unknown"));
  check_label(next, "unknown");
  g_object_set(harness->element, "inference-interval", 10, NULL);
  next = result_of(red);
  fail_unless_equals_string(fixture_string(next, "state"), "interval");
  fail_unless(fixture_double(next, "unknown") == fixture_double(s, "unknown"));
  check_label(next, "unknown");
  gst_structure_free(s);
}
GST_END_TEST;

/* ---- Views and regions --------------------------------------------------------------------- */

GST_START_TEST(test_a_frame_is_unknown_if_all_of_its_views_are)
{
  GstStructure *s;

  fixture_free(harness);
  start("VITGATE_TEST_TAUGHT_MODEL", 64);
  g_object_set(harness->element, "smoothing", 0.0, NULL);
  s = fixture_analyse(harness, halves(grey, red));
  fail_unless_equals_int(fixture_uint(s, "views"), 2);
  fail_unless(fixture_double(s, "unknown") < 0.05);
  check_label(s, "red");
  check_label(fixture_analyse(harness, halves(red, grey)), "red");
  s = fixture_analyse(harness, halves(grey, grey));
  fail_unless(fixture_double(s, "unknown") > 0.99);
  check_label(s, "unknown");
}
GST_END_TEST;

GST_START_TEST(test_each_region_has_a_score_of_its_own)
{
  GstBuffer *frame, *out;
  GstVideoRegionOfInterestMeta *roi;
  const GstStructure *known, *other;

  fixture_free(harness);
  start_with("VITGATE_TEST_TAUGHT_MODEL", 128, "inference-region", "roi-list");
  frame = halves(red, grey);
  regions_attach(frame, "car", 0, 0, 32, 32);
  roi = regions_attach(frame, "bus", 96, 0, 32, 32);
  fail_if(roi->params);
  out = fixture_process(harness, frame);
  known = regions_get(fixture_result(out), 0);
  other = regions_get(fixture_result(out), 1);
  fail_unless_equals_string(fixture_string(known, "label"), "red");
  fail_unless(fixture_double(known, "unknown") < 0.05);
  fail_unless_equals_string(fixture_string(other, "label"), "unknown");
  fail_unless_equals_int(fixture_uint(other, "index"), N_CLASSES);
  fail_unless(fixture_double(other, "unknown") > 0.99);
  fail_if(gst_structure_has_field(fixture_result(out), "unknown"));
  gst_buffer_unref(out);
}
GST_END_TEST;

/* ---- Thresholds of classes ----------------------------------------------------------------- */

/* Returns: (transfer full): the labels of a picture, in a word. */
static char *labels_of(Colour colour)
{
  GstStructure *s = result_of(colour);
  g_autoptr(GString) labels = g_string_new(NULL);

  for (guint i = 0; i < fixture_uint(s, "n-results"); i++)
    g_string_append_printf(labels, "%s%s", i ? " " : "", fixture_label(s, i));
  gst_structure_free(s);
  return g_strdup(labels->str);
}

static void check_labels(Colour colour, const char *expected)
{
  g_autofree char *labels = labels_of(colour);

  fail_unless_equals_string(labels, expected);
}

/* The thresholds are 0.25, 0.5 and 0.875; full colours have 0.78, missing ones 0.22. */
GST_START_TEST(test_each_class_has_the_threshold_of_the_model)
{
  static const Colour some_red = { 90, 10, 10 }, white = { 250, 250, 250 };

  fixture_free(harness);
  start("VITGATE_TEST_TAUGHT_CHANNELS", 32);
  g_object_set(harness->element, "smoothing", 0.0, "unknown-threshold", 0.0, NULL);
  check_labels(some_red, "red");
  check_labels(white, "red green");
  check_labels((Colour){ 10, 10, 250 }, "");
  g_object_set(harness->element, "top-k", 1, NULL);
  check_labels(white, "red");
  g_object_set(harness->element, "top-k", 0, "threshold", 0.5f, NULL);
  check_labels(some_red, "");
  check_labels(white, "red green blue");
  g_object_set(harness->element, "threshold", -1.0f, NULL);
  check_labels(some_red, "red");
}
GST_END_TEST;

GST_START_TEST(test_raw_classes_have_the_thresholds_of_the_model)
{
  GstStructure *s;

  fixture_free(harness);
  start("VITGATE_TEST_TAUGHT_CHANNELS", 32);
  s = result_of((Colour){ 250, 250, 250 });
  fail_unless_equals_int(gst_value_array_get_size(gst_structure_get_value(s, "raw-labels")), 2);
  gst_structure_free(s);
  s = result_of((Colour){ 10, 10, 250 });
  fail_if(gst_structure_has_field(s, "raw-label"));
  gst_structure_free(s);
}
GST_END_TEST;

GST_START_TEST(test_without_the_classes_a_picture_can_be_unknown)
{
  GstStructure *s;

  fixture_free(harness);
  start("VITGATE_TEST_TAUGHT_CHANNELS", 32);
  s = result_of((Colour){ 10, 10, 250 }); /* the model was taught with red pictures */
  fail_unless_equals_int(fixture_uint(s, "index"), 3);
  check_label(s, "unknown");
}
GST_END_TEST;

static Suite *unknown_suite(void)
{
  Suite *suite = suite_create("unknown");
  TCase *tcase = tcase_create("unknown");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_test(tcase, test_a_picture_of_a_class_has_its_label_and_a_low_score);
  tcase_add_test(tcase, test_another_picture_is_unknown);
  tcase_add_test(tcase, test_readers_of_regions_of_interest_find_it);
#ifdef HAVE_GST_ANALYTICS
  tcase_add_test(tcase, test_readers_of_analytics_find_it);
#endif
  tcase_add_test(tcase, test_messages_carry_it);
  tcase_add_test(tcase, test_lines_of_every_format_carry_it);
  tcase_add_test(tcase, test_a_model_without_a_score_has_none);
  tcase_add_test(tcase, test_the_threshold_may_change_while_playing);
  tcase_add_test(tcase, test_the_default_is_95_percent);
  tcase_add_test(tcase, test_the_model_may_change_while_playing);
  tcase_add_test(tcase, test_a_score_that_flickers_is_averaged);
  tcase_add_test(tcase, test_a_cut_is_known_or_unknown_at_once);
  tcase_add_test(tcase, test_a_frame_that_is_not_inferred_carries_the_last_score);
  tcase_add_test(tcase, test_a_frame_is_unknown_if_all_of_its_views_are);
  tcase_add_test(tcase, test_each_region_has_a_score_of_its_own);
  tcase_add_test(tcase, test_each_class_has_the_threshold_of_the_model);
  tcase_add_test(tcase, test_raw_classes_have_the_thresholds_of_the_model);
  tcase_add_test(tcase, test_without_the_classes_a_picture_can_be_unknown);
  return suite;
}

GST_CHECK_MAIN(unknown);
