/* overlay-looks.c: results of named parts of a frame are drawn where they belong. */
#include "attached.h"
#include "overlay-fixture.h"

static void setup(void)
{
  overlay_setup();
  overlay_attach();
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 640, 480);
}

static void attach_look(GstBuffer *frame, const char *look, guint x, guint y, guint width,
                        guint height)
{
  GstStructure *s = attached_result(frame);

  overlay_set_result(s, "cat", 0.5, 0);
  gst_structure_set(s, "x", G_TYPE_UINT, x, "y", G_TYPE_UINT, y, "width", G_TYPE_UINT, width,
                    "height", G_TYPE_UINT, height, NULL);
  if (look)
    gst_structure_set(s, "look", G_TYPE_STRING, look, NULL);
}

/* Draws @frame (transfer full).
 * Returns: (transfer full): as overlay_rectangles() */
static GArray *draw(GstBuffer *frame)
{
  GstBuffer *out = fixture_process(overlay_harness, frame);
  GArray *rectangles = overlay_rectangles(out);

  gst_buffer_unref(out);
  return rectangles;
}

GST_START_TEST(test_a_named_part_has_its_label_at_its_edges)
{
  g_autoptr(GArray) rectangles = NULL;
  GstBuffer *frame = overlay_plain_frame(0);

  attach_look(frame, "gate", 300, 200, 200, 150);
  rectangles = draw(frame);
  fail_unless_equals_int(rectangles->len, 4 + 4 + 1);
  fail_unless(overlay_within(rectangles, 310, 195), "the tag is not above the part");
  fail_if(overlay_within(rectangles, 20, 20), "the result is in the corner too");
}
GST_END_TEST;

GST_START_TEST(test_a_name_for_the_whole_frame_is_a_line)
{
  g_autoptr(GArray) unnamed = NULL, named = NULL;
  GstBuffer *frame = overlay_plain_frame(0);

  attach_look(frame, NULL, 0, 0, 640, 480);
  unnamed = draw(frame);
  frame = overlay_plain_frame(0);
  attach_look(frame, "yard", 0, 0, 640, 480);
  named = draw(frame);
  fail_unless_equals_int(named->len, unnamed->len + 1);
}
GST_END_TEST;

static gboolean overlap(const OverlayRectangle *a, const OverlayRectangle *b)
{
  return a->x < b->x + b->width && b->x < a->x + a->width && a->y < b->y + b->height &&
         b->y < a->y + a->height;
}

GST_START_TEST(test_several_looks_do_not_cover_each_other)
{
  enum { N = 5, EDGES = 8 };
  g_autoptr(GArray) rectangles = NULL;
  GstBuffer *frame = overlay_plain_frame(0);

  attach_look(frame, NULL, 0, 0, 640, 480);
  for (guint i = 0; i < N; i++)
    attach_look(frame, "gate", 300 + 2 * i, 200 + 4 * i, 200, 150);
  rectangles = draw(frame);
  fail_unless_equals_int(rectangles->len, N * (EDGES + 1) + 3);
  for (guint i = 0; i < N; i++)
    for (guint j = 0; j < i; j++)
      fail_if(overlap(&g_array_index(rectangles, OverlayRectangle, i * (EDGES + 1) + EDGES),
                      &g_array_index(rectangles, OverlayRectangle, j * (EDGES + 1) + EDGES)),
              "tags %u and %u", i, j);
}
GST_END_TEST;

static Suite *overlay_looks_suite(void)
{
  Suite *suite = suite_create("overlay-looks");
  TCase *tcase = tcase_create("overlay-looks");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, setup, overlay_teardown);
  tcase_add_test(tcase, test_a_named_part_has_its_label_at_its_edges);
  tcase_add_test(tcase, test_a_name_for_the_whole_frame_is_a_line);
  tcase_add_test(tcase, test_several_looks_do_not_cover_each_other);
  return suite;
}

GST_CHECK_MAIN(overlay_looks);
