/* overlay-tokens.c: how many modules ran for each patch, as vitgateoverlay draws it. */
#include "attached.h"
#include "common/orientation.h"
#include "overlay-fixture.h"

#define WIDTH  160
#define HEIGHT 120
#define GROUND 200

/* Attaches a map of 2 x 2 patches.
 * @counts: modules that ran, from the upper left of the frame as stored */
static void attach_counts(GstStructure *s, gint x, gint y, guint width, guint height,
                          const char *counts)
{
  GstStructure *map =
      gst_structure_new("token-map", "x", G_TYPE_INT, x, "y", G_TYPE_INT, y, "width", G_TYPE_UINT,
                        width, "height", G_TYPE_UINT, height, "columns", G_TYPE_UINT, 2,
                        "n-modules", G_TYPE_UINT, 6, "counts", G_TYPE_STRING, counts, NULL);
  GValue maps = G_VALUE_INIT, item = G_VALUE_INIT;

  gst_value_array_init(&maps, 1);
  g_value_init(&item, GST_TYPE_STRUCTURE);
  g_value_take_boxed(&item, map);
  gst_value_array_append_and_take_value(&maps, &item);
  gst_structure_take_value(s, "token-maps", &maps);
}

/* 4, 4, 2 and 0 modules ran. */
static void attach_map(GstStructure *s, gint x, gint y, guint width, guint height)
{
  attach_counts(s, x, y, width, height, "04040200");
}

/* Draws on a plain frame with such a map and nothing else to show. */
static GstBuffer *draw_map(gint x, gint y, guint width, guint height)
{
  GstBuffer *frame;

  overlay_set_caps(GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT);
  frame = overlay_plain_frame(GROUND);
  attach_map(attached_result(frame), x, y, width, height);
  return fixture_process(overlay_harness, frame);
}

static void check_level(GstBuffer *frame, gint x, gint y, guint low, guint high)
{
  guint darkest, brightest;

  overlay_range(frame, &(OverlayRectangle){ x, y, 2, 2 }, &darkest, &brightest);
  fail_unless(darkest >= low && brightest <= high, "at %d, %d: %u to %u, expected %u to %u", x, y,
              darkest, brightest, low, high);
}

/* Fails unless the quarters of a place are as bright as attach_map() says. */
static void check_quarters(GstBuffer *frame, gint x, gint y, gint width, gint height)
{
  check_level(frame, x + width / 4, y + height / 4, GROUND, GROUND);
  check_level(frame, x + 3 * width / 4, y + height / 4, GROUND, GROUND);
  check_level(frame, x + width / 4, y + 3 * height / 4, GROUND / 2, GROUND * 3 / 4);
  check_level(frame, x + 3 * width / 4, y + 3 * height / 4, GROUND / 8, GROUND * 3 / 8);
}

GST_START_TEST(test_patches_are_the_darker_the_fewer_modules_ran)
{
  GstBuffer *out;

  /* The map lies as the frame is stored, however the text is turned. */
  g_object_set(overlay_harness->element, "show-tokens", TRUE, "orientation", __i__, NULL);
  out = draw_map(40, 20, 80, 80);
  check_quarters(out, 40, 20, 80, 80);
  check_level(out, 36, 90, GROUND, GROUND);
  check_level(out, 110, 102, GROUND, GROUND);
  gst_buffer_unref(out);
}
GST_END_TEST;

GST_START_TEST(test_a_map_that_reaches_beyond_the_frame)
{
  GstBuffer *out;

  g_object_set(overlay_harness->element, "show-tokens", TRUE, NULL);
  out = draw_map(0, -20, 160, 160); /* a frame of 4:3 in a letterbox */
  check_quarters(out, 0, -20, 160, 160);
  gst_buffer_unref(out);
  out = draw_map(WIDTH, 0, 40, 40);
  check_level(out, WIDTH - 2, 20, GROUND, GROUND);
  gst_buffer_unref(out);
  out = draw_map(-60000, -60000, 65534, 65534); /* its last quarter covers the frame's corner */
  check_level(out, 10, 10, GROUND / 8, GROUND * 3 / 8);
  gst_buffer_unref(out);
}
GST_END_TEST;

GST_START_TEST(test_maps_that_overlap_are_not_drawn_twice)
{
  const GValue *maps;
  GValue both = G_VALUE_INIT;
  GstBuffer *frame, *out;
  GstStructure *s;

  g_object_set(overlay_harness->element, "show-tokens", TRUE, NULL);
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT);
  frame = overlay_plain_frame(GROUND);
  s = attached_result(frame);
  attach_map(s, 0, 0, 120, 120);
  maps = gst_structure_get_value(s, "token-maps");
  g_value_init(&both, GST_TYPE_ARRAY);
  g_value_copy(maps, &both);
  attach_map(s, 40, 0, 120, 120);
  gst_value_array_append_value(
      &both, gst_value_array_get_value(gst_structure_get_value(s, "token-maps"), 0));
  gst_structure_take_value(s, "token-maps", &both);
  out = fixture_process(overlay_harness, frame);
  check_quarters(out, 0, 0, 120, 120);
  check_level(out, 140, 90, GROUND / 8, GROUND * 3 / 8);
  gst_buffer_unref(out);
}
GST_END_TEST;

/* A square of the frame that did not change, beside one that did. */
GST_START_TEST(test_patches_are_dark_if_nothing_ran)
{
  GstBuffer *frame, *out;

  g_object_set(overlay_harness->element, "show-tokens", TRUE, NULL);
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT);
  frame = overlay_plain_frame(GROUND);
  attach_counts(attached_result(frame), 0, 0, 80, 80, "00000000");
  out = fixture_process(overlay_harness, frame);
  check_level(out, 20, 20, GROUND / 8, GROUND * 3 / 8);
  check_level(out, 60, 60, GROUND / 8, GROUND * 3 / 8);
  check_level(out, 120, 100, GROUND, GROUND);
  gst_buffer_unref(out);
  frame = overlay_plain_frame(GROUND);
  attach_counts(attached_result(frame), 0, 0, 80, 80, "06060606");
  out = fixture_process(overlay_harness, frame);
  check_level(out, 20, 20, GROUND, GROUND);
  gst_buffer_unref(out);
}
GST_END_TEST;

GST_START_TEST(test_nothing_is_drawn_without_the_property)
{
  GstBuffer *out = draw_map(0, 0, WIDTH, HEIGHT);

  check_level(out, 3 * WIDTH / 4, 3 * HEIGHT / 4, GROUND, GROUND);
  gst_buffer_unref(out);
}
GST_END_TEST;

GST_START_TEST(test_the_same_map_is_painted_once)
{
  guint64 painted = 0;

  g_object_set(overlay_harness->element, "show-tokens", TRUE, NULL);
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT);
  for (guint i = 0; i < 5; i++) {
    GstBuffer *frame = overlay_plain_frame(GROUND);

    attach_map(attached_result(frame), 0, 0, WIDTH, HEIGHT);
    gst_buffer_unref(fixture_process(overlay_harness, frame));
    fail_unless(i == 0 || overlay_stat("painted") == painted);
    painted = overlay_stat("painted");
  }
}
GST_END_TEST;

static Suite *overlay_tokens_suite(void)
{
  Suite *suite = suite_create("overlay-tokens");
  TCase *tests = tcase_create("general");

  tcase_add_checked_fixture(tests, overlay_setup, overlay_teardown);
  tcase_add_loop_test(tests, test_patches_are_the_darker_the_fewer_modules_ran, 0, 8);
  tcase_add_test(tests, test_patches_are_dark_if_nothing_ran);
  tcase_add_test(tests, test_a_map_that_reaches_beyond_the_frame);
  tcase_add_test(tests, test_maps_that_overlap_are_not_drawn_twice);
  tcase_add_test(tests, test_nothing_is_drawn_without_the_property);
  tcase_add_test(tests, test_the_same_map_is_painted_once);
  suite_add_tcase(suite, tests);
  return suite;
}

GST_CHECK_MAIN(overlay_tokens);
