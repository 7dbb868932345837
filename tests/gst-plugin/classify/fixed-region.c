/* fixed-region.c: a fixed part of the frame behaves like a stream of that part. */
#include "classify/fixed-region.h"

#include <string.h>

#include "regions-fixture.h"

#define WIDTH  101
#define HEIGHT 77

/* ---- Its text ------------------------------------------------------------------------------ */

GST_START_TEST(test_regions_are_read_and_placed)
{
  static const struct {
    const char *text;
    guint width, height;
    VitgateRectangle place;
  } cases[] = {
    { "", 640, 480, { 0, 0, 640, 480 } },
    { "10,20,30,40", 640, 480, { 10, 20, 30, 40 } },
    { " 10 , 20, 630 ,460 ", 640, 480, { 10, 20, 630, 460 } },
    { "0,0,100%,100%", 641, 481, { 0, 0, 641, 481 } },
    { "0,0,50%,100%", 641, 480, { 0, 0, 321, 480 } }, /* halves share no column, and lack none */
    { "50%,0,50%,100%", 641, 480, { 321, 0, 320, 480 } },
    { "33.3%,0,66.7%,10%", 1000, 1000, { 333, 0, 667, 100 } },
    { "12.5%,25%,64,48", 640, 480, { 80, 120, 64, 48 } },
    { "99.99%,0,0.01%,1", 640, 480, { 639, 0, 1, 1 } },
    { "0,0,0.001%,100.%", 640, 480, { 0, 0, 1, 480 } },
    { "100,0,50%,480", 640, 480, { 100, 0, 320, 480 } },
  };

  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    GstVitgateFixedRegion region;
    VitgateRectangle place;

    fail_unless(gst_vitgate_fixed_region_parse(cases[i].text, &region, &error), "%s: %s",
                cases[i].text, error ? error->message : "");
    fail_unless(gst_vitgate_fixed_region_place(&region, cases[i].width, cases[i].height, &place) &&
                    memcmp(&place, &cases[i].place, sizeof place) == 0,
                "%s: %ux%u at %u,%u", cases[i].text, place.width, place.height, place.x, place.y);
  }
}
GST_END_TEST;

GST_START_TEST(test_a_text_that_is_no_region_is_refused)
{
  static const char *texts[] = {
    ",",           "1,2,3",      "1,2,3,4,5",        "a,2,3,4",
    "1,2,3,",      "1,2,-3,4",   "+1,2,3,4",         "1.5,2,3,4",
    "1,2,0,4",     "1,2,3,0%",   "1,2,3,101%",       "60%,0,50%,100%",
    "nan,2,3,4",   "inf%,2,3,4", "0x1,2,3,4",        "1e2%,2,3,4",
    "1,2,3,99999", "1,2,3,4 px", "1,2,3,%",          "1,2,3,.5%",
    "1;2;3;4",     "1 0,2,3,4",  "1,2,3,4%%",        "0,0,1,1.2.3%",
    "x",           "1,5%,3,99%", "1,2,3,4294967297", "1,2,3,18446744073709551617",
  };

  for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_autoptr(GError) error = NULL;
    GstVitgateFixedRegion region = { .set = TRUE, .x = { 7, FALSE } };

    fail_if(gst_vitgate_fixed_region_parse(texts[i], &region, &error), "%s", texts[i]);
    fail_unless(strstr(error->message, texts[i]) && strstr(error->message, "expected"), "%s",
                error->message);
    fail_unless(region.x.value == 7);
  }
}
GST_END_TEST;

/* ---- Its pixels ---------------------------------------------------------------------------- */

static const GstVideoFormat formats[] = {
  GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_RGB,   GST_VIDEO_FORMAT_BGRx,
  GST_VIDEO_FORMAT_Y42B, GST_VIDEO_FORMAT_Y444, GST_VIDEO_FORMAT_GRAY8, GST_VIDEO_FORMAT_P010_10LE,
};

static const VitgateRectangle places[] = {
  { 12, 10, 40, 30 }, { 13, 11, 40, 30 }, { 13, 10, 41, 31 }, { 60, 44, 41, 33 },
  { 0, 0, 101, 77 },  { 3, 5, 90, 20 },   { 100, 76, 1, 1 },  { 51, 0, 1, 77 },
};

/* Returns: (transfer full): what videocrop leaves of @frame (transfer none). */
static GstBuffer *crop(GstBuffer *frame, const GstVideoInfo *info, const VitgateRectangle *place,
                       const GstVideoInfo *small)
{
  GstBuffer *part = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(small), NULL);
  GstVideoFrame from, to;

  fail_unless(gst_video_frame_map(&from, info, frame, GST_MAP_READ));
  fail_unless(gst_video_frame_map(&to, small, part, GST_MAP_WRITE));
  for (guint c = 0, p = 0; p < GST_VIDEO_INFO_N_PLANES(info); p++, c++) {
    const guint step = GST_VIDEO_FRAME_COMP_PSTRIDE(&from, c); /* of all components in the plane */
    const guint x = place->x >> GST_VIDEO_FORMAT_INFO_W_SUB(info->finfo, c);
    const guint y = place->y >> GST_VIDEO_FORMAT_INFO_H_SUB(info->finfo, c);

    for (gint row = 0; row < GST_VIDEO_FRAME_COMP_HEIGHT(&to, c); row++)
      memcpy((guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&to, p) +
                 row * GST_VIDEO_FRAME_PLANE_STRIDE(&to, p),
             (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&from, p) +
                 (y + row) * GST_VIDEO_FRAME_PLANE_STRIDE(&from, p) + x * step,
             GST_VIDEO_FRAME_COMP_WIDTH(&to, c) * step);
  }
  gst_video_frame_unmap(&from);
  gst_video_frame_unmap(&to);
  return part;
}

/* Returns: an element that looks at @region (nullable) of a frame. */
static GstHarness *new_harness(const char *region, const char *fit)
{
  GstElement *element = fixture_element();

  g_object_set(element, "region", region, "top-k", 1000, NULL);
  gst_util_set_object_arg(G_OBJECT(element), "fit", fit);
  return fixture_harness(element);
}

/* Returns: one that takes over from one frame to the next. */
static GstHarness *new_temporal_harness(const char *region)
{
  GstElement *element = fixture_element();

  g_object_set(element, "region", region, "top-k", 1000, NULL);
  gst_util_set_object_arg(G_OBJECT(element), "temporal", "on");
  return fixture_harness(element);
}

static void check_equals_crop(GstVideoFormat format, const VitgateRectangle *place, const char *fit)
{
  g_autofree char *region =
      g_strdup_printf("%u,%u,%u,%u", place->x, place->y, place->width, place->height);
  GstHarness *whole = new_harness(region, fit), *cropped = new_harness(NULL, fit);
  GstVideoInfo info, small;
  GstStructure *a, *b;
  GstBuffer *frame;

  fixture_set_caps(whole, format, WIDTH, HEIGHT, &info);
  fixture_set_caps(cropped, format, place->width, place->height, &small);
  frame = fixture_frame(&info, 1);
  b = fixture_analyse(cropped, crop(frame, &info, place, &small));
  a = fixture_analyse(whole, frame);
  regions_check_same(a, b);
  fail_unless_equals_int(fixture_uint(a, "views"), fixture_uint(b, "views"));
  fail_unless_equals_int(fixture_uint(a, "x"), fixture_uint(b, "x") + place->x);
  fail_unless_equals_int(fixture_uint(a, "y"), fixture_uint(b, "y") + place->y);
  fail_unless_equals_int(fixture_uint(a, "width"), fixture_uint(b, "width"));
  fail_unless_equals_int(fixture_uint(a, "height"), fixture_uint(b, "height"));
  gst_structure_free(a);
  gst_structure_free(b);
  fixture_free(whole);
  fixture_free(cropped);
}

GST_START_TEST(test_a_region_equals_a_cropped_stream)
{
  static const char *fits[] = { "squares", "squash", "crop", "letterbox", "model" };

  for (guint p = 0; p < G_N_ELEMENTS(places); p++)
    check_equals_crop(formats[__i__], &places[p], fits[p % G_N_ELEMENTS(fits)]);
  for (guint f = 0; f < G_N_ELEMENTS(fits); f++)
    check_equals_crop(formats[__i__], &places[1], fits[f]);
}
GST_END_TEST;

/* Luma of YUY2 cannot be moved without its chroma. */
GST_START_TEST(test_an_odd_column_of_interleaved_chroma_gets_the_one_before)
{
  GstHarness *odd = new_harness("13,11,40,30", "squares"),
             *even = new_harness("12,11,41,30", "squares");
  GstVideoInfo info;
  GstStructure *a, *b;

  fixture_set_caps(odd, GST_VIDEO_FORMAT_YUY2, WIDTH, HEIGHT, &info);
  fixture_set_caps(even, GST_VIDEO_FORMAT_YUY2, WIDTH, HEIGHT, &info);
  a = fixture_classify(odd, &info, 1);
  b = fixture_classify(even, &info, 1);
  regions_check_same(a, b);
  fail_unless_equals_int(fixture_uint(a, "x"), 12);
  fail_unless_equals_int(fixture_uint(a, "width"), 41);
  gst_structure_free(a);
  gst_structure_free(b);
  fixture_free(odd);
  fixture_free(even);
}
GST_END_TEST;

/* The region of a lying picture is that of the frame as it is stored. */
GST_START_TEST(test_a_region_is_in_the_frame_as_stored)
{
  GstHarness *turned = new_harness("10,20,50,30", "squares");
  GstVideoInfo info;
  GstStructure *s;

  gst_util_set_object_arg(G_OBJECT(turned->element), "orientation", "90r");
  fixture_set_caps(turned, GST_VIDEO_FORMAT_NV12, WIDTH, HEIGHT, &info);
  s = fixture_classify(turned, &info, 1);
  fail_unless_equals_int(fixture_uint(s, "x"), 10);
  fail_unless_equals_int(fixture_uint(s, "y"), 20);
  fail_unless_equals_int(fixture_uint(s, "width"), 50);
  fail_unless_equals_int(fixture_uint(s, "height"), 30);
  gst_structure_free(s);
  fixture_free(turned);
}
GST_END_TEST;

GST_START_TEST(test_token_maps_lie_in_the_region)
{
  GstHarness *harness = new_harness("20,10,60,30", "squares");
  const GstStructure *map;
  GstVideoInfo info;
  GstStructure *s;
  gint x, y;

  g_object_set(harness->element, "token-map", TRUE, NULL);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, &info);
  s = fixture_classify(harness, &info, 1);
  for (guint i = 0; i < 2; i++) {
    map = gst_value_get_structure(
        gst_value_array_get_value(gst_structure_get_value(s, "token-maps"), i));
    fail_unless(gst_structure_get(map, "x", G_TYPE_INT, &x, "y", G_TYPE_INT, &y, NULL));
    fail_unless_equals_int(x, i ? 50 : 20);
    fail_unless_equals_int(y, 10);
    fail_unless_equals_int(fixture_uint(map, "width"), 30);
  }
  gst_structure_free(s);
  fixture_free(harness);
}
GST_END_TEST;

/* ---- Refusals ------------------------------------------------------------------------------ */

/* Checks that the next message of @type has @words. */
static void check_message(GstElement *element, GstMessageType type, const char *words)
{
  GstMessage *message = fixture_message(element, GST_MESSAGE_ERROR | GST_MESSAGE_WARNING);
  g_autoptr(GError) error = NULL;

  fail_unless(message && GST_MESSAGE_TYPE(message) == type, "no message with \"%s\"", words);
  if (type == GST_MESSAGE_ERROR)
    gst_message_parse_error(message, &error, NULL);
  else
    gst_message_parse_warning(message, &error, NULL);
  fail_unless(strstr(error->message, words), "no \"%s\" in: %s", words, error->message);
  gst_message_unref(message);
}

GST_START_TEST(test_a_region_beyond_the_frame_is_an_error_once_its_size_is_known)
{
  static const char *regions[] = { "62,0,40,10", "0,70,10,8", "200,0,10,10", "50%,0,52,10" };

  for (guint i = 0; i < G_N_ELEMENTS(regions); i++) {
    g_autofree char *words = g_strdup_printf("%s reaches beyond the frame of 101x77", regions[i]);
    GstHarness *harness = new_harness(regions[i], "squares");
    GstVideoInfo info;

    fixture_set_caps(harness, GST_VIDEO_FORMAT_I420, WIDTH, HEIGHT, &info);
    check_message(harness->element, GST_MESSAGE_ERROR, words);
    fail_unless_equals_int(gst_harness_push(harness, fixture_frame(&info, 1)),
                           GST_FLOW_NOT_NEGOTIATED);
    fixture_free(harness);
  }
}
GST_END_TEST;

GST_START_TEST(test_a_stream_that_becomes_too_small_is_an_error)
{
  GstHarness *harness = new_harness("60,40,41,37", "squares");
  GstVideoInfo info;

  fixture_set_caps(harness, GST_VIDEO_FORMAT_I420, WIDTH, HEIGHT, &info);
  gst_structure_free(fixture_classify(harness, &info, 1));
  fixture_set_caps(harness, GST_VIDEO_FORMAT_I420, WIDTH - 1, HEIGHT, NULL);
  check_message(harness->element, GST_MESSAGE_ERROR, "60,40,41,37 reaches beyond");
  fixture_free(harness);
}
GST_END_TEST;

GST_START_TEST(test_a_bad_text_is_an_error_at_the_start)
{
  GstElement *element = fixture_element();

  g_object_set(element, "region", "1,2,3", NULL);
  fail_unless_equals_int(gst_element_set_state(element, GST_STATE_PAUSED),
                         GST_STATE_CHANGE_FAILURE);
  check_message(element, GST_MESSAGE_ERROR, "\"1,2,3\" has 3 numbers");
  gst_element_set_state(element, GST_STATE_NULL);
  fixture_forget_messages(element);
  gst_object_unref(element);
}
GST_END_TEST;

static void check_x(GstHarness *harness, const GstVideoInfo *info, guint seed, guint x,
                    const char *state)
{
  GstStructure *s = fixture_classify(harness, info, seed);

  fail_unless_equals_int(fixture_uint(s, "x"), x);
  fail_unless_equals_string(fixture_string(s, "state"), state);
  gst_structure_free(s);
}

GST_START_TEST(test_a_bad_change_keeps_the_region_and_warns)
{
  GstHarness *harness = new_harness("10,0,40,40", "squares");
  GstVideoInfo info;
  g_autofree char *text = NULL;

  fixture_set_caps(harness, GST_VIDEO_FORMAT_I420, WIDTH, HEIGHT, &info);
  check_x(harness, &info, 1, 10, "fresh");
  g_object_set(harness->element, "region", "10,0,40", NULL);
  check_message(harness->element, GST_MESSAGE_WARNING, "\"10,0,40\"");
  g_object_set(harness->element, "inference-interval", 100, NULL);
  check_x(harness, &info, 2, 10, "interval");
  g_object_set(harness->element, "region", "80,0,40,40", NULL);
  check_x(harness, &info, 3, 10, "interval");
  check_message(harness->element, GST_MESSAGE_WARNING, "80,0,40,40 reaches beyond");
  check_x(harness, &info, 4, 10, "interval");
  fail_if(fixture_message(harness->element, GST_MESSAGE_WARNING), "two warnings");
  g_object_get(harness->element, "region", &text, NULL);
  fail_unless_equals_string(text, "80,0,40,40");
  fixture_free(harness);
}
GST_END_TEST;

GST_START_TEST(test_a_visible_part_that_lacks_the_region_is_passed_with_a_warning)
{
  GstHarness *harness = new_harness("10,0,40,40", "squares");
  GstVideoCropMeta *crop_meta;
  GstBuffer *frame;
  GstStructure *s;
  GstVideoInfo info;

  fixture_set_caps(harness, GST_VIDEO_FORMAT_I420, WIDTH, HEIGHT, &info);
  frame = fixture_frame(&info, 1);
  crop_meta = gst_buffer_add_video_crop_meta(frame);
  crop_meta->x = crop_meta->y = 20;
  crop_meta->width = crop_meta->height = 50;
  s = fixture_analyse(harness, frame);
  fail_unless_equals_int(fixture_uint(s, "x"), 10);
  gst_structure_free(s);

  frame = fixture_frame(&info, 2);
  crop_meta = gst_buffer_add_video_crop_meta(frame);
  crop_meta->x = crop_meta->y = 20;
  crop_meta->width = crop_meta->height = 49;
  s = fixture_analyse(harness, frame);
  fail_unless_equals_string(fixture_string(s, "state"), "empty");
  check_message(harness->element, GST_MESSAGE_WARNING, "beyond its visible part");
  gst_structure_free(s);
  fixture_free(harness);
}
GST_END_TEST;

/* ---- Changes ------------------------------------------------------------------------------- */

GST_START_TEST(test_a_new_region_starts_anew)
{
  GstHarness *harness = new_temporal_harness("0,0,50,77");
  GstStructure *s, *alone;
  GstVideoInfo info;

  g_object_set(harness->element, "inference-interval", 100, "smoothing", 1.0, NULL);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, &info);
  check_x(harness, &info, 1, 0, "fresh");
  check_x(harness, &info, 1, 0, "interval");
  g_object_set(harness->element, "region", "51,0,50,77", NULL);
  s = fixture_classify(harness, &info, 1);
  fail_unless_equals_string(fixture_string(s, "state"), "fresh");
  fail_unless_equals_string(fixture_string(s, "pass-reason"), "first");
  fixture_free(harness);

  harness = new_temporal_harness("51,0,50,77");
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, &info);
  alone = fixture_classify(harness, &info, 1);
  regions_check_same(s, alone);
  gst_structure_free(s);
  gst_structure_free(alone);
  fixture_free(harness);
}
GST_END_TEST;

GST_START_TEST(test_the_same_region_again_changes_nothing)
{
  GstHarness *harness = new_harness("10,0,40,40", "squares");
  GstVideoInfo info;

  g_object_set(harness->element, "inference-interval", 100, NULL);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, &info);
  check_x(harness, &info, 1, 10, "fresh");
  g_object_set(harness->element, "region", "10, 0, 40, 40", NULL);
  check_x(harness, &info, 2, 10, "interval");
  g_object_set(harness->element, "region", NULL, NULL);
  check_x(harness, &info, 3, 0, "fresh");
  fixture_free(harness);
}
GST_END_TEST;

/* Sets bytes of an RGB frame from column @x on. */
static void paint(GstBuffer *frame, const GstVideoInfo *info, guint x, guint8 level)
{
  GstMapInfo map;

  fail_unless(gst_buffer_map(frame, &map, GST_MAP_WRITE));
  for (gint row = 0; row < info->height; row++)
    memset(map.data + row * info->stride[0] + 3 * x, level, 3 * (info->width - x));
  gst_buffer_unmap(frame, &map);
}

GST_START_TEST(test_what_happens_outside_the_region_is_no_change)
{
  GstHarness *harness = new_temporal_harness("0,0,50,77");
  GstVideoInfo info;
  GstStructure *s;
  GstBuffer *frame;

  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, &info);
  check_x(harness, &info, 1, 0, "fresh");
  frame = fixture_frame(&info, 1);
  paint(frame, &info, 50, 255);
  s = fixture_analyse(harness, frame);
  fail_unless_equals_string(fixture_string(s, "state"), "unchanged");
  gst_structure_free(s);
  frame = fixture_frame(&info, 1);
  paint(frame, &info, 40, 255);
  s = fixture_analyse(harness, frame);
  fail_unless_equals_string(fixture_string(s, "state"), "fresh");
  gst_structure_free(s);
  fixture_free(harness);
}
GST_END_TEST;

GST_START_TEST(test_only_objects_in_the_region_are_classified)
{
  GstElement *element = regions_element();
  GstStructure *s;
  GstBuffer *frame;

  g_object_set(element, "region", "20,10,40,30", NULL);
  regions_use(element, GST_VIDEO_FORMAT_NV12);
  frame = fixture_frame(&regions_info, 1);
  regions_attach(frame, "car", 0, 0, 38, 30);   /* its centre is left of the region */
  regions_attach(frame, "car", 0, 0, 40, 30);   /* on its first column */
  regions_attach(frame, "car", 50, 30, 18, 18); /* on its last pixel */
  regions_attach(frame, "car", 50, 30, 20, 18); /* right of it */
  regions_attach(frame, "car", 50, 31, 18, 18); /* below it */
  s = fixture_analyse(regions_harness, frame);
  fail_unless_equals_int(regions_count(s), 2);
  fail_unless_equals_int(fixture_uint(regions_get(s, 0), "width"), 40);
  fail_unless_equals_int(fixture_uint(regions_get(s, 1), "y"), 30);
  gst_structure_free(s);
  fixture_free(regions_harness);
  regions_harness = NULL;
}
GST_END_TEST;

/* ---- Its name ------------------------------------------------------------------------------ */

GST_START_TEST(test_results_carry_the_name_of_a_look)
{
  GstHarness *harness = new_harness("0,0,50,77", "squares");
  GstVideoRegionOfInterestMeta *roi;
  GstMessage *message;
  GstVideoInfo info;
  GstBuffer *out;

  g_object_set(harness->element, "look", "the \xffgate", "post-messages", TRUE, NULL);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, &info);
  out = fixture_process(harness, fixture_frame(&info, 1));
  fail_unless_equals_string(fixture_string(fixture_result(out), "look"), "the \ufffdgate");
  roi = gst_buffer_get_video_region_of_interest_meta_id(out, -1);
  fail_unless_equals_int(roi->w, 50);
  fail_unless_equals_string(fixture_string(gst_video_region_of_interest_meta_get_param(
                                               roi, "classification_layer_name:logits"),
                                           "look"),
                            "the \ufffdgate");
  message = fixture_message(harness->element, GST_MESSAGE_ELEMENT);
  fail_unless_equals_string(fixture_string(gst_message_get_structure(message), "look"),
                            "the \ufffdgate");
  gst_message_unref(message);
  gst_buffer_unref(out);
  g_object_set(harness->element, "look", "", NULL);
  out = fixture_process(harness, fixture_frame(&info, 2));
  fail_if(gst_structure_has_field(fixture_result(out), "look"));
  gst_buffer_unref(out);
  fixture_free(harness);
}
GST_END_TEST;

/* ---- What the network found ---------------------------------------------------------------- */

GST_START_TEST(test_features_are_attached_if_asked_for)
{
  GstHarness *harness = new_harness(NULL, "squash");
  g_autoptr(VitgateModel) model = vitgate_model_open(fixture_model(), NULL);
  g_autoptr(VitgateSession) session =
      vitgate_session_new(model, &(VitgateSessionOptions){ .fit = VITGATE_FIT_SQUASH }, NULL);
  const VitgateResult *result;
  const GValue *features;
  VitgateImage image;
  GstVideoInfo info;
  GstStructure *s;
  GstBuffer *frame;
  GstMapInfo map;

  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, &info);
  s = fixture_classify(harness, &info, 1);
  fail_if(gst_structure_has_field(s, "features"));
  gst_structure_free(s);
  g_object_set(harness->element, "features", TRUE, NULL);
  s = fixture_classify(harness, &info, 1);
  features = gst_structure_get_value(s, "features");
  frame = fixture_frame(&info, 1);
  fail_unless(gst_buffer_map(frame, &map, GST_MAP_READ));
  image = (VitgateImage){ .format = VITGATE_PIXELS_RGB,
                          .width = WIDTH,
                          .height = HEIGHT,
                          .planes = { map.data },
                          .strides = { (gsize)info.stride[0] } };
  result = vitgate_session_classify(session, &image, 1, NULL);
  fail_unless_equals_int(gst_value_array_get_size(features),
                         vitgate_model_get_info(model)->n_features);
  for (guint i = 0; i < gst_value_array_get_size(features); i++)
    fail_unless(g_value_get_double(gst_value_array_get_value(features, i)) == result->features[i]);
  gst_buffer_unmap(frame, &map);
  gst_buffer_unref(frame);
  gst_structure_free(s);
  fixture_free(harness);
}
GST_END_TEST;

static Suite *fixed_region_suite(void)
{
  Suite *suite = suite_create("fixed-region");
  TCase *tcase = tcase_create("fixed-region");

  suite_add_tcase(suite, tcase);
  tcase_add_test(tcase, test_regions_are_read_and_placed);
  tcase_add_test(tcase, test_a_text_that_is_no_region_is_refused);
  tcase_add_loop_test(tcase, test_a_region_equals_a_cropped_stream, 0, G_N_ELEMENTS(formats));
  tcase_add_test(tcase, test_an_odd_column_of_interleaved_chroma_gets_the_one_before);
  tcase_add_test(tcase, test_a_region_is_in_the_frame_as_stored);
  tcase_add_test(tcase, test_token_maps_lie_in_the_region);
  tcase_add_test(tcase, test_a_region_beyond_the_frame_is_an_error_once_its_size_is_known);
  tcase_add_test(tcase, test_a_stream_that_becomes_too_small_is_an_error);
  tcase_add_test(tcase, test_a_bad_text_is_an_error_at_the_start);
  tcase_add_test(tcase, test_a_bad_change_keeps_the_region_and_warns);
  tcase_add_test(tcase, test_a_visible_part_that_lacks_the_region_is_passed_with_a_warning);
  tcase_add_test(tcase, test_a_new_region_starts_anew);
  tcase_add_test(tcase, test_the_same_region_again_changes_nothing);
  tcase_add_test(tcase, test_what_happens_outside_the_region_is_no_change);
  tcase_add_test(tcase, test_only_objects_in_the_region_are_classified);
  tcase_add_test(tcase, test_results_carry_the_name_of_a_look);
  tcase_add_test(tcase, test_features_are_attached_if_asked_for);
  return suite;
}

GST_CHECK_MAIN(fixed_region);
