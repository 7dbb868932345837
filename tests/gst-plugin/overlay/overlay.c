/* overlay.c: what vitgateoverlay draws and where. */
#include "attached.h"
#include "overlay-fixture.h"
#include "overlay/drawing.h"
#include "overlay/frame-rate.h"

/* ---- What is drawn ------------------------------------------------------------------------- */

static void check_outside(GstVideoFormat format)
{
  g_autoptr(GArray) rectangles = NULL;
  GstBuffer *frame, *original, *out;

  overlay_setup();
  overlay_attach();
  overlay_set_caps(format, 322, 242);
  rectangles = overlay_rectangles_of("cat");
  overlay_teardown();

  overlay_setup();
  overlay_set_caps(format, 322, 242);
  frame = fixture_frame(&overlay_info, 1);
  original = gst_buffer_copy_deep(frame);
  out = overlay_draw(frame, "cat", 0.5, 0);
  overlay_check_same_outside(original, out, rectangles);
  gst_buffer_unref(original);
  gst_buffer_unref(out);
  overlay_teardown();
}

GST_START_TEST(test_pixels_outside_the_overlay_do_not_change)
{
  static const GstVideoFormat formats[] = {
    GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_NV21, GST_VIDEO_FORMAT_I420,
    GST_VIDEO_FORMAT_YV12, GST_VIDEO_FORMAT_YUY2, GST_VIDEO_FORMAT_UYVY,
    GST_VIDEO_FORMAT_RGB,  GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_GRAY8,
  };

  for (guint i = 0; i < G_N_ELEMENTS(formats); i++)
    check_outside(formats[i]);
}
GST_END_TEST;

GST_START_TEST(test_text_is_legible_on_any_background)
{
  static const guint8 grounds[] = { 0, 128, 255 };
  g_autoptr(GArray) rectangles = NULL;

  overlay_setup();
  overlay_attach();
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 320, 240);
  rectangles = overlay_rectangles_of("cat");
  overlay_teardown();
  for (guint i = 0; i < G_N_ELEMENTS(grounds); i++) {
    GstBuffer *out;

    overlay_setup();
    overlay_set_caps(GST_VIDEO_FORMAT_RGB, 320, 240);
    out = overlay_draw(overlay_plain_frame(grounds[i]), "cat", 0.5, 0);
    for (guint j = 0; j < rectangles->len; j++) {
      guint darkest, brightest;

      overlay_range(out, &g_array_index(rectangles, OverlayRectangle, j), &darkest, &brightest);
      fail_unless(brightest > darkest + 120, "from %u to %u on %u", darkest, brightest, grounds[i]);
    }
    gst_buffer_unref(out);
    overlay_teardown();
  }
}
GST_END_TEST;

GST_START_TEST(test_a_bar_is_as_long_as_the_compute_ratio)
{
  static const double ratios[] = { 0.0, 0.25, 0.5, 1.0 };
  gint before = -1;

  g_object_set(overlay_harness->element, "bar-color", 0xff00ff00u, "top-k", 0, NULL);
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 320, 240);
  for (guint i = 0; i < G_N_ELEMENTS(ratios); i++) {
    GstBuffer *frame = overlay_plain_frame(0), *out;
    GstMapInfo map;
    gint green = 0;

    GST_BUFFER_PTS(frame) = i * GST_SECOND;
    gst_structure_set(attached_result(frame), "compute-ratio", G_TYPE_DOUBLE, ratios[i], NULL);
    out = fixture_process(overlay_harness, frame);
    fail_unless(gst_buffer_map(out, &map, GST_MAP_READ));
    for (gsize j = 0; j + 2 < map.size; j += 3)
      green += map.data[j] == 0 && map.data[j + 1] == 255;
    gst_buffer_unmap(out, &map);
    gst_buffer_unref(out);
    fail_unless((green > 0) == (i > 0) && green > before, "%d green pixels after %d", green,
                before);
    fail_unless(i != 3 || ABS(green - 2 * before) <= green / 10, "%d of %d pixels", before, green);
    before = green;
  }
}
GST_END_TEST;

static void check_corner(const char *position, gboolean right, gboolean bottom)
{
  g_autoptr(GArray) rectangles = NULL;

  overlay_setup();
  overlay_attach();
  gst_util_set_object_arg(G_OBJECT(overlay_harness->element), "position", position);
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 640, 480);
  rectangles = overlay_rectangles_of("cat");
  for (guint i = 0; i < rectangles->len; i++) {
    const OverlayRectangle *r = &g_array_index(rectangles, OverlayRectangle, i);

    fail_unless(right ? r->x + r->width > 620 && r->x + r->width <= 640 : r->x >= 0 && r->x < 20);
    fail_unless(bottom ? r->y > 240 && r->y + r->height <= 480
                       : r->y + r->height < 240 && r->y >= 0);
    fail_unless(i == 0 || r->y > g_array_index(rectangles, OverlayRectangle, i - 1).y);
  }
  overlay_teardown();
}

GST_START_TEST(test_results_are_drawn_in_the_chosen_corner)
{
  check_corner("top-left", FALSE, FALSE);
  check_corner("top-right", TRUE, FALSE);
  check_corner("bottom-left", FALSE, TRUE);
  check_corner("bottom-right", TRUE, TRUE);
}
GST_END_TEST;

static gint line_height(void)
{
  g_autoptr(GArray) rectangles = overlay_rectangles_of("cat");

  return g_array_index(rectangles, OverlayRectangle, 0).height;
}

GST_START_TEST(test_text_has_the_size_that_is_set)
{
  gint relative, larger, fixed;

  overlay_attach();
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 640, 480);
  relative = line_height();
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 1280, 960);
  fail_unless(ABS(line_height() - 2 * relative) <= 4, "text does not grow with the frame");
  g_object_set(overlay_harness->element, "text-size", 0.1, NULL);
  larger = line_height();
  fail_unless(ABS(larger - 5 * relative) <= 12, "%d and %d", larger, relative);
  g_object_set(overlay_harness->element, "font-desc", "Sans Bold 19px", NULL);
  fixed = line_height();
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 640, 480);
  fail_unless_equals_int(line_height(), fixed);
  fail_unless(ABS(fixed - relative) <= 4, "19 pixels are 4 % of 480");
  g_object_set(overlay_harness->element, "font-desc", "Nonesuch 100000", NULL);
  fail_unless(line_height() < 2 * 480, "the font is larger than the frame");
}
GST_END_TEST;

GST_START_TEST(test_top_k_limits_the_labels)
{
  const AttachedClass classes[] = { { "a", 1, 0.5 }, { "b", 2, 0.3 }, { "c", 3, 0.2 } };

  overlay_attach();
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 640, 480);
  for (guint top_k = 1; top_k <= 4; top_k++) {
    g_autoptr(GArray) rectangles = NULL;
    GstBuffer *frame = overlay_plain_frame(0), *out;

    g_object_set(overlay_harness->element, "top-k", top_k, NULL);
    attached_classes(attached_result(frame), classes, 3);
    attached_label(attached_result(frame), "second model");
    out = fixture_process(overlay_harness, frame);
    rectangles = overlay_rectangles(out);
    fail_unless_equals_int(rectangles->len, MIN(top_k, 3) + 1);
    gst_buffer_unref(out);
  }
}
GST_END_TEST;

GST_START_TEST(test_colors_can_be_set)
{
  GstBuffer *out;
  guint darkest, brightest;
  const OverlayRectangle r = { 40, 20, 4, 4 };

  g_object_set(overlay_harness->element, "box-color", 0xff800000u, "text-color", 0u, "bar-color",
               0u, NULL);
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 320, 240);
  out = overlay_draw(overlay_plain_frame(0), "cat cat cat", 0.5, 0);
  overlay_range(out, &r, &darkest, &brightest);
  fail_unless(darkest == 0x80 && brightest == 0x80, "from %u to %u", darkest, brightest);
  gst_buffer_unref(out);
}
GST_END_TEST;

/* Depending on its version, GLib warns or clamps. */
GST_START_TEST(test_properties_have_limits)
{
  GObjectClass *class = G_OBJECT_GET_CLASS(overlay_harness->element);
  GValue size = G_VALUE_INIT;
  g_autofree char *font = NULL;

  g_value_init(&size, G_TYPE_DOUBLE);
  g_value_set_double(&size, 7.0);
  fail_unless(g_param_value_validate(g_object_class_find_property(class, "text-size"), &size));
  fail_unless(g_value_get_double(&size) == 0.5);
  g_value_unset(&size);

  g_object_set(overlay_harness->element, "font-desc", NULL, NULL);
  g_object_get(overlay_harness->element, "font-desc", &font, NULL);
  fail_unless_equals_string(font, "Sans Bold");
}
GST_END_TEST;

/* ---- Labels -------------------------------------------------------------------------------- */

GST_START_TEST(test_any_label_fits_into_the_frame)
{
  g_autofree char *wide = g_strnfill(500, 'W');
  const char *labels[] = {
    wide,           "",         "line\nbreak\ttab\x01",
    "חתול",         "قطة 12",   "猫のいる部屋",
    "\xff\xfe\xc3", "<b>&amp;", "\u202ecat",
  };

  overlay_attach();
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 320, 240);
  for (guint i = 0; i < G_N_ELEMENTS(labels); i++) {
    g_autoptr(GArray) rectangles = overlay_rectangles_of(labels[i]);

    fail_unless_equals_int(rectangles->len, 3);
    for (guint j = 0; j < rectangles->len; j++) {
      const OverlayRectangle *r = &g_array_index(rectangles, OverlayRectangle, j);
      fail_unless(r->x >= 0 && r->y >= 0 && r->x + r->width <= 320 && r->y + r->height <= 240);
      fail_unless(r->height < 40, "more than a line");
    }
  }
}
GST_END_TEST;

GST_START_TEST(test_numbers_of_any_kind_are_drawn)
{
  static const double numbers[] = { NAN, INFINITY, -INFINITY, -1, 1e300 };

  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 320, 240);
  for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
    GstBuffer *frame = overlay_plain_frame(0);
    GstStructure *s = attached_result(frame);

    overlay_set_result(s, "cat", numbers[i], G_MAXUINT64);
    gst_structure_set(s, "compute-ratio", G_TYPE_DOUBLE, numbers[i], NULL);
    gst_buffer_unref(fixture_process(overlay_harness, frame));
  }
  fail_unless_equals_uint64(overlay_stat("drawn"), G_N_ELEMENTS(numbers));
}
GST_END_TEST;

/* ---- Regions ------------------------------------------------------------------------------- */

GST_START_TEST(test_regions_have_edges_and_a_tag)
{
  g_autoptr(GArray) rectangles = NULL;
  GstBuffer *frame, *out;

  overlay_attach();
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 640, 480);
  frame = overlay_plain_frame(0);
  attached_regions(attached_result(frame), attached_region(200, 100, 300, 200, 7, "cat"), NULL);
  out = fixture_process(overlay_harness, frame);
  rectangles = overlay_rectangles(out);
  fail_unless_equals_int(rectangles->len, 4 + 4 + 1);
  fail_unless(overlay_within(rectangles, 200, 100) && overlay_within(rectangles, 499, 299));
  fail_unless(overlay_within(rectangles, 350, 100) && overlay_within(rectangles, 200, 200));
  fail_if(overlay_within(rectangles, 350, 200), "the region is covered");
  fail_unless(overlay_within(rectangles, 210, 95), "the tag is not above the region");
  gst_buffer_unref(out);
}
GST_END_TEST;

/* Draws on a frame of 640x480 of which the model has seen this part.
 * Returns: (transfer full): as overlay_rectangles() */
static GArray *draw_seen(guint x, guint y, guint width, guint height)
{
  GstBuffer *frame = overlay_plain_frame(0), *out;
  GstStructure *s = attached_result(frame);
  GArray *rectangles;

  overlay_set_result(s, "cat", 0.5, 0);
  gst_structure_set(s, "x", G_TYPE_UINT, x, "y", G_TYPE_UINT, y, "width", G_TYPE_UINT, width,
                    "height", G_TYPE_UINT, height, NULL);
  out = fixture_process(overlay_harness, frame);
  rectangles = overlay_rectangles(out);
  gst_buffer_unref(out);
  return rectangles;
}

GST_START_TEST(test_a_part_that_was_seen_has_edges)
{
  g_autoptr(GArray) whole = NULL, part = NULL;

  overlay_attach();
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 640, 480);
  whole = draw_seen(0, 0, 640, 480);
  fail_if(overlay_within(whole, 639, 300), "an edge around the whole frame");
  part = draw_seen(110, 30, 420, 420);
  fail_unless_equals_int(part->len, whole->len + 4 + 4);
  fail_unless(overlay_within(part, 110, 200) && overlay_within(part, 529, 200));
  fail_unless(overlay_within(part, 400, 30) && overlay_within(part, 300, 449));
  fail_if(overlay_within(part, 400, 300), "the part is covered");
}
GST_END_TEST;

/* Returns: the number of rectangles drawn for this region on a frame of 640x480. */
static guint count_drawn(guint x, guint y, guint width, guint height)
{
  g_autoptr(GArray) rectangles = NULL;
  GstBuffer *frame = overlay_plain_frame(0), *out;
  GstVideoOverlayCompositionMeta *meta;
  guint n = 0;

  attached_regions(attached_result(frame), attached_region(x, y, width, height, -1, "cat"), NULL);
  out = fixture_process(overlay_harness, frame);
  meta = gst_buffer_get_video_overlay_composition_meta(out);
  if (meta) {
    rectangles = overlay_rectangles(out);
    n = rectangles->len;
    for (guint i = 0; i < n; i++) {
      const OverlayRectangle *r = &g_array_index(rectangles, OverlayRectangle, i);
      fail_unless(r->x >= 0 && r->y >= 0 && r->x + r->width <= 640 && r->y + r->height <= 480);
    }
  }
  gst_buffer_unref(out);
  return n;
}

GST_START_TEST(test_regions_are_clipped_to_the_frame)
{
  overlay_attach();
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 640, 480);
  fail_unless_equals_int(count_drawn(640, 0, 10, 10), 0);
  fail_unless_equals_int(count_drawn(0, 480, 10, 10), 0);
  fail_unless_equals_int(count_drawn(5, 5, 0, 10), 0);
  fail_unless_equals_int(count_drawn(G_MAXUINT, G_MAXUINT, G_MAXUINT, G_MAXUINT), 0);
  fail_unless_equals_int(count_drawn(0, 0, G_MAXUINT, G_MAXUINT), 9);
  fail_unless_equals_int(count_drawn(600, 400, G_MAXUINT, 100), 9);
  fail_unless(count_drawn(639, 479, 1, 1) > 0);
  fail_unless(count_drawn(100, 100, 3, 100) > 0);
}
GST_END_TEST;

GST_START_TEST(test_at_most_256_regions_are_drawn)
{
  GstBuffer *frame, *out;
  GValue array = G_VALUE_INIT;
  g_autoptr(GArray) rectangles = NULL;

  overlay_attach();
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 640, 480);
  frame = overlay_plain_frame(0);
  gst_value_array_init(&array, 5000);
  for (guint i = 0; i < 5000; i++) {
    GValue region = G_VALUE_INIT;
    g_value_init(&region, GST_TYPE_STRUCTURE);
    g_value_take_boxed(&region, attached_region(i % 600, i % 400, 40, 40, i, "cat"));
    gst_value_array_append_and_take_value(&array, &region);
  }
  gst_structure_take_value(attached_result(frame), "regions", &array);
  out = fixture_process(overlay_harness, frame);
  rectangles = overlay_rectangles(out);
  fail_unless_equals_int(rectangles->len, 256 * 9);
  gst_buffer_unref(out);
}
GST_END_TEST;

/* ---- The cache ----------------------------------------------------------------------------- */

static GstVitgatePainter *painter;
static GstVitgateHeldResults held;

/* Draws a frame with a result without an element, so without a clock. */
static void draw_apart(const char *label, double score, guint64 age, double rate)
{
  const GstVitgateDrawingStyle style = {
    .painter = painter,
    .top_k = 3,
    .width = 320,
    .height = 240,
    .rate = rate,
    .bar = TRUE,
    .state = TRUE,
    .held = &held,
    .time = GST_CLOCK_TIME_NONE,
  };
  GstBuffer *frame = gst_buffer_new();

  overlay_set_result(attached_result(frame), label, score, age);
  g_array_unref(gst_vitgate_drawing_new(&style, frame));
  gst_buffer_unref(frame);
}

static void set_up_painter(guint32 text_color)
{
  const GstVitgateColors colors = { text_color, 0xff000000u, 0xff00ff00u };
  PangoFontDescription *font = pango_font_description_from_string("Sans");

  if (!painter) {
    painter = gst_vitgate_painter_new();
    gst_vitgate_held_results_init(&held);
  }
  gst_vitgate_painter_set_style(painter, font, 12, &colors, VITGATE_ORIENTATION_IDENTITY);
  pango_font_description_free(font);
}

GST_START_TEST(test_only_what_changes_is_painted)
{
  set_up_painter(0xffffffffu);
  for (guint i = 0; i < 10; i++)
    draw_apart("cat", 0.5, 0, 25);
  fail_unless_equals_uint64(painter->painted, 3); /* label, bar, age and rate */
  draw_apart("dog", 0.5, 0, 25);
  fail_unless_equals_uint64(painter->painted, 4);
  draw_apart("dog", 0.5001, 0, 25); /* still 50 % */
  fail_unless_equals_uint64(painter->painted, 4);
  draw_apart("dog", 0.5, 1, 25);
  fail_unless_equals_uint64(painter->painted, 5);
  draw_apart("cat", 0.5, 0, 25); /* still in the cache */
  fail_unless_equals_uint64(painter->painted, 5);
  draw_apart("cat", 0.5, 0, 24);
  fail_unless_equals_uint64(painter->painted, 6);
  set_up_painter(0xffff0000u);
  draw_apart("cat", 0.5, 0, 24);
  fail_unless_equals_uint64(painter->painted, 9);
  gst_vitgate_painter_free(&painter);
  gst_vitgate_held_results_clear(&held);
}
GST_END_TEST;

GST_START_TEST(test_pieces_of_another_width_are_painted_anew)
{
  static const gint widths[] = { 300, 60, 120 };
  const char *text = "a label that fits into three hundred pixels";

  set_up_painter(0xffffffffu);
  for (guint round = 0; round < 2; round++)
    for (guint i = 0; i < G_N_ELEMENTS(widths); i++) {
      const GstVitgatePiece *line = gst_vitgate_painter_text(painter, text, 0, widths[i]);
      const GstVitgatePiece *bar = gst_vitgate_painter_bar(painter, 40, text, 0, widths[i]);
      const GstVitgatePiece *area = gst_vitgate_painter_area(painter, widths[i], 4, 0xff00ff00u);

      fail_unless(line->width <= widths[i] && line->width > widths[i] / 2, "%d of %d", line->width,
                  widths[i]);
      fail_unless(bar->width <= widths[i] && bar->width > widths[i] / 2, "%d of %d", bar->width,
                  widths[i]);
      fail_unless_equals_int(area->width, widths[i]);
    }
  fail_unless_equals_uint64(painter->painted, 3 * G_N_ELEMENTS(widths));
  gst_vitgate_painter_free(&painter);
  gst_vitgate_held_results_clear(&held);
}
GST_END_TEST;

GST_START_TEST(test_the_cache_is_limited)
{
  set_up_painter(0xffffffffu);
  for (guint i = 0; i < 3000; i++) {
    g_autofree char *label = g_strdup_printf("label %u", i);
    draw_apart(label, 0.5, 0, 25);
    fail_unless(g_hash_table_size(painter->pieces) < 1100);
  }
  draw_apart("label 0", 0.5, 0, 25);
  /* The first label had been dropped; the pieces that all frames show had not. */
  fail_unless_equals_uint64(painter->painted, 3001 + 2);
  gst_vitgate_painter_free(&painter);
  gst_vitgate_held_results_clear(&held);
}
GST_END_TEST;

GST_START_TEST(test_the_attachment_is_reused_while_nothing_changes)
{
  guint before = 0, after = 1;

  overlay_attach();
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 320, 240);
  /* The frame rate may change once or twice. */
  for (guint i = 0; i < 10 && before != after; i++) {
    GstBuffer *out = overlay_draw(overlay_plain_frame(0), "cat", 0.5, 0);

    before = after;
    after = gst_video_overlay_composition_get_seqnum(
        gst_buffer_get_video_overlay_composition_meta(out)->overlay);
    gst_buffer_unref(out);
  }
  fail_unless_equals_int(before, after);
}
GST_END_TEST;

GST_START_TEST(test_frame_rate_is_that_of_the_last_second)
{
  GstVitgateFrameRate rate = { 0 };
  double rate_now = 0;

  for (guint i = 0; i <= 30; i++)
    rate_now = gst_vitgate_frame_rate_count(&rate, GST_SECOND + i * (GST_SECOND / 25));
  fail_unless(ABS(rate_now - 25) < 1e-9, "%g", rate_now);
  for (guint i = 1; i <= 40; i++)
    rate_now = gst_vitgate_frame_rate_count(&rate, 10 * GST_SECOND + i * (GST_SECOND / 10));
  fail_unless(ABS(rate_now - 10) < 1, "%g", rate_now);
}
GST_END_TEST;

static TCase *drawn_tests(void)
{
  TCase *tcase = tcase_create("drawn");

  tcase_add_checked_fixture(tcase, overlay_setup, overlay_teardown);
  tcase_add_test(tcase, test_a_bar_is_as_long_as_the_compute_ratio);
  tcase_add_test(tcase, test_text_has_the_size_that_is_set);
  tcase_add_test(tcase, test_top_k_limits_the_labels);
  tcase_add_test(tcase, test_colors_can_be_set);
  tcase_add_test(tcase, test_properties_have_limits);
  tcase_add_test(tcase, test_any_label_fits_into_the_frame);
  tcase_add_test(tcase, test_numbers_of_any_kind_are_drawn);
  tcase_add_test(tcase, test_regions_have_edges_and_a_tag);
  tcase_add_test(tcase, test_a_part_that_was_seen_has_edges);
  tcase_add_test(tcase, test_regions_are_clipped_to_the_frame);
  tcase_add_test(tcase, test_at_most_256_regions_are_drawn);
  tcase_add_test(tcase, test_only_what_changes_is_painted);
  tcase_add_test(tcase, test_pieces_of_another_width_are_painted_anew);
  tcase_add_test(tcase, test_the_cache_is_limited);
  tcase_add_test(tcase, test_the_attachment_is_reused_while_nothing_changes);
  return tcase;
}

/* These tests make their own elements, or none. */
static TCase *several_tests(void)
{
  TCase *tcase = tcase_create("several");

  tcase_add_test(tcase, test_pixels_outside_the_overlay_do_not_change);
  tcase_add_test(tcase, test_text_is_legible_on_any_background);
  tcase_add_test(tcase, test_results_are_drawn_in_the_chosen_corner);
  tcase_add_test(tcase, test_frame_rate_is_that_of_the_last_second);
  return tcase;
}

static Suite *overlay_suite(void)
{
  Suite *suite = suite_create("overlay");

  suite_add_tcase(suite, drawn_tests());
  suite_add_tcase(suite, several_tests());
  return suite;
}

GST_CHECK_MAIN(overlay);
