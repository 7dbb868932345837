/* picture.c: a frame is classified as it is to be displayed, however its pixels are stored. */
#include <math.h>

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
  GstHarness *harness = new_harness(FALSE);
  GstStructure *expected, *narrow;
  GstVideoInfo info;

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
  tcase_add_test(tcase, test_pixels_that_are_not_square_are_taken_as_displayed);
  return suite;
}

GST_CHECK_MAIN(picture);
