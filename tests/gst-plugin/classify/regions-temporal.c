/* regions-temporal.c: of a tracked region, only what changed is computed. */
#include "regions-fixture.h"

/* Of the test model's input. */
enum { N_PATCHES = 16 };

static void play(const char *temporal)
{
  GstElement *element = regions_element();

  gst_util_set_object_arg(G_OBJECT(element), "temporal", temporal);
  regions_use(element, GST_VIDEO_FORMAT_NV12);
}

static void setup(void)
{
  play("on");
}

/* Returns: (transfer full): the result on a grey frame with @ids, from left to right, and a square
 * of
 * @level in the upper left corner of the first one's region. */
static GstStructure *analyse(const gint *ids, guint n, guint8 level, gint x)
{
  GstBuffer *frame = fixture_grey(&regions_info, 100, 0);
  const gint stride = GST_VIDEO_INFO_PLANE_STRIDE(&regions_info, 0);
  GstMapInfo map;

  fail_unless(gst_buffer_map(frame, &map, GST_MAP_WRITE));
  for (guint y = 10; y < 16; y++)
    memset(map.data + y * stride + 10, level, 6);
  gst_buffer_unmap(frame, &map);
  for (guint i = 0; i < n; i++)
    regions_attach_tracked(frame, x + 30 * (gint)i, ids[i]);
  return fixture_analyse(regions_harness, frame);
}

static void check_pass(const GstStructure *s, guint i, const char *pass, guint patches)
{
  const GstStructure *region = regions_get(s, i);

  regions_check_state(region, "fresh");
  ck_assert_str_eq(fixture_string(region, "pass"), pass);
  ck_assert_uint_eq(fixture_uint(region, "patches"), patches);
}

GST_START_TEST(test_a_tracked_region_is_updated)
{
  static const gint ids[] = { 5, 0 };
  GstStructure *s = analyse(ids, 2, 200, 10);

  check_pass(s, 0, "full", N_PATCHES);
  fail_if(gst_structure_has_field(regions_get(s, 1), "pass")); /* no id */
  gst_structure_free(s);
  s = analyse(ids, 2, 200, 10);
  regions_check_state(regions_get(s, 0), "unchanged");
  ck_assert_uint_eq(fixture_uint64(regions_get(s, 0), "age"), 1);
  regions_check_state(regions_get(s, 1), "fresh");
  gst_structure_free(s);
  s = analyse(ids, 2, 150, 10);
  check_pass(s, 0, "updated", 4);
  gst_structure_free(s);
}
GST_END_TEST;

/* By less than a sixteenth of its side. */
GST_START_TEST(test_a_trembling_box_shows_the_same_part)
{
  static const gint id = 5;
  GstStructure *s;

  gst_structure_free(analyse(&id, 1, 200, 10));
  s = analyse(&id, 1, 200, 11);
  regions_check_state(regions_get(s, 0), "unchanged");
  ck_assert_uint_eq(fixture_uint(regions_get(s, 0), "x"), 11);
  gst_structure_free(s);
  s = analyse(&id, 1, 200, 15);
  regions_check_state(regions_get(s, 0), "fresh");
  gst_structure_free(s);
}
GST_END_TEST;

/* Forty objects pass, two at a time; then the first ones return. */
GST_START_TEST(test_memory_is_bounded)
{
  for (gint i = 0; i < 40; i++) {
    const gint ids[] = { 1 + 2 * i, 2 + 2 * i };
    GstStructure *s = analyse(ids, 2, 200, 10);

    check_pass(s, 0, "full", N_PATCHES);
    check_pass(s, 1, "full", N_PATCHES);
    gst_structure_free(s);
  }
  for (gint i = 0; i < 2; i++) {
    const gint ids[] = { 1, 2 };
    GstStructure *s = analyse(ids, 2, 200, 10);

    if (i == 0)
      check_pass(s, 0, "full", N_PATCHES);
    else
      regions_check_state(regions_get(s, 0), "unchanged");
    gst_structure_free(s);
  }
}
GST_END_TEST;

GST_START_TEST(test_more_regions_than_streams_are_all_classified)
{
  gint ids[20];

  for (gint i = 0; i < 20; i++)
    ids[i] = i + 1;
  for (guint turn = 0; turn < 2; turn++) {
    GstBuffer *frame = fixture_grey(&regions_info, 100, 0);
    GstStructure *s;

    for (gint i = 0; i < 20; i++)
      regions_attach(frame, "car", 3 * i, 10, 30, 30)->id = ids[i];
    s = fixture_analyse(regions_harness, frame);
    ck_assert_uint_eq(regions_count(s), 20);
    regions_check_state(regions_get(s, 0), turn ? "unchanged" : "fresh");
    regions_check_state(regions_get(s, 19), "fresh");
    gst_structure_free(s);
  }
}
GST_END_TEST;

GST_START_TEST(test_auto_follows_no_regions)
{
  static const gint id = 5;

  regions_teardown();
  play("auto");
  for (guint i = 0; i < 5; i++) {
    GstStructure *s = analyse(&id, 1, 200, 10);

    regions_check_state(regions_get(s, 0), "fresh");
    fail_if(gst_structure_has_field(regions_get(s, 0), "pass"));
    gst_structure_free(s);
  }
}
GST_END_TEST;

static Suite *regions_temporal_suite(void)
{
  Suite *suite = suite_create("regions-temporal");
  TCase *tcase = tcase_create("regions-temporal");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, setup, regions_teardown);
  tcase_add_test(tcase, test_a_tracked_region_is_updated);
  tcase_add_test(tcase, test_a_trembling_box_shows_the_same_part);
  tcase_add_test(tcase, test_memory_is_bounded);
  tcase_add_test(tcase, test_more_regions_than_streams_are_all_classified);
  tcase_add_test(tcase, test_auto_follows_no_regions);
  return suite;
}

GST_CHECK_MAIN(regions_temporal);
