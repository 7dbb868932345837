/* picture.c: a frame is classified as it is to be displayed, however its pixels are stored. */
#include <math.h>

#include "common/frame.h"
#include "common/orientation.h"
#include "regions-fixture.h"

/* A score of the same picture, resampled with its axes in the other order. */
#define SAME_SCORE 5e-3

static const struct {
  const char *tag, *nick;
} orientations[] = {
  [VITGATE_ORIENTATION_IDENTITY] = { "rotate-0", "identity" },
  [VITGATE_ORIENTATION_90R] = { "rotate-90", "90r" },
  [VITGATE_ORIENTATION_180] = { "rotate-180", "180" },
  [VITGATE_ORIENTATION_90L] = { "rotate-270", "90l" },
  [VITGATE_ORIENTATION_HORIZ] = { "flip-rotate-0", "horiz" },
  [VITGATE_ORIENTATION_VERT] = { "flip-rotate-180", "vert" },
  [VITGATE_ORIENTATION_UL_LR] = { "flip-rotate-270", "ul-lr" },
  [VITGATE_ORIENTATION_UR_LL] = { "flip-rotate-90", "ur-ll" },
};

#define WIDTH  57
#define HEIGHT 45

static GstHarness *new_harness(gboolean regions)
{
  GstHarness *harness = fixture_harness(regions ? regions_element() : fixture_element());

  g_object_set(harness->element, "top-k", 1000, NULL);
  return harness;
}

/* Returns: (transfer full): the upright picture, RGB of WIDTH x HEIGHT */
static GstBuffer *picture(GstVideoInfo *info)
{
  gst_video_info_set_format(info, GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT);
  return fixture_frame(info, 1);
}

/* Announces frames as they are stored if they are to be turned by @orientation.
 * Returns: (transfer full): the picture as such a frame */
static GstBuffer *stored_picture(GstHarness *harness, VitgateOrientation orientation)
{
  const gboolean lying = gst_vitgate_orientation_is_lying(orientation);
  GstVideoInfo upright_info, info;
  GstBuffer *upright = picture(&upright_info), *stored;
  GstVideoFrame from, to;

  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, lying ? HEIGHT : WIDTH, lying ? WIDTH : HEIGHT,
                   &info);
  stored = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&info), NULL);
  fail_unless(gst_video_frame_map(&from, &upright_info, upright, GST_MAP_READ));
  fail_unless(gst_video_frame_map(&to, &info, stored, GST_MAP_WRITE));
  for (gint y = 0; y < HEIGHT; y++)
    for (gint x = 0; x < WIDTH; x++) {
      gint to_x = x, to_y = y, w = 1, h = 1;

      gst_vitgate_orientation_to_stored(orientation, info.width, info.height, &to_x, &to_y, &w, &h);
      for (gint c = 0; c < 3; c++)
        ((guint8 *)to.data[0])[to_y * info.stride[0] + 3 * to_x + c] =
            ((guint8 *)from.data[0])[y * upright_info.stride[0] + 3 * x + c];
    }
  gst_video_frame_unmap(&from);
  gst_video_frame_unmap(&to);
  gst_buffer_unref(upright);
  return stored;
}

static void push_tag(GstHarness *harness, GstTagScope scope, VitgateOrientation orientation)
{
  GstTagList *list =
      gst_tag_list_new(GST_TAG_IMAGE_ORIENTATION, orientations[orientation].tag, NULL);

  gst_tag_list_set_scope(list, scope);
  fail_unless(gst_harness_push_event(harness, gst_event_new_tag(list)));
}

/* Returns: the largest difference between the scores of a class. */
static double difference(const GstStructure *a, const GstStructure *b)
{
  const guint n = fixture_uint(a, "n-results");
  g_autofree double *scores = g_new0(double, fixture_uint(a, "class-count"));
  double max = 0;

  fail_unless_equals_int(fixture_uint(b, "n-results"), n);
  for (guint i = 0; i < n; i++)
    scores[fixture_index(a, i)] = fixture_score(a, i);
  for (guint i = 0; i < n; i++)
    max = MAX(max, ABS(scores[fixture_index(b, i)] - fixture_score(b, i)));
  return max;
}

/* Returns: (transfer full): the result of the upright picture. */
static GstStructure *expected_result(void)
{
  GstHarness *harness = new_harness(FALSE);
  GstStructure *s = fixture_analyse(harness, stored_picture(harness, VITGATE_ORIENTATION_IDENTITY));

  fixture_free(harness);
  return s;
}

static void check_same(GstStructure *found, const GstStructure *expected, const char *what)
{
  const double off = difference(found, expected);

  fail_unless(off <= SAME_SCORE, "%s: a score is off by %g", what, off);
  gst_structure_free(found);
}

/* Fails if @found (transfer full) could be mistaken for @other. */
static void check_different(GstStructure *found, const GstStructure *other)
{
  const double off = difference(found, other);

  fail_unless(off > 4 * SAME_SCORE, "scores differ only by %g", off);
  gst_structure_free(found);
}

GST_START_TEST(test_frames_are_turned_as_the_tag_says)
{
  GstHarness *harness = new_harness(FALSE);
  GstStructure *expected = expected_result();
  const GstTagScope scope = __i__ % 2 ? GST_TAG_SCOPE_GLOBAL : GST_TAG_SCOPE_STREAM;
  GstBuffer *frame = stored_picture(harness, __i__), *out;
  GstMapInfo map;

  if (__i__ != VITGATE_ORIENTATION_IDENTITY)
    check_different(fixture_analyse(harness, gst_buffer_copy(frame)), expected);
  push_tag(harness, scope, __i__);
  out = fixture_process(harness, gst_buffer_copy_deep(frame));
  check_same(gst_structure_copy(fixture_result(out)), expected, orientations[__i__].tag);
  fail_unless(gst_buffer_map(frame, &map, GST_MAP_READ));
  fail_unless_equals_int(gst_buffer_memcmp(out, 0, map.data, map.size), 0);
  gst_buffer_unmap(frame, &map);
  gst_buffer_unref(frame);
  gst_buffer_unref(out);
  gst_structure_free(expected);
  fixture_free(harness);
}
GST_END_TEST;

GST_START_TEST(test_the_property_turns_frames_whatever_the_tag_says)
{
  GstHarness *harness = new_harness(FALSE);
  GstStructure *expected = expected_result();

  push_tag(harness, GST_TAG_SCOPE_STREAM, (__i__ + 3) % 8);
  gst_util_set_object_arg(G_OBJECT(harness->element), "orientation", orientations[__i__].nick);
  check_same(fixture_analyse(harness, stored_picture(harness, __i__)), expected,
             orientations[__i__].nick);
  gst_structure_free(expected);
  fixture_free(harness);
}
GST_END_TEST;

/* Returns: whether the next of equal frames is inferred, with inference-interval set. */
static gboolean is_inferred(GstHarness *harness)
{
  GstVideoInfo info;
  GstStructure *s = fixture_analyse(harness, picture(&info));
  const gboolean fresh = g_str_equal(fixture_string(s, "state"), "fresh");

  gst_structure_free(s);
  return fresh;
}

GST_START_TEST(test_a_new_orientation_ends_the_last_result)
{
  GstHarness *harness = new_harness(FALSE);

  g_object_set(harness->element, "inference-interval", 10, NULL);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, NULL);
  fail_unless(is_inferred(harness));
  fail_if(is_inferred(harness));
  push_tag(harness, GST_TAG_SCOPE_STREAM, VITGATE_ORIENTATION_180);
  fail_unless(is_inferred(harness));
  push_tag(harness, GST_TAG_SCOPE_STREAM, VITGATE_ORIENTATION_180);
  fail_if(is_inferred(harness));
  fixture_free(harness);
}
GST_END_TEST;

/* A region of the upright picture, of the size of the model's input: no pixel is resampled. */
GST_START_TEST(test_regions_are_turned_where_they_are)
{
  GstHarness *upright = new_harness(TRUE), *harness = new_harness(TRUE);
  GstBuffer *frame = stored_picture(upright, VITGATE_ORIENTATION_IDENTITY);
  const gboolean lying = gst_vitgate_orientation_is_lying(__i__);
  gint x = 19, y = 7, w = 32, h = 32;
  const GstStructure *region;
  GstStructure *expected, *found;

  regions_attach(frame, "car", x, y, w, h);
  expected = fixture_analyse(upright, frame);
  frame = stored_picture(harness, __i__);
  push_tag(harness, GST_TAG_SCOPE_STREAM, __i__);
  gst_vitgate_orientation_to_stored(__i__, lying ? HEIGHT : WIDTH, lying ? WIDTH : HEIGHT, &x, &y,
                                    &w, &h);
  regions_attach(frame, "car", x, y, w, h);
  found = fixture_analyse(harness, frame);
  region = regions_get(found, 0);
  fail_unless_equals_int(fixture_uint(region, "x"), x);
  fail_unless_equals_int(fixture_uint(region, "y"), y);
  regions_check_same(region, regions_get(expected, 0));
  gst_structure_free(expected);
  gst_structure_free(found);
  fixture_free(upright);
  fixture_free(harness);
}
GST_END_TEST;

/* ---- What the model has seen --------------------------------------------------------------- */

/* Checks the place in the result of @out, and that of its region of interest. */
static void check_view(GstBuffer *out, guint x, guint y, guint width, guint height)
{
  const GstStructure *s = fixture_result(out);
  const GstVideoRegionOfInterestMeta *roi =
      (gpointer)gst_buffer_get_meta(out, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);

  fail_unless(fixture_uint(s, "x") == x && fixture_uint(s, "y") == y &&
                  fixture_uint(s, "width") == width && fixture_uint(s, "height") == height,
              "%ux%u at %u, %u, expected %ux%u at %u, %u", fixture_uint(s, "width"),
              fixture_uint(s, "height"), fixture_uint(s, "x"), fixture_uint(s, "y"), width, height,
              x, y);
  fail_unless(roi && roi->x == x && roi->y == y && roi->w == width && roi->h == height,
              "the region of interest is elsewhere");
}

/* The views of the upright picture. The model resizes its shorter side to 36 pixels and crops 32 of
 * the 45 x 36. */
static const struct {
  const char *fit;
  gint x, y, width, height;
} views[] = { { "model", 7, 2, 42, 41 },
              { "crop", 7, 2, 42, 41 },
              { "squash", 0, 0, WIDTH, HEIGHT },
              { "letterbox", 0, 0, WIDTH, HEIGHT } };

GST_START_TEST(test_results_tell_what_was_seen_of_the_stored_frame)
{
  const gint orientation = __i__ / (gint)G_N_ELEMENTS(views);
  const gboolean lying = gst_vitgate_orientation_is_lying(orientation);
  const gint width = lying ? HEIGHT : WIDTH, height = lying ? WIDTH : HEIGHT;
  const guint v = __i__ % G_N_ELEMENTS(views);
  gint x = views[v].x, y = views[v].y, w = views[v].width, h = views[v].height;
  GstElement *element = fixture_element();
  GstHarness *harness;
  GstMessage *message;
  GstBuffer *out;

  gst_util_set_object_arg(G_OBJECT(element), "fit", views[v].fit);
  g_object_set(element, "post-messages", TRUE, "inference-interval", 2, NULL);
  harness = fixture_harness(element);
  out = stored_picture(harness, orientation);
  push_tag(harness, GST_TAG_SCOPE_STREAM, orientation);
  out = fixture_process(harness, out);
  gst_vitgate_orientation_to_stored(orientation, width, height, &x, &y, &w, &h);
  check_view(out, x, y, w, h);
  message = fixture_message(element, GST_MESSAGE_ELEMENT);
  fail_unless_equals_int(fixture_uint(gst_message_get_structure(message), "x"), x);
  fail_unless_equals_int(fixture_uint(gst_message_get_structure(message), "width"), w);
  gst_message_unref(message);
  gst_buffer_unref(out);
  out = fixture_process(harness, stored_picture(harness, orientation)); /* carries the result */
  check_view(out, x, y, w, h);
  gst_buffer_unref(out);
  fixture_free(harness);
}
GST_END_TEST;

GST_START_TEST(test_the_view_is_relative_to_the_crop_meta)
{
  GstElement *element = fixture_element();
  GstVideoCropMeta *crop;
  GstHarness *harness;
  GstVideoInfo info;
  GstBuffer *frame;

  gst_util_set_object_arg(G_OBJECT(element), "fit", "model");
  harness = fixture_harness(element);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, WIDTH + 9, HEIGHT + 4, &info);
  frame = fixture_frame(&info, 1);
  crop = gst_buffer_add_video_crop_meta(frame);
  *crop = (GstVideoCropMeta){ crop->meta, .x = 5, .y = 3, .width = WIDTH, .height = HEIGHT };
  frame = fixture_process(harness, frame);
  check_view(frame, views[0].x, views[0].y, views[0].width, views[0].height);
  gst_buffer_unref(frame);
  fixture_free(harness);
}
GST_END_TEST;

/* Announces RGB frames whose pixels are @par_n / @par_d as wide as high. */
static void set_shape(GstHarness *harness, guint width, guint height, gint par_n, gint par_d,
                      GstVideoInfo *info)
{
  gst_video_info_set_format(info, GST_VIDEO_FORMAT_RGB, width, height);
  info->par_n = par_n;
  info->par_d = par_d;
  gst_harness_set_src_caps(harness, gst_video_info_to_caps(info));
}

/* Returns: (transfer full): a smooth picture that is not the same when it is stretched. */
static GstBuffer *rings(const GstVideoInfo *info)
{
  GstBuffer *frame = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(info), NULL);
  GstMapInfo map;

  fail_unless(gst_buffer_map(frame, &map, GST_MAP_WRITE));
  for (gint y = 0; y < info->height; y++)
    for (gint x = 0; x < info->width; x++)
      for (guint c = 0; c < 3; c++) {
        const double dx = (x + 0.5) / info->width - 0.4, dy = (y + 0.5) / info->height - 0.55;

        map.data[y * info->stride[0] + 3 * x + c] =
            (guint8)(128 + 100 * sin(12 * sqrt(1.5 * dx * dx + dy * dy) + c));
      }
  gst_buffer_unmap(frame, &map);
  return frame;
}

GST_START_TEST(test_pixels_that_are_not_square_are_taken_as_displayed)
{
  GstElement *element = fixture_element();
  GstHarness *harness;
  GstStructure *expected, *narrow;
  GstVideoInfo info;

  gst_util_set_object_arg(G_OBJECT(element), "fit", "model");
  g_object_set(element, "top-k", 1000, NULL);
  harness = fixture_harness(element);
  set_shape(harness, 406, 288, 1, 1, &info);
  expected = fixture_analyse(harness, rings(&info));
  set_shape(harness, 203, 288, 1, 1, &info);
  narrow = fixture_analyse(harness, rings(&info));
  check_different(narrow, expected);
  set_shape(harness, 203, 288, 2, 1, &info); /* only the shape changes */
  check_same(fixture_analyse(harness, rings(&info)), expected, "2/1");
  set_shape(harness, 406, 144, 1, 2, &info);
  check_same(fixture_analyse(harness, rings(&info)), expected, "1/2");
  gst_structure_free(expected);
  fixture_free(harness);
}
GST_END_TEST;

/* ---- Formats ------------------------------------------------------------------------------- */

/* A score of the same picture in another format: eight bits a sample, chroma of half the size, and
 * GStreamer's own resampling of it. */
#define SAME_COLORS 0.02

/* Returns: (transfer full): @frame, of @from, as GStreamer converts it to @to. */
static GstBuffer *convert(GstBuffer *frame, GstVideoInfo *from, GstVideoInfo *to)
{
  GstStructure *options =
      gst_structure_new("options", GST_VIDEO_CONVERTER_OPT_DITHER_METHOD,
                        GST_TYPE_VIDEO_DITHER_METHOD, GST_VIDEO_DITHER_NONE, NULL);
  GstVideoConverter *converter = gst_video_converter_new(from, to, options);
  GstBuffer *converted = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(to), NULL);
  GstVideoFrame in, out;

  fail_unless(converter, "GStreamer cannot convert to %s", GST_VIDEO_INFO_NAME(to));
  fail_unless(gst_video_frame_map(&in, from, frame, GST_MAP_READ));
  fail_unless(gst_video_frame_map(&out, to, converted, GST_MAP_WRITE));
  gst_video_converter_frame(converter, &in, &out);
  gst_video_frame_unmap(&in);
  gst_video_frame_unmap(&out);
  gst_video_converter_free(converter);
  return converted;
}

/* Classifies a picture of odd size as RGB, and as GStreamer converts it to each format and range.
 */
static void check_formats(GstHarness *harness, GstVideoColorRange range)
{
  g_auto(GStrv) names = g_strsplit_set(GST_VITGATE_FORMATS, "{}, ", -1);
  GstStructure *expected;
  GstVideoInfo rgb, info;
  GstBuffer *picture_of;

  set_shape(harness, 203, 145, 1, 1, &rgb);
  picture_of = rings(&rgb);
  expected = fixture_analyse(harness, gst_buffer_copy(picture_of));
  for (char **name = names; *name; name++) {
    const GstVideoFormat format = gst_video_format_from_string(*name);
    GstStructure *found;
    double off;

    if (!**name || format == GST_VIDEO_FORMAT_GRAY8)
      continue;
    gst_video_info_set_format(&info, format, 203, 145);
    if (GST_VIDEO_INFO_IS_RGB(&info) && range == GST_VIDEO_COLOR_RANGE_16_235)
      continue; /* GStreamer leaves its range alone; another test covers it */
    info.colorimetry.range = range;
    gst_harness_set_src_caps(harness, gst_video_info_to_caps(&info));
    found = fixture_analyse(harness, convert(picture_of, &rgb, &info));
    off = difference(found, expected);
    fail_unless(off <= SAME_COLORS, "%s, range %d: a score is off by %g", *name, range, off);
    gst_structure_free(found);
  }
  gst_buffer_unref(picture_of);
  gst_structure_free(expected);
}

GST_START_TEST(test_every_format_and_range_gives_the_result_of_the_picture)
{
  GstHarness *harness = new_harness(FALSE);

  check_formats(harness, GST_VIDEO_COLOR_RANGE_16_235);
  check_formats(harness, GST_VIDEO_COLOR_RANGE_0_255);
  fixture_free(harness);
}
GST_END_TEST;

static GstStructure *classify_grey(GstHarness *harness, const char *format_and_color, guint8 level)
{
  g_autofree char *caps = g_strconcat(
      "video/x-raw, width=40, height=30, framerate=25/1, format=", format_and_color, NULL);
  GstVideoInfo info;

  gst_harness_set_src_caps_str(harness, caps);
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_RGB, 40, 30); /* enough bytes for gray, too */
  return fixture_analyse(harness, fixture_grey(&info, level, 0));
}

/* 73 of 255 and 79 of 16 to 235 are the same to a fifth of a step. */
GST_START_TEST(test_rgb_and_gray_of_limited_range_are_stretched)
{
  GstHarness *harness = new_harness(FALSE);
  GstStructure *full = classify_grey(harness, "RGB", 73);

  check_different(classify_grey(harness, "RGB", 79), full);
  check_same(classify_grey(harness, "RGB, colorimetry=2:1:7:1", 79), full, "RGB");
  check_same(classify_grey(harness, "GRAY8, colorimetry=2:4:0:0", 79), full, "GRAY8, limited");
  check_same(classify_grey(harness, "GRAY8, colorimetry=0:4:0:0", 73), full, "GRAY8, unknown");
  gst_structure_free(full);
  fixture_free(harness);
}
GST_END_TEST;

/* Frames of a camera that sets the full-range flag, and describes no colours. */
GST_START_TEST(test_unknown_fields_of_the_colorimetry_do_not_change_the_range)
{
  static const char *full[] = { "1:0:0:0", "1:4:0:0", "1:1:7:1" },
                    *limited[] = { "2:0:0:0", "0:4:0:0" };
  GstHarness *harness = new_harness(FALSE);
  GstStructure *results[2] = { NULL, NULL };

  for (guint i = 0; i < G_N_ELEMENTS(full) + G_N_ELEMENTS(limited); i++) {
    const gboolean is_full = i < G_N_ELEMENTS(full);
    g_autofree char *caps = g_strdup_printf(
        "video/x-raw, format=I420, width=64, height=48, framerate=25/1, colorimetry=%s",
        is_full ? full[i] : limited[i - G_N_ELEMENTS(full)]);
    GstVideoInfo info;
    GstStructure *s;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_I420, 64, 48);
    gst_harness_set_src_caps_str(harness, caps);
    s = fixture_analyse(harness, fixture_frame(&info, 1));
    if (results[is_full])
      fail_unless(difference(s, results[is_full]) == 0, "%s", caps);
    g_clear_pointer(&results[is_full], gst_structure_free);
    results[is_full] = s;
  }
  check_different(results[0], results[1]);
  gst_structure_free(results[1]);
  fixture_free(harness);
}
GST_END_TEST;

static Suite *picture_suite(void)
{
  Suite *suite = suite_create("picture");
  TCase *tcase = tcase_create("picture");
  const int n = G_N_ELEMENTS(orientations);

  suite_add_tcase(suite, tcase);
  tcase_add_loop_test(tcase, test_frames_are_turned_as_the_tag_says, 0, n);
  tcase_add_loop_test(tcase, test_the_property_turns_frames_whatever_the_tag_says, 0, n);
  tcase_add_test(tcase, test_a_new_orientation_ends_the_last_result);
  tcase_add_loop_test(tcase, test_regions_are_turned_where_they_are, 0, n);
  tcase_add_loop_test(tcase, test_results_tell_what_was_seen_of_the_stored_frame, 0,
                      n * (int)G_N_ELEMENTS(views));
  tcase_add_test(tcase, test_the_view_is_relative_to_the_crop_meta);
  tcase_add_test(tcase, test_pixels_that_are_not_square_are_taken_as_displayed);
  tcase_add_test(tcase, test_every_format_and_range_gives_the_result_of_the_picture);
  tcase_add_test(tcase, test_rgb_and_gray_of_limited_range_are_stretched);
  tcase_add_test(tcase, test_unknown_fields_of_the_colorimetry_do_not_change_the_range);
  return suite;
}

GST_CHECK_MAIN(picture);
