/* regions-pixels.c: which pixels of a region are classified, alone or in a batch. */
#include <string.h>

#include "classify/region-classifier.h"
#include "common/frame.h"
#include "regions-fixture.h"

/* Side of the test model's input: a region of this size is not resized. */
#define MODEL_SIZE 32

/* ---- Pixels ---- */

/* Classifies @part of @frame (transfer none) with the engine. */
static void classify_part(GstBuffer *frame, VitgateRectangle part, float *probabilities)
{
  GstCaps *caps = gst_pad_get_current_caps(regions_harness->srcpad);
  VitgateModel *model = vitgate_model_open(fixture_model(), NULL);
  VitgateSession *session = vitgate_session_new(model, NULL, NULL);
  GstVitgateFrameLayout layout;
  GstVitgateFrame mapped;
  const VitgateResult *result;
  const char *reason;

  fail_unless(gst_vitgate_frame_layout_init(&layout, caps));
  fail_unless(gst_vitgate_frame_map(&mapped, &layout, frame, &reason));
  mapped.image.part = part;
  result = vitgate_session_classify(session, &mapped.image, 1, NULL);
  fail_unless(result);
  memcpy(probabilities, result->probabilities, result->n_classes * sizeof *probabilities);
  gst_vitgate_frame_unmap(&mapped);
  vitgate_session_free(&session);
  vitgate_model_unref(&model);
  gst_caps_unref(caps);
}

static const GstVideoFormat formats[] = {
  GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_I420,  GST_VIDEO_FORMAT_YUY2,
  GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_GRAY8,
};

/* A region, and the part that the model should see. */
static const struct {
  VitgateRectangle place, part;
} places[] = {
  { { 13, 11, 21, 33 }, { 7, 11, 33, 33 } },          /* odd place and size */
  { { 0, 0, 10, 20 }, { 0, 0, 20, 20 } },             /* a corner of the frame */
  { { 90, 70, 30, 30 }, { 90, 66, 11, 11 } },         /* the opposite corner, partly outside */
  { { 3, 30, 95, 9 }, { 3, 0, 95, REGIONS_HEIGHT } }, /* longer than the frame is high */
  { { 40, 40, 1, 1 }, { 40, 40, 1, 1 } },             /* a single pixel */
  { { 0, 0, 500, 500 }, { 0, 0, REGIONS_WIDTH, REGIONS_HEIGHT } } /* the whole frame */
};

GST_START_TEST(test_each_region_is_classified_at_its_place)
{
  GstBuffer *frame, *copy;
  GstStructure *s;

  regions_use(regions_element(), formats[__i__]);
  g_object_set(regions_harness->element, "top-k", 1, NULL);
  frame = fixture_frame(&regions_info, 1);
  copy = gst_buffer_copy(frame);
  for (guint i = 0; i < G_N_ELEMENTS(places); i++)
    regions_attach(frame, "car", places[i].place.x, places[i].place.y, places[i].place.width,
                   places[i].place.height);
  s = fixture_analyse(regions_harness, frame);
  fail_unless_equals_int(regions_count(s), G_N_ELEMENTS(places));
  for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
    const GstStructure *found = regions_get(s, i);
    g_autofree float *expected = g_new(float, fixture_uint(found, "class-count"));
    classify_part(copy, places[i].part, expected);
    fail_unless(fixture_score(found, 0) == expected[fixture_index(found, 0)], "place %u", i);
  }
  gst_buffer_unref(copy);
  gst_structure_free(s);
}
GST_END_TEST;

/* Returns: (transfer full): the square of MODEL_SIZE pixels at @x, @y of @frame (transfer none), as
 * a frame of its own. */
static GstBuffer *cut_out(GstBuffer *frame, guint x, guint y, const GstVideoInfo *small)
{
  GstBuffer *part = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(small), NULL);
  GstVideoFrame from, to;

  fail_unless(gst_video_frame_map(&from, &regions_info, frame, GST_MAP_READ));
  fail_unless(gst_video_frame_map(&to, small, part, GST_MAP_WRITE));
  for (guint row = 0; row < MODEL_SIZE; row++)
    memcpy((guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&to, 0) +
               row * GST_VIDEO_FRAME_PLANE_STRIDE(&to, 0),
           (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&from, 0) +
               (y + row) * GST_VIDEO_FRAME_PLANE_STRIDE(&from, 0) + 3 * x,
           3 * MODEL_SIZE);
  gst_video_frame_unmap(&from);
  gst_video_frame_unmap(&to);
  return part;
}

GST_START_TEST(test_a_region_equals_a_frame_of_its_pixels)
{
  GstStructure *whole, *s;
  GstBuffer *frame, *copy, *part;
  GstVideoInfo small;

  regions_use(regions_element(), GST_VIDEO_FORMAT_RGB);
  frame = fixture_frame(&regions_info, 1);
  copy = gst_buffer_copy(frame);
  regions_attach(frame, "car", 37, 21, MODEL_SIZE, MODEL_SIZE);
  s = fixture_analyse(regions_harness, frame);

  gst_video_info_set_format(&small, GST_VIDEO_FORMAT_RGB, MODEL_SIZE, MODEL_SIZE);
  part = cut_out(copy, 37, 21, &small);
  regions_use(fixture_element(), GST_VIDEO_FORMAT_RGB);
  fixture_set_caps(regions_harness, GST_VIDEO_FORMAT_RGB, MODEL_SIZE, MODEL_SIZE, NULL);
  whole = fixture_analyse(regions_harness, part);
  regions_check_same(regions_get(s, 0), whole);
  gst_buffer_unref(copy);
  gst_structure_free(whole);
  gst_structure_free(s);
}
GST_END_TEST;

GST_START_TEST(test_regions_are_relative_to_the_crop_meta)
{
  GstBuffer *frame = fixture_frame(&regions_info, 1), *copy = gst_buffer_copy(frame);
  GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(frame);
  g_autofree float *expected = NULL;
  GstStructure *s;

  *crop = (GstVideoCropMeta){ crop->meta, .x = 20, .y = 10, .width = 60, .height = 50 };
  regions_attach(frame, "car", 10, 4, 30, 30);
  regions_attach(frame, "car", 50, 40, 30, 30);
  s = fixture_analyse(regions_harness, frame);
  expected = g_new(float, fixture_uint(regions_get(s, 0), "class-count"));
  classify_part(copy, (VitgateRectangle){ 30, 14, 30, 30 }, expected);
  fail_unless(fixture_score(regions_get(s, 0), 0) == expected[fixture_index(regions_get(s, 0), 0)]);
  fail_unless_equals_int(fixture_uint(regions_get(s, 1), "width"), 10);
  fail_unless_equals_int(fixture_uint(regions_get(s, 1), "height"), 10);
  gst_structure_free(s);
  gst_buffer_unref(copy);
}
GST_END_TEST;

/* ---- Batches ---- */

/* More regions than fit into one batch. Each image decides on its own which modules run. */
GST_START_TEST(test_a_batch_equals_single_regions)
{
  enum { N = GST_VITGATE_REGION_BATCH + 3 };
  static const char *const models[] = { "VITGATE_TEST_MODEL", "VITGATE_TEST_GATED_MODEL",
                                        "VITGATE_TEST_SHIPPED_MODEL" };
  GstElement *element = regions_element();
  GstBuffer *frame;
  GstStructure *together;

  g_object_set(element, "model", g_getenv(models[__i__]), NULL);
  regions_use(element, GST_VIDEO_FORMAT_NV12);
  frame = fixture_frame(&regions_info, 1);
  for (guint i = 0; i < N; i++)
    regions_attach(frame, "car", 2 * i, i, 12 + i / 3, 30);
  together = fixture_analyse(regions_harness, frame);
  fail_unless_equals_int(regions_count(together), N);
  for (guint i = 0; i < N; i++) {
    GstStructure *alone;
    frame = fixture_frame(&regions_info, 1);
    regions_attach(frame, "car", 2 * i, i, 12 + i / 3, 30);
    alone = fixture_analyse(regions_harness, frame);
    regions_check_same(regions_get(together, i), regions_get(alone, 0));
    gst_structure_free(alone);
  }
  gst_structure_free(together);
}
GST_END_TEST;

static Suite *regions_pixels_suite(void)
{
  Suite *suite = suite_create("regions-pixels");
  TCase *tcase = tcase_create("regions-pixels");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, regions_setup, regions_teardown);
  tcase_add_loop_test(tcase, test_each_region_is_classified_at_its_place, 0, G_N_ELEMENTS(formats));
  tcase_add_test(tcase, test_a_region_equals_a_frame_of_its_pixels);
  tcase_add_test(tcase, test_regions_are_relative_to_the_crop_meta);
  tcase_add_loop_test(tcase, test_a_batch_equals_single_regions, 0, 3);
  return suite;
}

GST_CHECK_MAIN(regions_pixels);
