/* overlay-turned.c: the drawing is upright once the frame is. */
#include "attached.h"
#include "common/orientation.h"
#include "overlay-fixture.h"

#define WIDTH  320
#define HEIGHT 240

static const char *nicks[] = { "identity", "90r", "180", "90l", "horiz", "vert", "ul-lr", "ur-ll" };

/* Returns: (transfer full): a frame with a label and a region at @x, @y in its own coordinates. */
static GstBuffer *draw(gint width, gint height, gint x, gint y, gint w, gint h)
{
  GstBuffer *frame;

  overlay_set_caps(GST_VIDEO_FORMAT_RGB, width, height);
  frame = overlay_plain_frame(100);
  overlay_set_result(attached_result(frame), "cat", 0.5, 0);
  attached_regions(attached_result(frame), attached_region(x, y, w, h, 7, "a dog"), NULL);
  return fixture_process(overlay_harness, frame);
}

static void push_tag(const char *value)
{
  GstTagList *list = gst_tag_list_new(GST_TAG_IMAGE_ORIENTATION, value, NULL);

  fail_unless(gst_harness_push_event(overlay_harness, gst_event_new_tag(list)));
}

/* Fails unless @stored (transfer full), turned upright, shows what @upright (transfer full) does.
 */
static void check_turned(GstBuffer *stored, GstBuffer *upright, VitgateOrientation orientation)
{
  const gboolean lying = gst_vitgate_orientation_is_lying(orientation);
  const gint width = lying ? HEIGHT : WIDTH, height = lying ? WIDTH : HEIGHT;
  GstMapInfo a, b;
  guint drawn = 0;

  fail_unless(gst_buffer_map(stored, &a, GST_MAP_READ));
  fail_unless(gst_buffer_map(upright, &b, GST_MAP_READ));
  for (gint i = 0; i < WIDTH * HEIGHT; i++) {
    gint x = i % WIDTH, y = i / WIDTH, w = 1, h = 1;

    gst_vitgate_orientation_to_stored(orientation, width, height, &x, &y, &w, &h);
    fail_unless(a.data[3 * (y * width + x)] == b.data[3 * i], "orientation %d: pixel %d, %d",
                orientation, i % WIDTH, i / WIDTH);
    drawn += b.data[3 * i] != 100;
  }
  fail_unless(drawn > 1000, "hardly anything is drawn");
  gst_buffer_unmap(stored, &a);
  gst_buffer_unmap(upright, &b);
  gst_buffer_unref(stored);
  gst_buffer_unref(upright);
}

static GstBuffer *draw_stored(VitgateOrientation orientation)
{
  const gboolean lying = gst_vitgate_orientation_is_lying(orientation);
  const gint width = lying ? HEIGHT : WIDTH, height = lying ? WIDTH : HEIGHT;
  gint x = 140, y = 120, w = 100, h = 60;

  gst_vitgate_orientation_to_stored(orientation, width, height, &x, &y, &w, &h);
  return draw(width, height, x, y, w, h);
}

GST_START_TEST(test_text_and_regions_are_upright_once_the_frame_is)
{
  static const char *positions[] = { "top-left", "top-right", "bottom-left", "bottom-right" };
  GstBuffer *upright;

  gst_util_set_object_arg(G_OBJECT(overlay_harness->element), "position", positions[__i__ % 4]);
  upright = draw_stored(VITGATE_ORIENTATION_IDENTITY);
  gst_util_set_object_arg(G_OBJECT(overlay_harness->element), "orientation", nicks[__i__]);
  check_turned(draw_stored(__i__), upright, __i__);
}
GST_END_TEST;

GST_START_TEST(test_the_drawing_follows_the_tag)
{
  GstBuffer *upright = draw_stored(VITGATE_ORIENTATION_IDENTITY);

  push_tag("rotate-90");
  check_turned(draw_stored(VITGATE_ORIENTATION_90R), gst_buffer_ref(upright),
               VITGATE_ORIENTATION_90R);
  push_tag("rotate-180"); /* with the same caps and settings */
  check_turned(draw_stored(VITGATE_ORIENTATION_180), gst_buffer_ref(upright),
               VITGATE_ORIENTATION_180);
  gst_util_set_object_arg(G_OBJECT(overlay_harness->element), "orientation", "identity");
  check_turned(draw_stored(VITGATE_ORIENTATION_IDENTITY), upright, VITGATE_ORIENTATION_IDENTITY);
}
GST_END_TEST;

GST_START_TEST(test_a_sink_gets_the_drawing_where_it_belongs)
{
  g_autoptr(GArray) upright = NULL, turned = NULL;

  overlay_attach();
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT);
  upright = overlay_rectangles_of("cat");
  push_tag("rotate-270");
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, HEIGHT, WIDTH);
  turned = overlay_rectangles_of("cat");
  fail_unless_equals_int(turned->len, upright->len);
  for (guint i = 0; i < turned->len; i++) {
    OverlayRectangle a = g_array_index(upright, OverlayRectangle, i);
    const OverlayRectangle *b = &g_array_index(turned, OverlayRectangle, i);

    gst_vitgate_orientation_to_stored(VITGATE_ORIENTATION_90L, HEIGHT, WIDTH, &a.x, &a.y, &a.width,
                                      &a.height);
    fail_unless(a.x == b->x && a.y == b->y && a.width == b->width && a.height == b->height);
  }
}
GST_END_TEST;

static Suite *overlay_turned_suite(void)
{
  Suite *suite = suite_create("overlay-turned");
  TCase *tcase = tcase_create("overlay-turned");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, overlay_setup, overlay_teardown);
  tcase_add_loop_test(tcase, test_text_and_regions_are_upright_once_the_frame_is, 0,
                      G_N_ELEMENTS(nicks));
  tcase_add_test(tcase, test_the_drawing_follows_the_tag);
  tcase_add_test(tcase, test_a_sink_gets_the_drawing_where_it_belongs);
  return suite;
}

GST_CHECK_MAIN(overlay_turned);
