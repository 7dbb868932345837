/* views.c: squares cover a frame, and their results become one. */
#include "classify/views.h"

#include "fixture.h"

#define WIDTH  97
#define HEIGHT 55

/* ---- Places -------------------------------------------------------------------------------- */

static guint place(VitgateRectangle *places, guint width, guint height, guint pixel_width,
                   guint pixel_height)
{
  const VitgateImage image = {
    .width = width, .height = height, .pixel_width = pixel_width, .pixel_height = pixel_height
  };

  return gst_vitgate_views_place(places, &image);
}

GST_START_TEST(test_wide_frames_have_two_squares)
{
  static const struct {
    guint width, height, pixel_width, pixel_height, n;
    VitgateRectangle first, last;
  } cases[] = {
    { 224, 224, 0, 0, 1, { 0, 0, 224, 224 }, { 0, 0, 224, 224 } },
    { 600, 500, 1, 1, 1, { 0, 0, 600, 500 }, { 0, 0, 600, 500 } },
    { 601, 500, 1, 1, 2, { 0, 0, 500, 500 }, { 101, 0, 500, 500 } },
    { 640, 480, 1, 1, 2, { 0, 0, 480, 480 }, { 160, 0, 480, 480 } },
    { 1280, 720, 0, 0, 2, { 0, 0, 720, 720 }, { 560, 0, 720, 720 } },
    { 720, 1280, 0, 0, 2, { 0, 0, 720, 720 }, { 0, 560, 720, 720 } },
    { 720, 576, 16, 11, 2, { 0, 0, 396, 576 }, { 324, 0, 396, 576 } },
    { 720, 576, 9, 10, 1, { 0, 0, 720, 576 }, { 0, 0, 720, 576 } },
    { 2560, 1080, 1, 1, 2, { 0, 0, 1280, 1080 }, { 1280, 0, 1280, 1080 } },
    { 4001, 1000, 1, 1, 2, { 0, 0, 2001, 1000 }, { 2000, 0, 2001, 1000 } },
    { 1, 1, 5, 1, 1, { 0, 0, 1, 1 }, { 0, 0, 1, 1 } },
    { 2, 1, 1, 1, 2, { 0, 0, 1, 1 }, { 1, 0, 1, 1 } },
  };

  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    VitgateRectangle places[GST_VITGATE_MAX_VIEWS];
    const guint n =
        place(places, cases[i].width, cases[i].height, cases[i].pixel_width, cases[i].pixel_height);

    fail_unless(n == cases[i].n, "case %u: %u squares", i, n);
    fail_if(memcmp(&places[0], &cases[i].first, sizeof *places), "case %u: the first", i);
    fail_if(memcmp(&places[n - 1], &cases[i].last, sizeof *places), "case %u: the last", i);
  }
}
GST_END_TEST;

/* Checks the squares along an axis of @pixels. */
static void check_cover(const VitgateRectangle *places, guint n, guint pixels, gboolean wide,
                        const char *what)
{
  guint end = 0;

  for (guint i = 0; i < n; i++) {
    const guint start = wide ? places[i].x : places[i].y;
    const guint length = wide ? places[i].width : places[i].height;

    fail_unless(start <= end && length > 0, "%s: a gap before square %u", what, i);
    end = start + length;
    fail_unless(end <= pixels, "%s: square %u reaches beyond the frame", what, i);
  }
  fail_unless(end == pixels, "%s: the frame's end is not covered", what);
}

GST_START_TEST(test_squares_cover_frames_of_any_shape)
{
  static const guint sizes[] = { 1, 2, 3, 5, 17, 100, 479, 721, 1080, 4001, 32767 };
  static const guint shapes[][2] = { { 0, 0 },   { 1, 1 },    { 16, 11 },
                                     { 10, 11 }, { 1, 1000 }, { G_MAXINT, 1 } };

  for (guint w = 0; w < G_N_ELEMENTS(sizes); w++)
    for (guint h = 0; h < G_N_ELEMENTS(sizes); h++)
      for (guint s = 0; s < G_N_ELEMENTS(shapes); s++) {
        g_autofree char *what = g_strdup_printf("%ux%u, pixels of %u:%u", sizes[w], sizes[h],
                                                shapes[s][0], shapes[s][1]);
        VitgateRectangle places[GST_VITGATE_MAX_VIEWS];
        const guint n = place(places, sizes[w], sizes[h], shapes[s][0], shapes[s][1]);
        const gboolean wide = places[0].height == sizes[h];

        fail_unless(n >= 1 && n <= GST_VITGATE_MAX_VIEWS, "%s: %u squares", what, n);
        check_cover(places, n, wide ? sizes[w] : sizes[h], wide, what);
      }
}
GST_END_TEST;

/* ---- Results ------------------------------------------------------------------------------- */

/* Returns: (transfer full): an element with that fit and all classes. */
static GstHarness *new_harness(const char *fit)
{
  GstElement *element = fixture_element();

  if (fit)
    gst_util_set_object_arg(G_OBJECT(element), "fit", fit);
  g_object_set(element, "top-k", 1000, NULL);
  return fixture_harness(element);
}

/* Returns: (transfer full): results of two squares by the engine itself. */
static VitgateSession *classify_squares(GstBuffer *frame, const GstVideoInfo *info,
                                        const VitgateResult **results)
{
  const VitgateSessionOptions options = { .max_batch = 2 };
  g_autoptr(GError) error = NULL;
  g_autoptr(VitgateModel) model = vitgate_model_open(fixture_model(), &error);
  VitgateSession *session = vitgate_session_new(model, &options, &error);
  VitgateImage images[2];
  GstMapInfo map;

  fail_unless(session && gst_buffer_map(frame, &map, GST_MAP_READ));
  images[0] = (VitgateImage){ .format = VITGATE_PIXELS_RGB,
                              .width = WIDTH,
                              .height = HEIGHT,
                              .planes = { map.data },
                              .strides = { (gsize)info->stride[0] },
                              .part = { 0, 0, HEIGHT, HEIGHT } };
  images[1] = images[0];
  images[1].part.x = WIDTH - HEIGHT;
  *results = vitgate_session_classify(session, images, 2, &error);
  fail_unless(*results);
  gst_buffer_unmap(frame, &map);
  return session;
}

GST_START_TEST(test_a_class_has_its_best_score_of_any_square)
{
  GstHarness *harness = new_harness(NULL); /* squares are the default of this model */
  const VitgateResult *results;
  VitgateSession *session;
  GstVideoInfo info;
  GstBuffer *frame;
  GstStructure *s;

  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, &info);
  frame = fixture_frame(&info, 1);
  session = classify_squares(frame, &info, &results);
  s = fixture_analyse(harness, frame);
  fail_unless_equals_int(fixture_uint(s, "views"), 2);
  for (guint i = 0; i < fixture_uint(s, "n-results"); i++) {
    const guint c = fixture_index(s, i);

    fail_unless(fixture_score(s, i) ==
                MAX(results[0].probabilities[c], results[1].probabilities[c]));
  }
  fail_unless(ABS(fixture_double(s, "gmacs") - results[0].gmacs - results[1].gmacs) < 1e-9);
  fail_unless(ABS(2 * fixture_double(s, "compute-ratio") - results[0].compute_ratio -
                  results[1].compute_ratio) < 1e-9);
  fail_unless_equals_int(fixture_uint(s, "tokens"), results[0].n_tokens + results[1].n_tokens);
  fail_unless(fixture_uint(s, "x") == 0 && fixture_uint(s, "y") == 0);
  fail_unless(fixture_uint(s, "width") == WIDTH && fixture_uint(s, "height") == HEIGHT);
  gst_structure_free(s);
  vitgate_session_free(&session);
  fixture_free(harness);
}
GST_END_TEST;

GST_START_TEST(test_up_to_six_to_five_squares_are_one_squashed_frame)
{
  GstHarness *squares = new_harness("squares"), *squash = new_harness("squash");
  GstStructure *a, *b;
  GstVideoInfo info;

  fixture_set_caps(squares, GST_VIDEO_FORMAT_NV12, 66, 55, &info);
  fixture_set_caps(squash, GST_VIDEO_FORMAT_NV12, 66, 55, &info);
  a = fixture_classify(squares, &info, 1);
  b = fixture_classify(squash, &info, 1);
  fail_unless_equals_int(fixture_uint(a, "views"), 1);
  fail_unless_equals_int(fixture_uint(b, "views"), 1);
  for (guint i = 0; i < fixture_uint(a, "n-results"); i++)
    fail_unless(fixture_index(a, i) == fixture_index(b, i) &&
                fixture_score(a, i) == fixture_score(b, i));
  gst_structure_free(a);
  gst_structure_free(b);
  fixture_free(squares);
  fixture_free(squash);
}
GST_END_TEST;

/* Paints the columns from @x up to @end. */
static void paint(GstBuffer *frame, const GstVideoInfo *info, gint x, gint end, guint8 red,
                  guint8 green, guint8 blue)
{
  GstMapInfo map;

  fail_unless(gst_buffer_map(frame, &map, GST_MAP_READWRITE));
  for (gint row = 0; row < info->height; row++)
    for (gint column = x; column < end; column++) {
      guint8 *pixel = map.data + row * info->stride[0] + 3 * column;

      pixel[0] = red;
      pixel[1] = green;
      pixel[2] = blue;
    }
  gst_buffer_unmap(frame, &map);
}

/* Returns: (transfer full): the label of a bluish frame of 1280x720 with a red object. */
static char *label_of_red_at(const char *fit, gint x)
{
  GstElement *element = fixture_element();
  GstVideoInfo info;
  GstHarness *harness;
  GstStructure *s;
  GstBuffer *frame;
  char *label;

  gst_util_set_object_arg(G_OBJECT(element), "fit", fit);
  g_object_set(element, "model", fixture_path("VITGATE_TEST_GATED_MODEL"), NULL);
  harness = fixture_harness(element);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 1280, 720, &info);
  frame = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&info), NULL);
  paint(frame, &info, 0, info.width, 110, 110, 140);
  paint(frame, &info, x, x + 280, 255, 0, 0);
  s = fixture_analyse(harness, frame);
  label = g_strdup(fixture_string(s, "label"));
  gst_structure_free(s);
  fixture_free(harness);
  return label;
}

GST_START_TEST(test_an_object_at_either_edge_is_seen)
{
  static const gint places[] = { 0, 500, 1000 };

  for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
    g_autofree char *squares = label_of_red_at("squares", places[i]);
    g_autofree char *crop = label_of_red_at("crop", places[i]);

    fail_unless(g_str_equal(squares, "red"), "at %d: %s", places[i], squares);
    fail_unless(g_str_equal(crop, i == 1 ? "red" : "blue"), "crop, at %d: %s", places[i], crop);
  }
}
GST_END_TEST;

GST_START_TEST(test_a_change_in_any_square_is_a_change)
{
  GstHarness *harness = new_harness("squares");
  static const gint places[] = { -1, 0, -1, WIDTH - 10, WIDTH - 10 };
  static const char *states[] = { "fresh", "fresh", "fresh", "fresh", "unchanged" };
  GstVideoInfo info;

  g_object_set(harness->element, "reuse-threshold", 0.03, NULL);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, &info);
  for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
    GstBuffer *frame = fixture_grey(&info, 100, i * 40 * GST_MSECOND);
    GstStructure *s;

    if (places[i] >= 0)
      paint(frame, &info, places[i], places[i] + 10, 250, 250, 250);
    s = fixture_analyse(harness, frame);
    fail_unless(g_str_equal(fixture_string(s, "state"), states[i]), "frame %u is %s", i,
                fixture_string(s, "state"));
    gst_structure_free(s);
  }
  fixture_free(harness);
}
GST_END_TEST;

/* The session has memory for all squares of later caps. */
GST_START_TEST(test_the_number_of_squares_follows_the_caps)
{
  static const guint sizes[][3] = {
    { 97, 55, 2 }, { 64, 64, 1 }, { 200, 61, 2 }, { 61, 66, 1 }, { 45, 99, 2 }
  };
  GstHarness *harness = new_harness("squares");

  for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
    GstVideoInfo info;
    GstStructure *s;

    fixture_set_caps(harness, GST_VIDEO_FORMAT_I420, sizes[i][0], sizes[i][1], &info);
    s = fixture_classify(harness, &info, i);
    fail_unless_equals_int(fixture_uint(s, "views"), sizes[i][2]);
    fail_unless_equals_int(fixture_uint(s, "width"), sizes[i][0]);
    gst_structure_free(s);
  }
  fixture_free(harness);
}
GST_END_TEST;

GST_START_TEST(test_frames_are_seen_as_the_model_was_taught)
{
  static const struct {
    const char *model, *fit;
    guint views, width;
  } cases[] = {
    { "VITGATE_TEST_MODEL", "auto", 2, WIDTH },
    { "VITGATE_TEST_TAUGHT_CHANNELS", "auto", 1, WIDTH },
    { "VITGATE_TEST_TAUGHT_CHANNELS", "squares", 2, WIDTH },
    { "VITGATE_TEST_TAUGHT_CENTRES", "auto", 1, HEIGHT + 2 /* resampling reads beyond */ },
    { "VITGATE_TEST_TAUGHT_CENTRES", "squares", 2, WIDTH },
  };

  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    GstElement *element = fixture_element();
    GstHarness *harness;
    GstVideoInfo info;
    GstStructure *s;

    g_object_set(element, "model", fixture_path(cases[i].model), NULL);
    gst_util_set_object_arg(G_OBJECT(element), "fit", cases[i].fit);
    harness = fixture_harness(element);
    fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, &info);
    s = fixture_classify(harness, &info, 1);
    fail_unless_equals_int(fixture_uint(s, "views"), cases[i].views);
    fail_unless_equals_int(fixture_uint(s, "width"), cases[i].width);
    gst_structure_free(s);
    fixture_free(harness);
  }
}
GST_END_TEST;

static Suite *views_suite(void)
{
  Suite *suite = suite_create("views");
  TCase *tcase = tcase_create("views");

  suite_add_tcase(suite, tcase);
  tcase_add_test(tcase, test_wide_frames_have_two_squares);
  tcase_add_test(tcase, test_squares_cover_frames_of_any_shape);
  tcase_add_test(tcase, test_a_class_has_its_best_score_of_any_square);
  tcase_add_test(tcase, test_up_to_six_to_five_squares_are_one_squashed_frame);
  tcase_add_test(tcase, test_an_object_at_either_edge_is_seen);
  tcase_add_test(tcase, test_a_change_in_any_square_is_a_change);
  tcase_add_test(tcase, test_the_number_of_squares_follows_the_caps);
  tcase_add_test(tcase, test_frames_are_seen_as_the_model_was_taught);
  return suite;
}

GST_CHECK_MAIN(views);
