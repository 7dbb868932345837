/* overlay-lines.c: lines can be read and hidden, and stand where they belong. */
#include "attached.h"
#include "overlay/overlay-fixture.h"

/* Draws a result of @time and counts what was painted for it. */
static guint64 painted_at(GstClockTime time, const char *label, double score)
{
  const guint64 before = overlay_stat("painted");
  GstBuffer *frame = overlay_plain_frame(0);

  GST_BUFFER_PTS(frame) = time;
  gst_buffer_unref(overlay_draw(frame, label, score, 0));
  return overlay_stat("painted") - before;
}

GST_START_TEST(test_numbers_change_at_most_twice_a_second)
{
  const guint n_frames = 50;
  guint64 n_changes = 0;

  g_object_set(overlay_harness->element, "show-rate", FALSE, NULL);
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 320, 240);
  painted_at(0, "cat", 0.1);
  for (guint i = 1; i < n_frames; i++)
    n_changes += painted_at(i * 40 * GST_MSECOND, "cat", 0.1 + i * 0.01);
  fail_unless_equals_uint64(n_changes, 3); /* in 2 s; the first frame made it four */
  fail_unless_equals_uint64(painted_at(n_frames * 40 * GST_MSECOND - 1, "dog", 0.9), 1);
  fixture_flush(overlay_harness);
  fail_unless_equals_uint64(painted_at(n_frames * 40 * GST_MSECOND, "dog", 0.7), 1);
}
GST_END_TEST;

/* Returns: the number of lines of a result with a label, a compute ratio and an age. */
static guint count_lines(void)
{
  g_autoptr(GArray) rectangles = overlay_rectangles_of("cat");

  return rectangles->len;
}

GST_START_TEST(test_bar_state_and_rate_can_be_hidden)
{
  overlay_attach();
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 640, 480);
  fail_unless_equals_int(count_lines(), 3);
  g_object_set(overlay_harness->element, "show-bar", FALSE, NULL);
  fail_unless_equals_int(count_lines(), 2);
  g_object_set(overlay_harness->element, "show-state", FALSE, "show-rate", FALSE, NULL);
  fail_unless_equals_int(count_lines(), 1);
  g_object_set(overlay_harness->element, "show-bar", TRUE, NULL);
  fail_unless_equals_int(count_lines(), 2);
}
GST_END_TEST;

GST_START_TEST(test_lines_are_equally_wide)
{
  static const char *labels[] = { "cat", "cellular telephone, cellular phone, cellphone" };

  overlay_attach();
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 640, 480);
  for (guint i = 0; i < G_N_ELEMENTS(labels); i++) {
    g_autoptr(GArray) rectangles = overlay_rectangles_of(labels[i]);

    for (guint j = 1; j < rectangles->len; j++)
      fail_unless_equals_int(g_array_index(rectangles, OverlayRectangle, j).width,
                             g_array_index(rectangles, OverlayRectangle, 0).width);
  }
}
GST_END_TEST;

/* Returns: the number of lines drawn for a result with these classes. */
static guint count_lines_of(const AttachedClass *classes, guint n, gboolean sigmoid)
{
  GstBuffer *frame = overlay_plain_frame(0), *out;
  GstStructure *s = attached_result(frame);
  g_autoptr(GArray) rectangles = NULL;

  attached_classes(s, classes, n);
  gst_structure_set(s, "compute-ratio", G_TYPE_DOUBLE, 0.4, NULL);
  if (sigmoid)
    gst_structure_set(s, "activation", G_TYPE_STRING, "sigmoid", NULL);
  out = fixture_process(overlay_harness, frame);
  rectangles = overlay_rectangles(out);
  gst_buffer_unref(out);
  return rectangles->len;
}

GST_START_TEST(test_a_frame_without_a_label_is_unsure)
{
  overlay_attach();
  g_object_set(overlay_harness->element, "show-rate", FALSE, NULL);
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 640, 480);
  fail_unless_equals_int(count_lines_of(NULL, 0, FALSE), 2);
  fixture_flush(overlay_harness);
  fail_unless_equals_int(count_lines_of(NULL, 0, TRUE), 1); /* there is nothing; that is sure */
}
GST_END_TEST;

GST_START_TEST(test_a_frame_of_none_of_the_classes_has_its_label)
{
  static const AttachedClass none = { "unknown", 3, 0.97 };

  overlay_attach();
  g_object_set(overlay_harness->element, "show-rate", FALSE, NULL);
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 640, 480);
  for (guint sigmoid = 0; sigmoid < 2; sigmoid++) {
    fail_unless_equals_int(count_lines_of(&none, 1, sigmoid), 2);
    fixture_flush(overlay_harness);
  }
}
GST_END_TEST;

/* A region is covered by its edge, which begins and ends at even pixels. */
GST_START_TEST(test_edges_enclose_regions_at_odd_places)
{
  GstBuffer *frame, *out;
  g_autoptr(GArray) rectangles = NULL;
  gint left = G_MAXINT, right = 0, top = G_MAXINT, bottom = 0;

  overlay_attach();
  g_object_set(overlay_harness->element, "show-rate", FALSE, NULL);
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 640, 480);
  frame = overlay_plain_frame(0);
  attached_regions(attached_result(frame), attached_region(101, 203, 50, 61, 1, NULL), NULL);
  out = fixture_process(overlay_harness, frame);
  rectangles = overlay_rectangles(out);
  for (guint i = 0; i < rectangles->len; i++) {
    const OverlayRectangle *r = &g_array_index(rectangles, OverlayRectangle, i);

    /* Otherwise they would share chroma samples, and lose their color on one side. */
    fail_if((r->x | r->y | r->width | r->height) & 1, "%d,%d, %d x %d", r->x, r->y, r->width,
            r->height);
    left = MIN(left, r->x);
    right = MAX(right, r->x + r->width);
    top = MIN(top, r->y);
    bottom = MAX(bottom, r->y + r->height);
  }
  fail_unless(left == 100 && right == 152 && top == 202 && bottom == 264, "%d to %d, %d to %d",
              left, right, top, bottom);
  gst_buffer_unref(out);
}
GST_END_TEST;

static Suite *overlay_lines_suite(void)
{
  Suite *suite = suite_create("overlay-lines");
  TCase *tcase = tcase_create("lines");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, overlay_setup, overlay_teardown);
  tcase_add_test(tcase, test_numbers_change_at_most_twice_a_second);
  tcase_add_test(tcase, test_bar_state_and_rate_can_be_hidden);
  tcase_add_test(tcase, test_lines_are_equally_wide);
  tcase_add_test(tcase, test_a_frame_without_a_label_is_unsure);
  tcase_add_test(tcase, test_a_frame_of_none_of_the_classes_has_its_label);
  tcase_add_test(tcase, test_edges_enclose_regions_at_odd_places);
  return suite;
}

GST_CHECK_MAIN(overlay_lines)
