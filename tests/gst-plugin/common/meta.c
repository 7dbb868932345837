/* meta.c: a VitgateMeta after changes of its frame's geometry. */
#include "common/meta.h"

#include "attached.h"
#include "common/results.h"
#include "fixture.h"

static GstBuffer *frame, *changed;

static void setup(void)
{
  gst_vitgate_meta_register();
  frame = attached_frame(NULL);
  changed = gst_buffer_new();
}

static void teardown(void)
{
  gst_buffer_unref(frame);
  gst_buffer_unref(changed);
}

/* Returns: whether the frame's only result is on @changed after a change of @type. */
static gboolean change(GQuark type, gpointer data)
{
  const GstMetaInfo *info = gst_meta_get_info("VitgateMeta");
  GstMeta *meta = gst_buffer_get_meta(frame, info->api);
  const gboolean done = info->transform_func(changed, meta, frame, type, data);

  fail_unless_equals_int(done, fixture_result(changed) != NULL);
  return done;
}

/* Returns: as change(), for frames of these sizes and pixel aspect ratios. */
static gboolean scale(gint width, gint height, gint par_n, gint to_width, gint to_height,
                      gint to_par_n, gint to_par_d)
{
  GstVideoInfo from, to;
  GstVideoMetaTransform data = { &from, &to };

  gst_video_info_set_format(&from, GST_VIDEO_FORMAT_RGB, (guint)width, (guint)height);
  gst_video_info_set_format(&to, GST_VIDEO_FORMAT_RGB, (guint)to_width, (guint)to_height);
  GST_VIDEO_INFO_PAR_N(&from) = par_n;
  GST_VIDEO_INFO_PAR_N(&to) = to_par_n;
  GST_VIDEO_INFO_PAR_D(&to) = to_par_d;
  return change(gst_video_meta_transform_scale_get_quark(), &data);
}

static const GstStructure *region(guint n)
{
  const GstStructure *found = NULL;
  guint i = 0;

  for (guint k = 0; k <= n; k++)
    found = gst_vitgate_results_next_region(fixture_result(changed), &i);
  return found;
}

static void check_place_of(const GstStructure *s, guint x, guint y, guint width, guint height)
{
  fail_unless(fixture_uint(s, "x") == x && fixture_uint(s, "y") == y &&
                  fixture_uint(s, "width") == width && fixture_uint(s, "height") == height,
              "%ux%u at %u, %u, expected %ux%u at %u, %u", fixture_uint(s, "width"),
              fixture_uint(s, "height"), fixture_uint(s, "x"), fixture_uint(s, "y"), width, height,
              x, y);
}

static void check_place(guint n, guint x, guint y, guint width, guint height)
{
  const GstStructure *s = region(n);

  fail_unless(s, "no region %u", n);
  check_place_of(s, x, y, width, height);
}

GST_START_TEST(test_regions_follow_a_scale)
{
  attached_regions(attached_result(frame), attached_region(10, 20, 30, 40, 7, "cat"),
                   attached_region(319, 239, 1, 1, -1, "dog"),
                   attached_region(0, 0, 320, 240, -1, NULL), NULL);
  gst_structure_set(attached_result(frame), "model-name", G_TYPE_STRING, "deit", NULL);
  fail_unless(scale(320, 240, 1, 160, 120, 1, 1));
  check_place(0, 5, 10, 15, 20);
  check_place(1, 159, 119, 1, 1);
  check_place(2, 0, 0, 160, 120);
  fail_if(region(3));
  fail_unless_equals_string(fixture_string(region(0), "label"), "cat");
  fail_unless_equals_int(gst_value_array_get_size(gst_structure_get_value(region(0), "labels")), 1);
}
GST_END_TEST;

GST_START_TEST(test_every_other_field_stays)
{
  GstStructure *s = attached_result(frame);

  attached_regions(s, attached_region(10, 20, 30, 40, 7, "cat"), NULL);
  gst_structure_set(s, "model-name", G_TYPE_STRING, "deit", "gmacs", G_TYPE_DOUBLE, 0.5, NULL);
  fail_unless(scale(320, 240, 1, 640, 480, 1, 1));
  check_place(0, 20, 40, 60, 80);
  fail_unless_equals_string(fixture_string(fixture_result(changed), "model-name"), "deit");
  fail_unless(fixture_double(fixture_result(changed), "gmacs") == 0.5);
}
GST_END_TEST;

GST_START_TEST(test_regions_follow_another_shape_of_pixels)
{
  attached_regions(attached_result(frame), attached_region(10, 20, 30, 40, 7, "cat"), NULL);
  fail_unless(scale(320, 240, 1, 160, 160, 4, 3));
  check_place(0, 5, 13, 15, 26);
}
GST_END_TEST;

GST_START_TEST(test_regions_follow_sizes_that_are_rounded)
{
  attached_regions(attached_result(frame), attached_region(10, 20, 30, 40, 7, "cat"), NULL);
  fail_unless(scale(1920, 1080, 1, 100, 56, 1, 1));
  check_place(0, 0, 1, 1, 2);
}
GST_END_TEST;

/* A stretched picture and one with borders cannot be told apart. */
GST_START_TEST(test_regions_are_dropped_with_another_aspect_ratio)
{
  attached_regions(attached_result(frame), attached_region(10, 20, 30, 40, 7, "cat"), NULL);
  fail_if(scale(320, 240, 1, 160, 160, 1, 1));
  fail_if(scale(320, 240, 1, 320, 180, 1, 1));
  fail_if(scale(320, 240, 2, 320, 240, 1, 1));
  fail_if(scale(0, 0, 1, 320, 240, 1, 1));
}
GST_END_TEST;

GST_START_TEST(test_results_of_whole_frames_stay_with_any_scale)
{
  attached_label(attached_result(frame), "cat");
  fail_unless(scale(320, 240, 1, 160, 160, 1, 1));
  fail_unless_equals_string(fixture_label(fixture_result(changed), 0), "cat");
}
GST_END_TEST;

GST_START_TEST(test_maps_of_patches_follow_a_scale)
{
  GstStructure *s = attached_result(frame);
  GValue maps = G_VALUE_INIT, item = G_VALUE_INIT;
  GstVitgateTokenMap map;

  gst_value_array_init(&maps, 1);
  g_value_init(&item, GST_TYPE_STRUCTURE);
  g_value_take_boxed(&item, gst_structure_from_string(
                                "token-map,x=(int)0,y=(int)-40,width=(uint)320,height=(uint)320,"
                                "columns=(uint)1,n-modules=(uint)4,counts=(string)03",
                                NULL));
  gst_value_array_append_and_take_value(&maps, &item);
  gst_structure_take_value(s, "token-maps", &maps);
  fail_unless(scale(320, 240, 1, 160, 120, 1, 1));
  fail_unless(gst_vitgate_token_map_get(fixture_result(changed), 0, &map));
  fail_unless(map.place.x == 0 && map.place.y == -20 && map.place.w == 160 && map.place.h == 160);
  fail_unless_equals_int(gst_vitgate_token_map_count(&map, 0, 0), 3);

  gst_buffer_unref(changed);
  changed = gst_buffer_new();
  fail_unless(scale(320, 240, 1, 160, 160, 1, 1));
  fail_if(gst_structure_has_field(fixture_result(changed), "token-maps"));
}
GST_END_TEST;

/* Attaches the result of a frame of which the model has seen the middle. */
static void attach_seen(void)
{
  GstStructure *s = attached_result(frame);

  attached_label(s, "cat");
  gst_structure_set(s, "x", G_TYPE_UINT, 40, "y", G_TYPE_UINT, 0, "width", G_TYPE_UINT, 240,
                    "height", G_TYPE_UINT, 240, NULL);
}

GST_START_TEST(test_what_was_seen_follows_a_scale)
{
  attach_seen();
  fail_unless(scale(320, 240, 1, 160, 120, 1, 1));
  check_place_of(fixture_result(changed), 20, 0, 120, 120);
  fail_unless_equals_string(fixture_label(fixture_result(changed), 0), "cat");
}
GST_END_TEST;

GST_START_TEST(test_what_was_seen_is_unknown_with_another_aspect_ratio)
{
  attach_seen();
  fail_unless(scale(320, 240, 1, 160, 160, 1, 1));
  for (guint i = 0; i < 4; i++)
    fail_if(gst_structure_has_field(fixture_result(changed),
                                    (const char *[]){ "x", "y", "width", "height" }[i]));
  fail_unless_equals_string(fixture_label(fixture_result(changed), 0), "cat");
}
GST_END_TEST;

GST_START_TEST(test_unknown_changes_drop_the_meta)
{
  attached_label(attached_result(frame), "cat");
  fail_if(change(g_quark_from_static_string("a-swirl"), NULL));
}
GST_END_TEST;

GST_START_TEST(test_copies_keep_everything)
{
  GstStructure *s = attached_result(frame), *odd = attached_region(10, 20, 30, 40, 7, "cat");
  GstBuffer *copy;

  gst_structure_set(odd, "x", G_TYPE_STRING, "left", NULL);
  attached_regions(s, odd, attached_region(9000, 1, G_MAXUINT, 1, -1, NULL), NULL);
  gst_structure_set(s, "state", G_TYPE_STRING, "fresh", NULL);
  copy = gst_buffer_copy(frame);
  fail_unless(gst_structure_is_equal(fixture_result(copy), s));
  gst_buffer_unref(copy);
}
GST_END_TEST;

GST_START_TEST(test_regions_without_a_place_are_dropped)
{
  GstStructure *odd = attached_region(10, 20, 30, 40, 7, "odd");

  gst_structure_set(odd, "x", G_TYPE_STRING, "left", NULL);
  attached_regions(attached_result(frame), odd, attached_region(1, 1, G_MAXUINT, 1, -1, "long"),
                   attached_region(400, 1, 9, 9, -1, "outside"),
                   attached_region(10, 20, 30, 40, 7, "cat"), NULL);
  fail_unless(scale(320, 240, 1, 160, 120, 1, 1));
  check_place(0, 5, 10, 15, 20);
  fail_if(region(1));
}
GST_END_TEST;

#ifdef HAVE_GST_VIDEO_MATRIX
/* Crops 100 pixels on the left of frames of 320 x 240. */
static gboolean crop(void)
{
  const GstVideoRectangle from = { 100, 0, 220, 240 }, to = { 0, 0, 220, 240 };
  GstVideoMetaTransformMatrix matrix;
  GstVideoInfo in, out;

  gst_video_info_set_format(&in, GST_VIDEO_FORMAT_RGB, 320, 240);
  gst_video_info_set_format(&out, GST_VIDEO_FORMAT_RGB, 220, 240);
  gst_video_meta_transform_matrix_init(&matrix, &in, &from, &out, &to);
  return change(gst_video_meta_transform_matrix_get_quark(), &matrix);
}

GST_START_TEST(test_what_was_seen_follows_a_crop_that_is_described)
{
  attach_seen();
  fail_unless(crop());
  check_place_of(fixture_result(changed), 0, 0, 180, 240);
}
GST_END_TEST;

GST_START_TEST(test_regions_follow_a_crop_that_is_described)
{
  attached_regions(attached_result(frame), attached_region(10, 20, 30, 40, 7, "outside"),
                   attached_region(90, 20, 30, 40, 7, "half"),
                   attached_region(150, 20, 30, 40, 7, "whole"), NULL);
  fail_unless(crop());
  check_place(0, 0, 20, 20, 40);
  check_place(1, 50, 20, 30, 40);
  fail_if(region(2));
}
GST_END_TEST;
#endif

static Suite *meta_suite(void)
{
  Suite *suite = suite_create("meta");
  TCase *tcase = tcase_create("meta");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_test(tcase, test_regions_follow_a_scale);
  tcase_add_test(tcase, test_every_other_field_stays);
  tcase_add_test(tcase, test_regions_follow_another_shape_of_pixels);
  tcase_add_test(tcase, test_regions_follow_sizes_that_are_rounded);
  tcase_add_test(tcase, test_regions_are_dropped_with_another_aspect_ratio);
  tcase_add_test(tcase, test_results_of_whole_frames_stay_with_any_scale);
  tcase_add_test(tcase, test_maps_of_patches_follow_a_scale);
  tcase_add_test(tcase, test_what_was_seen_follows_a_scale);
  tcase_add_test(tcase, test_what_was_seen_is_unknown_with_another_aspect_ratio);
  tcase_add_test(tcase, test_unknown_changes_drop_the_meta);
  tcase_add_test(tcase, test_copies_keep_everything);
  tcase_add_test(tcase, test_regions_without_a_place_are_dropped);
#ifdef HAVE_GST_VIDEO_MATRIX
  tcase_add_test(tcase, test_what_was_seen_follows_a_crop_that_is_described);
  tcase_add_test(tcase, test_regions_follow_a_crop_that_is_described);
#endif
  return suite;
}

GST_CHECK_MAIN(meta);
