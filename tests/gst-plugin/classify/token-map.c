/* token-map.c: how many modules ran for each patch, as vitgate attaches it. */
#include "common/token-map.h"
#include "common/orientation.h"
#include "fixture.h"

/* Of the model's input in both directions. */
#define COLUMNS 4

/* Modules that run for red patches, and for others. */
#define OPEN   4
#define CLOSED 1

static GstHarness *new_harness(const char *fit)
{
  GstElement *element = fixture_element();

  g_object_set(element, "model", fixture_path("VITGATE_TEST_TOKEN_MODEL"), "token-map", TRUE, NULL);
  gst_util_set_object_arg(G_OBJECT(element), "fit", fit);
  return fixture_harness(element);
}

/* Returns: a frame that is red at the left of @red and blue elsewhere. */
static GstBuffer *half_red(const GstVideoInfo *info, gint red)
{
  GstBuffer *frame = gst_buffer_new_allocate(NULL, info->size, NULL);
  GstMapInfo map;

  fail_unless(gst_buffer_map(frame, &map, GST_MAP_WRITE));
  memset(map.data, 0, map.size);
  for (gint i = 0; i < info->width * info->height; i++) {
    const gint x = i % info->width, y = i / info->width;

    map.data[y * info->stride[0] + 3 * x + (x < red ? 0 : 2)] = 255;
  }
  gst_buffer_unmap(frame, &map);
  return frame;
}

/* Returns: (transfer full): the result of a frame whose left half is red. */
static GstStructure *classify_half(GstHarness *harness, guint width, guint height)
{
  GstVideoInfo info;

  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, width, height, &info);
  return fixture_analyse(harness, half_red(&info, (gint)width / 2));
}

GST_START_TEST(test_counts_of_each_patch)
{
  GstHarness *harness = new_harness("crop");
  g_autoptr(GstStructure) s = NULL;
  GstVitgateTokenMap map;

  /* The counts lie as the frame does, whatever way it is turned upright. */
  g_object_set(harness->element, "orientation", __i__, NULL);
  s = classify_half(harness, 16, 16);
  fail_unless(gst_vitgate_token_map_get(s, 0, &map));
  fail_if(gst_vitgate_token_map_get(s, 1, &map));
  fail_unless_equals_int(map.columns, COLUMNS);
  fail_unless_equals_int(map.n_modules, OPEN);
  for (guint row = 0; row < COLUMNS; row++)
    for (guint column = 0; column < COLUMNS; column++)
      fail_unless_equals_int(gst_vitgate_token_map_count(&map, row, column),
                             column < COLUMNS / 2 ? OPEN : CLOSED);
  fixture_free(harness);
}
GST_END_TEST;

GST_START_TEST(test_the_place_of_patches_follows_fit)
{
  static const struct {
    const char *fit;
    guint width, height;
    GstVideoRectangle place;
  } cases[] = {
    { "crop", 64, 32, { 16, 0, 32, 32 } },       { "crop", 32, 64, { 0, 16, 32, 32 } },
    { "squash", 64, 32, { 0, 0, 64, 32 } },      { "letterbox", 64, 32, { 0, -16, 64, 64 } },
    { "letterbox", 32, 64, { -16, 0, 64, 64 } }, { "model", 64, 32, { 16, 0, 32, 32 } },
  };

  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    GstHarness *harness = new_harness(cases[i].fit);
    g_autoptr(GstStructure) s = NULL;
    const GstVideoRectangle *place = &cases[i].place;
    GstVitgateTokenMap map;

    s = classify_half(harness, cases[i].width, cases[i].height);
    fail_unless(gst_vitgate_token_map_get(s, 0, &map));
    fail_unless(map.place.x == place->x && map.place.y == place->y && map.place.w == place->w &&
                    map.place.h == place->h,
                "%s: %d, %d, %d x %d", cases[i].fit, map.place.x, map.place.y, map.place.w,
                map.place.h);
    fixture_free(harness);
  }
}
GST_END_TEST;

GST_START_TEST(test_each_square_has_a_map)
{
  GstHarness *harness = new_harness("squares");
  g_autoptr(GstStructure) s = classify_half(harness, 48, 32);
  GstVitgateTokenMap maps[2], none;

  /* The squares overlap by a third of the frame's width. */
  fail_unless(gst_vitgate_token_map_get(s, 0, &maps[0]));
  fail_unless(gst_vitgate_token_map_get(s, 1, &maps[1]));
  fail_if(gst_vitgate_token_map_get(s, 2, &none));
  fail_unless(maps[0].place.x == 0 && maps[1].place.x == 16);
  for (guint i = 0; i < 2; i++)
    fail_unless(maps[i].place.y == 0 && maps[i].place.w == 32 && maps[i].place.h == 32);
  for (guint column = 0; column < COLUMNS; column++) {
    fail_unless_equals_int(gst_vitgate_token_map_count(&maps[0], 0, column),
                           column < 3 ? OPEN : CLOSED);
    fail_unless_equals_int(gst_vitgate_token_map_count(&maps[1], 0, column),
                           column < 1 ? OPEN : CLOSED);
  }
  fixture_free(harness);
}
GST_END_TEST;

GST_START_TEST(test_pixels_that_are_not_square)
{
  VitgateModelInfo model = { .image_size = 224, .resize = 256, .fit = VITGATE_FIT_CROP };
  VitgateImage image = { .width = 256, .height = 512, .pixel_width = 2, .pixel_height = 1 };
  GstVitgateTokenView place = gst_vitgate_token_place(&model, VITGATE_FIT_MODEL, &image);

  fail_unless(place.place.x == 16 && place.place.w == 224 && place.place.y == 32 &&
              place.place.h == 448);
  image = (VitgateImage){ .width = 224, .height = 224 };
  place = gst_vitgate_token_place(&model, VITGATE_FIT_MODEL, &image);
  fail_unless(place.place.x == 0 && place.place.w == 224, "such an image is taken as it is");
}
GST_END_TEST;

GST_START_TEST(test_only_on_request_and_while_playing)
{
  GstHarness *harness = new_harness("crop");

  for (guint i = 0; i < 3; i++) {
    g_autoptr(GstStructure) s = NULL;

    g_object_set(harness->element, "token-map", i == 1, NULL);
    s = classify_half(harness, 16, 16);
    fail_unless(gst_structure_has_field(s, "token-maps") == (i == 1));
  }
  fixture_free(harness);
}
GST_END_TEST;

GST_START_TEST(test_maps_that_cannot_be_used_are_not_read)
{
  static const char *fields[] = {
    "",
    "x=(int)0,y=(int)0,width=(uint)8,height=(uint)8,columns=(uint)2,n-modules=(uint)4",
    "x=(int)0,y=(int)0,width=(uint)8,height=(uint)8,columns=(uint)2,n-modules=(uint)4,"
    "counts=(string)010203",
    "x=(int)0,y=(int)0,width=(uint)8,height=(uint)8,columns=(uint)2,n-modules=(uint)4,"
    "counts=(string)0102030x",
    "x=(int)0,y=(int)0,width=(uint)0,height=(uint)8,columns=(uint)2,n-modules=(uint)4,"
    "counts=(string)01020304",
    "x=(int)0,y=(int)0,width=(uint)8,height=(uint)8,columns=(uint)4000000000,n-modules=(uint)4,"
    "counts=(string)01020304",
    "x=(int)-2147483648,y=(int)0,width=(uint)8,height=(uint)8,columns=(uint)2,"
    "n-modules=(uint)4,counts=(string)01020304",
    "x=(int)0,y=(int)0,width=(uint)8,height=(uint)8,columns=(int)2,n-modules=(uint)4,"
    "counts=(string)01020304",
  };

  for (guint i = 0; i < G_N_ELEMENTS(fields); i++) {
    g_autofree char *text = g_strdup_printf("token-map%s%s", *fields[i] ? "," : "", fields[i]);
    GstStructure *s = gst_structure_new_empty("result");
    GValue maps = G_VALUE_INIT, item = G_VALUE_INIT;
    GstVitgateTokenMap map;

    gst_value_array_init(&maps, 1);
    g_value_init(&item, GST_TYPE_STRUCTURE);
    g_value_take_boxed(&item, gst_structure_from_string(text, NULL));
    fail_unless(g_value_get_boxed(&item) != NULL);
    gst_value_array_append_and_take_value(&maps, &item);
    gst_structure_take_value(s, "token-maps", &maps);
    fail_if(gst_vitgate_token_map_get(s, 0, &map), "%s", text);
    gst_structure_free(s);
  }
}
GST_END_TEST;

static Suite *token_map_suite(void)
{
  Suite *suite = suite_create("token-map");
  TCase *tests = tcase_create("general");

  tcase_add_loop_test(tests, test_counts_of_each_patch, 0, 8);
  tcase_add_test(tests, test_the_place_of_patches_follows_fit);
  tcase_add_test(tests, test_each_square_has_a_map);
  tcase_add_test(tests, test_pixels_that_are_not_square);
  tcase_add_test(tests, test_only_on_request_and_while_playing);
  tcase_add_test(tests, test_maps_that_cannot_be_used_are_not_read);
  suite_add_tcase(suite, tests);
  return suite;
}

GST_CHECK_MAIN(token_map);
