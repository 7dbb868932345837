/* orientation.c: tags and properties say how frames are turned, and where things lie then. */
#include "common/orientation.h"

#include <gst/check/gstcheck.h>

static GstVitgateOrientationTags tags;

static void read_tag(GstTagScope scope, const char *tag, const char *value)
{
  GstTagList *list = gst_tag_list_new(tag, value, NULL);
  GstEvent *event;

  gst_tag_list_set_scope(list, scope);
  event = gst_event_new_tag(list);
  gst_vitgate_orientation_tags_read(&tags, event);
  gst_event_unref(event);
}

static void start_stream(guint group)
{
  GstEvent *event = gst_event_new_stream_start("stream");

  if (group)
    gst_event_set_group_id(event, group);
  gst_vitgate_orientation_tags_read(&tags, event);
  gst_event_unref(event);
}

static void check(VitgateOrientation expected)
{
  fail_unless_equals_int(gst_vitgate_orientation_choose(&tags, GST_VITGATE_ORIENTATION_AUTO),
                         expected);
}

static void setup(void)
{
  tags = (GstVitgateOrientationTags){ 0 };
}

GST_START_TEST(test_without_a_tag_frames_are_upright)
{
  check(VITGATE_ORIENTATION_IDENTITY);
  start_stream(1);
  read_tag(GST_TAG_SCOPE_STREAM, GST_TAG_TITLE, "rotate-90");
  read_tag(GST_TAG_SCOPE_STREAM, GST_TAG_IMAGE_ORIENTATION, "upside-down");
  check(VITGATE_ORIENTATION_IDENTITY);
}
GST_END_TEST;

GST_START_TEST(test_the_last_tag_counts_until_it_is_replaced)
{
  start_stream(1);
  read_tag(GST_TAG_SCOPE_STREAM, GST_TAG_IMAGE_ORIENTATION, "rotate-90");
  check(VITGATE_ORIENTATION_90R);
  read_tag(GST_TAG_SCOPE_STREAM, GST_TAG_CODEC, "H.264"); /* says nothing about orientation */
  check(VITGATE_ORIENTATION_90R);
  read_tag(GST_TAG_SCOPE_STREAM, GST_TAG_IMAGE_ORIENTATION, "rotate-0");
  check(VITGATE_ORIENTATION_IDENTITY);
}
GST_END_TEST;

GST_START_TEST(test_the_streams_tag_wins_over_the_containers)
{
  start_stream(1);
  read_tag(GST_TAG_SCOPE_GLOBAL, GST_TAG_IMAGE_ORIENTATION, "rotate-180");
  check(VITGATE_ORIENTATION_180);
  read_tag(GST_TAG_SCOPE_STREAM, GST_TAG_IMAGE_ORIENTATION, "rotate-270");
  check(VITGATE_ORIENTATION_90L);
  read_tag(GST_TAG_SCOPE_GLOBAL, GST_TAG_IMAGE_ORIENTATION, "flip-rotate-0");
  check(VITGATE_ORIENTATION_90L);
}
GST_END_TEST;

GST_START_TEST(test_a_new_stream_ends_tags)
{
  start_stream(1);
  read_tag(GST_TAG_SCOPE_GLOBAL, GST_TAG_IMAGE_ORIENTATION, "rotate-180");
  read_tag(GST_TAG_SCOPE_STREAM, GST_TAG_IMAGE_ORIENTATION, "rotate-270");
  start_stream(1); /* another stream of the same container */
  check(VITGATE_ORIENTATION_180);
  start_stream(2);
  check(VITGATE_ORIENTATION_IDENTITY);
  read_tag(GST_TAG_SCOPE_GLOBAL, GST_TAG_IMAGE_ORIENTATION, "rotate-180");
  start_stream(0); /* nobody knows to what it belongs */
  check(VITGATE_ORIENTATION_IDENTITY);
}
GST_END_TEST;

GST_START_TEST(test_a_property_wins_over_tags)
{
  read_tag(GST_TAG_SCOPE_STREAM, GST_TAG_IMAGE_ORIENTATION, "rotate-90");
  for (gint i = VITGATE_ORIENTATION_IDENTITY; i <= VITGATE_ORIENTATION_UR_LL; i++)
    fail_unless_equals_int(gst_vitgate_orientation_choose(&tags, i), i);
}
GST_END_TEST;

/* In a stored frame of 10x6 pixels, the rectangle of 3x2 pixels at 1, 4, by hand. */
static const gint upright[][4] = {
  [VITGATE_ORIENTATION_IDENTITY] = { 1, 4, 3, 2 }, [VITGATE_ORIENTATION_90R] = { 0, 1, 2, 3 },
  [VITGATE_ORIENTATION_180] = { 6, 0, 3, 2 },      [VITGATE_ORIENTATION_90L] = { 4, 6, 2, 3 },
  [VITGATE_ORIENTATION_HORIZ] = { 6, 4, 3, 2 },    [VITGATE_ORIENTATION_VERT] = { 1, 0, 3, 2 },
  [VITGATE_ORIENTATION_UL_LR] = { 4, 1, 2, 3 },    [VITGATE_ORIENTATION_UR_LL] = { 0, 6, 2, 3 },
};

static void check_place(gint orientation, const gint found[4], const gint expected[4])
{
  for (guint i = 0; i < 4; i++)
    fail_unless(found[i] == expected[i], "orientation %d: %d,%d %dx%d, not %d,%d %dx%d",
                orientation, found[0], found[1], found[2], found[3], expected[0], expected[1],
                expected[2], expected[3]);
}

GST_START_TEST(test_places_are_turned_both_ways)
{
  static const gint stored[4] = { 1, 4, 3, 2 };
  gint at[4] = { 1, 4, 3, 2 };

  gst_vitgate_orientation_to_upright(__i__, 10, 6, &at[0], &at[1], &at[2], &at[3]);
  check_place(__i__, at, upright[__i__]);
  gst_vitgate_orientation_to_stored(__i__, 10, 6, &at[0], &at[1], &at[2], &at[3]);
  check_place(__i__, at, stored);
  fail_unless_equals_int(gst_vitgate_orientation_is_lying(__i__), upright[__i__][2] == 2);
}
GST_END_TEST;

static Suite *orientation_suite(void)
{
  Suite *suite = suite_create("orientation");
  TCase *tcase = tcase_create("orientation");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, setup, NULL);
  tcase_add_test(tcase, test_without_a_tag_frames_are_upright);
  tcase_add_test(tcase, test_the_last_tag_counts_until_it_is_replaced);
  tcase_add_test(tcase, test_the_streams_tag_wins_over_the_containers);
  tcase_add_test(tcase, test_a_new_stream_ends_tags);
  tcase_add_test(tcase, test_a_property_wins_over_tags);
  tcase_add_loop_test(tcase, test_places_are_turned_both_ways, 0, G_N_ELEMENTS(upright));
  return suite;
}

GST_CHECK_MAIN(orientation);
