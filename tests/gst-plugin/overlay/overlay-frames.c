/* overlay-frames.c: the frames that vitgateoverlay draws on, and those it leaves unchanged. */
#include "attached.h"
#include "overlay-fixture.h"
#include "overlay/blend.h"

/* ---- Frames left unchanged ----------------------------------------------------------------- */

GST_START_TEST(test_frames_without_results_pass_unchanged)
{
  GstBuffer *frame, *original, *out;
  GstMapInfo map;

  overlay_set_caps(GST_VIDEO_FORMAT_NV12, 64, 48);
  frame = fixture_frame(&overlay_info, 1);
  original = gst_buffer_copy_deep(frame);
  out = fixture_process(overlay_harness, frame);
  fail_unless(out == frame, "a writable frame was copied");
  fail_unless(gst_buffer_map(original, &map, GST_MAP_READ));
  fail_unless_equals_int(gst_buffer_memcmp(out, 0, map.data, map.size), 0);
  gst_buffer_unmap(original, &map);
  fail_unless_equals_uint64(overlay_stat("frames"), 1);
  fail_unless_equals_uint64(overlay_stat("drawn"), 0);
  gst_buffer_unref(original);
  gst_buffer_unref(out);
}
GST_END_TEST;

GST_START_TEST(test_the_other_branch_of_a_tee_is_not_drawn_on)
{
  GstBuffer *frame, *original, *out;
  g_autoptr(GArray) nothing = g_array_new(FALSE, FALSE, sizeof(OverlayRectangle));

  overlay_set_caps(GST_VIDEO_FORMAT_I420, 128, 96);
  frame = fixture_frame(&overlay_info, 1);
  overlay_set_result(attached_result(frame), "cat", 0.5, 0);
  original = gst_buffer_copy_deep(frame);
  out = fixture_process(overlay_harness, gst_buffer_ref(frame));
  overlay_check_same_outside(frame, original, nothing);
  fail_unless(gst_buffer_peek_memory(out, 0) != gst_buffer_peek_memory(frame, 0));
  fail_unless_equals_uint64(overlay_stat("drawn"), 1);
  gst_buffer_unref(frame);
  gst_buffer_unref(original);
  gst_buffer_unref(out);
}
GST_END_TEST;

GST_START_TEST(test_frames_without_content_pass)
{
  GstBuffer *out;

  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 64, 48);
  out = overlay_draw(gst_buffer_new(), "cat", 0.5, 0);
  fail_unless_equals_int(gst_buffer_get_size(out), 0);
  gst_buffer_unref(out);
  fail_if(fixture_message(overlay_harness->element, GST_MESSAGE_WARNING));
}
GST_END_TEST;

GST_START_TEST(test_frames_that_are_too_small_pass_with_one_warning)
{
  GstMessage *message;

  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 64, 48);
  for (guint i = 0; i < 3; i++)
    gst_buffer_unref(overlay_draw(gst_buffer_new_allocate(NULL, 5, NULL), "cat", 0.5, 0));
  message = fixture_message(overlay_harness->element, GST_MESSAGE_WARNING);
  fail_unless(message, "no warning");
  gst_message_unref(message);
  fail_if(fixture_message(overlay_harness->element, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR));
}
GST_END_TEST;

/* ---- Caps ---------------------------------------------------------------------------------- */

/* Returns: (transfer full): the names of all formats that the element blends into. */
static char **all_formats(void)
{
  g_auto(GStrv) names = g_strsplit_set(GST_VIDEO_OVERLAY_COMPOSITION_BLEND_FORMATS, "{}, ", -1);
  GPtrArray *formats = g_ptr_array_new();

  for (char **name = names; *name; name++)
    if (**name)
      g_ptr_array_add(formats, g_strdup(*name));
  g_ptr_array_add(formats, NULL);
  return (char **)g_ptr_array_free(formats, FALSE);
}

GST_START_TEST(test_every_format_is_drawn_on)
{
  g_auto(GStrv) names = all_formats();

  fail_unless(g_strv_length(names) > 50);
  for (char **name = names; *name; name++) {
    GstBuffer *frame, *out;
    GstMapInfo map;

    if (g_str_equal(*name, "NV12_10BE_8L128"))
      continue; /* GStreamer has too little memory for its frames */
    overlay_set_caps(gst_video_format_from_string(*name), 321, 243);
    frame = fixture_frame(&overlay_info, 1);
    out = overlay_draw(gst_buffer_copy_deep(frame), "cat", 0.5, 0);
    fail_unless(gst_buffer_map(frame, &map, GST_MAP_READ));
    fail_unless(gst_buffer_memcmp(out, 0, map.data, map.size) != 0, "nothing is drawn on %s",
                *name);
    gst_buffer_unmap(frame, &map);
    gst_buffer_unref(frame);
    gst_buffer_unref(out);
  }
  fail_if(fixture_message(overlay_harness->element, GST_MESSAGE_WARNING));
}
GST_END_TEST;

/* Returns: a piece of half-transparent noise. */
static GstVitgatePlacement noise(gint x, gint y, gint width, gint height)
{
  GstVitgatePlacement placement = { NULL, x, y, width, height };
  GstMapInfo map;

  placement.pixels = gst_buffer_new_allocate(NULL, (gsize)width * height * 4, NULL);
  gst_buffer_add_video_meta(placement.pixels, GST_VIDEO_FRAME_FLAG_NONE,
                            GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, width, height);
  fail_unless(gst_buffer_map(placement.pixels, &map, GST_MAP_WRITE));
  for (gsize i = 0; i < map.size; i++)
    map.data[i] = i % 4 == 3 ? 200 : i * 7 % 200;
  gst_buffer_unmap(placement.pixels, &map);
  return placement;
}

/* Blends with GStreamer, over whole rows of the frame. */
static void blend_whole(GstVideoFrame *frame, const GstVitgatePlacement *p)
{
  GstVideoOverlayRectangle *rectangle =
      gst_video_overlay_rectangle_new_raw(p->pixels, p->x, p->y, p->width, p->height,
                                          GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA);
  GstVideoOverlayComposition *composition = gst_video_overlay_composition_new(rectangle);

  fail_unless(gst_video_overlay_composition_blend(composition, frame));
  gst_video_overlay_composition_unref(composition);
  gst_video_overlay_rectangle_unref(rectangle);
}

static void check_blend(GstVideoFormat format, gint x, gint y)
{
  g_autoptr(GArray) nothing = g_array_new(FALSE, FALSE, sizeof(OverlayRectangle));
  GstVitgatePlacement placement = noise(x, y, 22, 14);
  GstBuffer *ours, *theirs;
  GstVideoFrame frame;

  gst_video_info_set_format(&overlay_info, format, 64, 48);
  ours = fixture_frame(&overlay_info, 1);
  theirs = gst_buffer_copy_deep(ours);
  fail_unless(gst_video_frame_map(&frame, &overlay_info, ours, GST_MAP_READWRITE));
  fail_unless(gst_vitgate_blend(&frame, &placement));
  gst_video_frame_unmap(&frame);
  fail_unless(gst_video_frame_map(&frame, &overlay_info, theirs, GST_MAP_READWRITE));
  blend_whole(&frame, &placement);
  gst_video_frame_unmap(&frame);
  overlay_check_same_outside(ours, theirs, nothing);
  gst_buffer_unref(ours);
  gst_buffer_unref(theirs);
  gst_buffer_unref(placement.pixels);
}

GST_START_TEST(test_blending_a_part_equals_blending_the_whole)
{
  static const GstVideoFormat formats[] = {
    GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_NV21, GST_VIDEO_FORMAT_I420,  GST_VIDEO_FORMAT_YV12,
    GST_VIDEO_FORMAT_YUY2, GST_VIDEO_FORMAT_UYVY, GST_VIDEO_FORMAT_RGB,   GST_VIDEO_FORMAT_BGR,
    GST_VIDEO_FORMAT_RGBx, GST_VIDEO_FORMAT_ARGB, GST_VIDEO_FORMAT_GRAY8, GST_VIDEO_FORMAT_Y42B,
    GST_VIDEO_FORMAT_Y444, GST_VIDEO_FORMAT_Y41B, GST_VIDEO_FORMAT_YUV9,  GST_VIDEO_FORMAT_AYUV,
  };

  for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
    check_blend(formats[i], 0, 0);
    check_blend(formats[i], 13, 7);
    check_blend(formats[i], 42, 34);
    check_blend(formats[i], 60, 44);
    check_blend(formats[i], -6, -4);
    check_blend(formats[i], 64, 0);
    check_blend(formats[i], 0, -14);
  }
}
GST_END_TEST;

GST_START_TEST(test_frames_of_any_size_are_drawn_on)
{
  static const struct {
    guint width, height;
  } sizes[] = { { 1, 1 }, { 2, 2 }, { 16, 16 }, { 17, 3 }, { 3, 400 }, { 3840, 2160 }, { 9, 9 } };

  for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
    overlay_set_caps(GST_VIDEO_FORMAT_NV12, sizes[i].width, sizes[i].height);
    gst_buffer_unref(overlay_draw(overlay_plain_frame(128), "cat", 0.5, 0));
    fail_unless_equals_uint64(overlay_stat("drawn"), i + 1);
  }
  fail_if(fixture_message(overlay_harness->element, GST_MESSAGE_WARNING));
}
GST_END_TEST;

GST_START_TEST(test_padding_and_crop_meta_are_honoured)
{
  gsize offset[GST_VIDEO_MAX_PLANES] = { 10 };
  gint stride[GST_VIDEO_MAX_PLANES] = { 700 };
  const OverlayRectangle left = { 0, 0, 100, 200 }, above = { 100, 0, 100, 40 },
                         visible = { 100, 40, 100, 60 };
  GstBuffer *frame, *out;
  GstVideoCropMeta *crop;
  guint darkest, brightest;

  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 100, 160);
  frame = gst_buffer_new_allocate(NULL, 10 + 700 * 200, NULL);
  gst_buffer_memset(frame, 0, 128, -1);
  gst_buffer_add_video_meta_full(frame, 0, GST_VIDEO_FORMAT_RGB, 200, 200, 1, offset, stride);
  crop = gst_buffer_add_video_crop_meta(frame);
  crop->x = 100;
  crop->y = 40;
  crop->width = 100;
  crop->height = 160;
  out = overlay_draw(frame, "cat", 0.5, 0);
  gst_video_info_set_format(&overlay_info, GST_VIDEO_FORMAT_RGB, 200, 200);
  overlay_range(out, &left, &darkest, &brightest);
  fail_unless(darkest == 128 && brightest == 128, "the part on the left is drawn on");
  overlay_range(out, &above, &darkest, &brightest);
  fail_unless(darkest == 128 && brightest == 128, "the part above is drawn on");
  overlay_range(out, &visible, &darkest, &brightest);
  fail_unless(brightest > darkest + 120);
  gst_buffer_unref(out);
}
GST_END_TEST;

GST_START_TEST(test_caps_may_change)
{
  for (guint i = 0; i < 3; i++) {
    overlay_set_caps(GST_VIDEO_FORMAT_NV12, 320 + 32 * i, 240);
    gst_buffer_unref(overlay_draw(fixture_frame(&overlay_info, 1), "cat", 0.5, 0));
    overlay_set_caps(GST_VIDEO_FORMAT_RGBA, 240, 320 + 32 * i);
    gst_buffer_unref(overlay_draw(fixture_frame(&overlay_info, 1), "cat", 0.5, 0));
  }
  fail_unless_equals_uint64(overlay_stat("drawn"), 6);
}
GST_END_TEST;

GST_START_TEST(test_drawing_is_left_to_a_sink_that_draws)
{
  GstBuffer *frame, *original, *out;
  g_autoptr(GArray) nothing = g_array_new(FALSE, FALSE, sizeof(OverlayRectangle));

  overlay_attach();
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 320, 240);
  frame = fixture_frame(&overlay_info, 1);
  original = gst_buffer_copy_deep(frame);
  out = overlay_draw(frame, "cat", 0.5, 0);
  overlay_check_same_outside(original, out, nothing);
  fail_unless(gst_buffer_get_video_overlay_composition_meta(out));
  gst_buffer_unref(original);
  gst_buffer_unref(out);
}
GST_END_TEST;

GST_START_TEST(test_a_sink_that_accepts_anything_gets_pixels)
{
  GstBuffer *out;

  gst_harness_set_sink_caps_str(overlay_harness, "ANY");
  overlay_set_caps(GST_VIDEO_FORMAT_RGB, 320, 240);
  out = overlay_draw(overlay_plain_frame(0), "cat", 0.5, 0);
  fail_if(gst_buffer_get_video_overlay_composition_meta(out));
  gst_buffer_unref(out);
  fail_unless_equals_uint64(overlay_stat("drawn"), 1);
}
GST_END_TEST;

GST_START_TEST(test_frames_that_the_cpu_cannot_access_are_left_to_the_sink)
{
  GstBuffer *out;

  overlay_attach();
  gst_harness_set_src_caps_str(overlay_harness,
                               "video/x-raw(memory:GLMemory), format=RGBA, width=320, "
                               "height=240, framerate=25/1");
  out = overlay_draw(gst_buffer_new_allocate(NULL, 4, NULL), "cat", 0.5, 0);
  fail_unless(gst_buffer_get_video_overlay_composition_meta(out));
  gst_buffer_unref(out);
}
GST_END_TEST;

GST_START_TEST(test_an_overlay_from_upstream_is_kept)
{
  GstVitgatePlacement upstream = noise(200, 100, 22, 14);
  GstVideoOverlayRectangle *rectangle;
  GstVideoOverlayComposition *composition;
  g_autoptr(GArray) rectangles = NULL;
  GstBuffer *frame, *out;

  overlay_attach();
  gst_harness_set_src_caps_str(
      overlay_harness,
      "video/x-raw(memory:SystemMemory, meta:GstVideoOverlayComposition), format=RGB, "
      "width=320, height=240, framerate=25/1");
  gst_video_info_set_format(&overlay_info, GST_VIDEO_FORMAT_RGB, 320, 240);
  rectangle =
      gst_video_overlay_rectangle_new_raw(upstream.pixels, upstream.x, upstream.y, 22, 14,
                                          GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA);
  composition = gst_video_overlay_composition_new(rectangle);
  frame = overlay_plain_frame(0);
  gst_buffer_add_video_overlay_composition_meta(frame, composition);
  out = overlay_draw(frame, "cat", 0.5, 0);
  rectangles = overlay_rectangles(out);
  fail_unless_equals_int(rectangles->len, 1 + 3);
  fail_unless(overlay_within(rectangles, 200, 100));
  fail_unless_equals_int(gst_video_overlay_composition_n_rectangles(composition), 1);
  gst_buffer_unref(out);
  gst_video_overlay_composition_unref(composition);
  gst_video_overlay_rectangle_unref(rectangle);
  gst_buffer_unref(upstream.pixels);
}
GST_END_TEST;

GST_START_TEST(test_states_may_cycle)
{
  GstSegment segment;

  gst_segment_init(&segment, GST_FORMAT_TIME);
  for (guint i = 0; i < 3; i++) {
    overlay_set_caps(GST_VIDEO_FORMAT_RGB, 320, 240);
    gst_buffer_unref(overlay_draw(overlay_plain_frame(0), "cat", 0.5, 0));
    fail_unless_equals_uint64(overlay_stat("drawn"), 1);
    gst_element_set_state(overlay_harness->element, GST_STATE_NULL);
    gst_element_set_state(overlay_harness->element, GST_STATE_PLAYING);
    gst_harness_push_event(overlay_harness, gst_event_new_stream_start("again"));
    gst_harness_push_event(overlay_harness, gst_event_new_segment(&segment));
  }
}
GST_END_TEST;

static TCase *alone_tests(void)
{
  TCase *tcase = tcase_create("alone");

  tcase_add_checked_fixture(tcase, overlay_setup, overlay_teardown);
  tcase_add_test(tcase, test_frames_without_results_pass_unchanged);
  tcase_add_test(tcase, test_the_other_branch_of_a_tee_is_not_drawn_on);
  tcase_add_test(tcase, test_frames_without_content_pass);
  tcase_add_test(tcase, test_frames_that_are_too_small_pass_with_one_warning);
  return tcase;
}

static TCase *caps_tests(void)
{
  TCase *tcase = tcase_create("caps");

  tcase_add_checked_fixture(tcase, overlay_setup, overlay_teardown);
  tcase_add_test(tcase, test_every_format_is_drawn_on);
  tcase_add_test(tcase, test_frames_of_any_size_are_drawn_on);
  tcase_add_test(tcase, test_padding_and_crop_meta_are_honoured);
  tcase_add_test(tcase, test_caps_may_change);
  tcase_add_test(tcase, test_drawing_is_left_to_a_sink_that_draws);
  tcase_add_test(tcase, test_a_sink_that_accepts_anything_gets_pixels);
  tcase_add_test(tcase, test_frames_that_the_cpu_cannot_access_are_left_to_the_sink);
  tcase_add_test(tcase, test_an_overlay_from_upstream_is_kept);
  tcase_add_test(tcase, test_blending_a_part_equals_blending_the_whole);
  tcase_add_test(tcase, test_states_may_cycle);
  return tcase;
}

static Suite *overlay_frames_suite(void)
{
  Suite *suite = suite_create("overlay-frames");

  suite_add_tcase(suite, alone_tests());
  suite_add_tcase(suite, caps_tests());
  return suite;
}

GST_CHECK_MAIN(overlay_frames);
