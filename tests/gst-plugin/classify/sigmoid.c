/* sigmoid.c: a model whose classes have probabilities of their own. It has five classes of red,
 * three of green and two of blue; a picture of one colour shows those of its channels. */
#include "fixture.h"

#define N_CLASSES 10

static GstHarness *harness;
static GstVideoInfo info;

static void setup(void)
{
  GstElement *element = fixture_make("vitgate");

  g_object_set(element, "model", fixture_path("VITGATE_TEST_SIGMOID_MODEL"), NULL);
  harness = fixture_harness(element);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 32, 32, &info);
}

static void teardown(void)
{
  fixture_free(harness);
}

/* Returns: (transfer full): a frame of one colour. */
static GstBuffer *colour(guint8 red, guint8 green, guint8 blue)
{
  const guint8 pixel[] = { red, green, blue };
  GstBuffer *frame = fixture_grey(&info, 0, 0);
  GstMapInfo map;

  fail_unless(gst_buffer_map(frame, &map, GST_MAP_WRITE));
  for (gsize i = 0; i < map.size; i++)
    map.data[i] = pixel[i % 3];
  gst_buffer_unmap(frame, &map);
  return frame;
}

static guint count_classes(guint8 red, guint8 green, guint8 blue)
{
  GstStructure *s = fixture_analyse(harness, colour(red, green, blue));
  const guint n = fixture_uint(s, "n-results");

  fail_unless_equals_int(gst_value_array_get_size(gst_structure_get_value(s, "labels")), n);
  fail_unless_equals_string(fixture_string(s, "activation"), "sigmoid");
  for (guint i = 0; i < n; i++)
    fail_unless(fixture_score(s, i) >= 0.5);
  gst_structure_free(s);
  return n;
}

GST_START_TEST(test_all_classes_from_a_half_on_are_attached)
{
  fail_unless_equals_int(count_classes(250, 10, 10), 5);
  fail_unless_equals_int(count_classes(10, 250, 250), 5);
  fail_unless_equals_int(count_classes(250, 250, 10), 8);
  fail_unless_equals_int(count_classes(250, 250, 250), N_CLASSES);
  fail_unless_equals_int(count_classes(10, 10, 10), 0);
}
GST_END_TEST;

GST_START_TEST(test_threshold_and_top_k_still_apply)
{
  GstStructure *s;

  g_object_set(harness->element, "top-k", 3, NULL);
  fail_unless_equals_int(count_classes(250, 250, 10), 3);
  g_object_set(harness->element, "top-k", 0, "threshold", 0.0f, NULL);
  s = fixture_analyse(harness, colour(10, 10, 10));
  fail_unless_equals_int(fixture_uint(s, "n-results"), N_CLASSES);
  gst_structure_free(s);
}
GST_END_TEST;

GST_START_TEST(test_readers_of_regions_find_the_best_class)
{
  GstBuffer *out = fixture_process(harness, colour(250, 250, 250));
  GstVideoRegionOfInterestMeta *roi = (GstVideoRegionOfInterestMeta *)gst_buffer_get_meta(
      out, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
  const GstStructure *parameter;

  fail_unless(roi);
  parameter = gst_video_region_of_interest_meta_get_param(roi, "classification_layer_name:logits");
  fail_unless(parameter);
  fail_unless_equals_string(fixture_string(parameter, "label"),
                            fixture_string(fixture_result(out), "label"));
  gst_buffer_unref(out);
}
GST_END_TEST;

static Suite *sigmoid_suite(void)
{
  Suite *suite = suite_create("sigmoid");
  TCase *tcase = tcase_create("sigmoid");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_test(tcase, test_all_classes_from_a_half_on_are_attached);
  tcase_add_test(tcase, test_threshold_and_top_k_still_apply);
  tcase_add_test(tcase, test_readers_of_regions_find_the_best_class);
  return suite;
}

GST_CHECK_MAIN(sigmoid);
