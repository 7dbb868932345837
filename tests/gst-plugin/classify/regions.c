/* regions.c: reading the regions attached by a detector, the part of the frame that the model sees,
 * and the memory of results. */
#include "classify/regions.h"

#include <gst/check/gstcheck.h>

#include "classify/region-memory.h"

#ifdef HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>
#endif

/* Size of the frame. */
#define WIDTH  640
#define HEIGHT 480

static GstBuffer *buffer;
static GArray *regions;
static GstVitgateRegionFilter filter;
static GstVitgateRegionsSkipped skipped_regions;

static void setup(void)
{
  buffer = gst_buffer_new();
  regions = g_array_new(FALSE, FALSE, sizeof(GstVitgateRegion));
  filter = (GstVitgateRegionFilter){ .types = NULL, .min_size = 1, .max = 100 };
}

static void teardown(void)
{
  gst_buffer_unref(buffer);
  g_array_unref(regions);
}

static GstVideoRegionOfInterestMeta *attach(const char *type, gint x, gint y, gint width,
                                            gint height)
{
  return gst_buffer_add_video_region_of_interest_meta(buffer, type, x, y, width, height);
}

static void attach_object_id(GstVideoRegionOfInterestMeta *roi, gint id)
{
  gst_video_region_of_interest_meta_add_param(
      roi, gst_structure_new("object_id", "id", G_TYPE_INT, id, NULL));
}

static const GstVitgateRegion *region(guint i)
{
  fail_unless(i < regions->len, "there are only %u regions", regions->len);
  return &g_array_index(regions, GstVitgateRegion, i);
}

static void read_regions(guint expected)
{
  gst_vitgate_regions_read(regions, buffer, &filter, WIDTH, HEIGHT, &skipped_regions);
  fail_unless_equals_int(regions->len, expected);
}

static void check_place(const VitgateRectangle *place, guint x, guint y, guint width, guint height)
{
  fail_unless(place->x == x && place->y == y && place->width == width && place->height == height,
              "%ux%u at %u, %u, expected %ux%u at %u, %u", place->width, place->height, place->x,
              place->y, width, height, x, y);
}

/* ---- Reading ---- */

GST_START_TEST(test_regions_keep_the_detectors_order)
{
  GstVideoRegionOfInterestMeta *car = attach("car", 10, 20, 30, 40);

  attach("person", 1, 2, 3, 4);
  read_regions(2);
  check_place(&region(0)->place, 10, 20, 30, 40);
  check_place(&region(1)->place, 1, 2, 3, 4);
  fail_unless_equals_string(g_quark_to_string(region(0)->type), "car");
  fail_unless_equals_string(g_quark_to_string(region(1)->type), "person");
  fail_unless(region(0)->roi == car);
  fail_unless_equals_int(region(0)->detection, -1);
  fail_unless(skipped_regions.bad == 0 && skipped_regions.beyond == 0);
}
GST_END_TEST;

GST_START_TEST(test_reading_replaces_the_last_frame)
{
  attach("car", 10, 20, 30, 40);
  read_regions(1);
  gst_buffer_unref(buffer);
  buffer = gst_buffer_new();
  read_regions(0);
}
GST_END_TEST;

GST_START_TEST(test_vitgates_own_region_is_ignored)
{
  attach("full-frame", 0, 0, WIDTH, HEIGHT);
  read_regions(0);
  fail_unless_equals_int(skipped_regions.bad, 0);
}
GST_END_TEST;

GST_START_TEST(test_only_wanted_types_are_read)
{
  attach("car", 0, 0, 9, 9);
  attach("person", 0, 0, 9, 9);
  attach("cat, Egyptian", 0, 0, 9, 9);
  attach(NULL, 0, 0, 9, 9);
  filter.types = "person";
  read_regions(1);
  fail_unless_equals_string(g_quark_to_string(region(0)->type), "person");
  filter.types = " dog , person,car";
  read_regions(2);
  filter.types = "cat, Egyptian";
  read_regions(1);
  filter.types = "perso";
  read_regions(0);
  filter.types = "";
  read_regions(4);
}
GST_END_TEST;

GST_START_TEST(test_small_regions_are_skipped)
{
  attach("car", 0, 0, 20, 20);
  attach("car", 0, 0, 19, 100);
  attach("car", 0, 0, 100, 19);
  attach("car", WIDTH - 19, 0, 30, 30); /* 19 columns within the frame */
  filter.min_size = 20;
  read_regions(1);
  fail_unless(skipped_regions.bad == 0 && skipped_regions.beyond == 0);
  filter.min_size = 19;
  read_regions(4);
}
GST_END_TEST;

GST_START_TEST(test_regions_are_clipped_to_the_frame)
{
  attach("car", WIDTH - 10, HEIGHT - 20, 100, 100);
  attach("car", -5, -7, 20, 20);
  attach("car", -5, -7, WIDTH + 50, HEIGHT + 50);
  attach("car", WIDTH - 1, HEIGHT - 1, G_MAXINT, G_MAXINT);
  read_regions(4);
  check_place(&region(0)->place, WIDTH - 10, HEIGHT - 20, 10, 20);
  check_place(&region(1)->place, 0, 0, 15, 13);
  check_place(&region(2)->place, 0, 0, WIDTH, HEIGHT);
  check_place(&region(3)->place, WIDTH - 1, HEIGHT - 1, 1, 1);
  fail_unless_equals_int(skipped_regions.bad, 0);
}
GST_END_TEST;

GST_START_TEST(test_regions_without_a_pixel_are_bad)
{
  attach("car", WIDTH, 0, 10, 10);
  attach("car", 0, HEIGHT, 10, 10);
  attach("car", -10, 0, 10, 10);
  attach("car", 5, 5, 0, 10);
  attach("car", 5, 5, 10, 0);
  attach("car", 5, 5, -1, -1);
  attach("car", G_MAXINT, G_MININT, 10, 10);
  attach("bus", 5, 5, 1, 1);
  read_regions(1);
  fail_unless_equals_int(skipped_regions.bad, 7);
  filter.types = "bus";
  read_regions(1);
  fail_unless_equals_int(skipped_regions.bad, 0);
}
GST_END_TEST;

GST_START_TEST(test_excess_regions_are_skipped)
{
  for (guint i = 0; i < 3000; i++)
    attach("car", i % 600, i / 600, 10, 10);
  read_regions(100);
  fail_unless_equals_int(skipped_regions.beyond, 2900);
  check_place(&region(99)->place, 99, 0, 10, 10);
}
GST_END_TEST;

GST_START_TEST(test_ids_of_trackers_are_found)
{
  attach("car", 0, 0, 9, 9);
  attach("car", 0, 0, 9, 9)->id = 7;
  attach_object_id(attach("car", 0, 0, 9, 9), 0);
  GstVideoRegionOfInterestMeta *both = attach("car", 0, 0, 9, 9);
  both->id = 7;
  attach_object_id(both, 12);
  attach_object_id(attach("car", 0, 0, 9, 9), -1);
  read_regions(5);
  fail_if(region(0)->tracked);
  fail_unless(region(1)->tracked && region(1)->id == 7);
  fail_unless(region(2)->tracked && region(2)->id == 0);
  fail_unless(region(3)->tracked && region(3)->id == 12);
  fail_if(region(4)->tracked);
}
GST_END_TEST;

#ifdef HAVE_GST_ANALYTICS

static GstAnalyticsODMtd detect(const char *type, gint x, gint y, gint width, gint height)
{
  GstAnalyticsODMtd mtd;

  fail_unless(gst_analytics_relation_meta_add_od_mtd(gst_buffer_add_analytics_relation_meta(buffer),
                                                     g_quark_from_string(type), x, y, width, height,
                                                     0.5f, &mtd));
  return mtd;
}

static GstAnalyticsTrackingMtd track(guint64 id)
{
  GstAnalyticsTrackingMtd mtd;

  fail_unless(gst_analytics_relation_meta_add_tracking_mtd(
      gst_buffer_add_analytics_relation_meta(buffer), id, 0, &mtd));
  return mtd;
}

static void relate(const GstAnalyticsMtd *from, const GstAnalyticsMtd *to)
{
  fail_unless(gst_analytics_relation_meta_set_relation(from->meta, GST_ANALYTICS_REL_TYPE_RELATE_TO,
                                                       from->id, to->id));
}

GST_START_TEST(test_detections_of_analytics_are_read)
{
  GstAnalyticsODMtd car = detect("car", 10, 20, 30, 40);

  detect("person", -5, -5, 10, 10);
  detect("person", WIDTH, 0, 10, 10);
  read_regions(2);
  check_place(&region(0)->place, 10, 20, 30, 40);
  check_place(&region(1)->place, 0, 0, 5, 5);
  fail_unless_equals_int(region(0)->detection, car.id);
  fail_unless(region(0)->roi == NULL);
  fail_unless_equals_int(skipped_regions.bad, 1);
  filter.types = "car";
  read_regions(1);
}
GST_END_TEST;

GST_START_TEST(test_an_object_attached_in_both_forms_is_one_region)
{
  GstVideoRegionOfInterestMeta *roi = attach("car", 10, 20, 30, 40);
  GstAnalyticsODMtd van, car;

  van = detect("van", 10, 20, 30, 40);
  car = detect("car", 10, 20, 30, 40);
  detect("car", 10, 20, 30, 40);
  detect("car", 10, 20, 30, 41);
  roi->id = car.id;
  read_regions(4);
  fail_unless(region(0)->roi == roi);
  fail_unless_equals_int(region(0)->detection, car.id);
  fail_if(region(0)->tracked, "the id of a detection is not a tracker's");
  fail_unless_equals_int(region(1)->detection, van.id);
}
GST_END_TEST;

GST_START_TEST(test_tracks_of_detections_are_found)
{
  GstAnalyticsODMtd forth = detect("car", 0, 0, 9, 9), back = detect("car", 20, 0, 9, 9);
  GstAnalyticsTrackingMtd first = track(G_MAXUINT64), second = track(5);

  attach_object_id(attach("car", 20, 0, 9, 9), 12);
  attach_object_id(attach("car", 40, 0, 9, 9), 13);
  detect("car", 40, 0, 9, 9);
  detect("car", 60, 0, 9, 9);
  relate(&forth, &first);
  relate(&second, &back);
  read_regions(4);
  fail_unless(region(0)->tracked && region(0)->id == 5);
  fail_unless(region(1)->tracked && region(1)->id == 13);
  fail_unless(region(2)->tracked && region(2)->id == G_MAXUINT64);
  fail_if(region(3)->tracked);
}
GST_END_TEST;

GST_START_TEST(test_excess_detections_are_skipped)
{
  for (guint i = 0; i < 3000; i++)
    detect("car", i % 600, i / 600, 10, 10);
  read_regions(100);
  fail_unless_equals_int(skipped_regions.beyond, 2900);
}
GST_END_TEST;

#endif

/* ---- The view ---- */

static void check_view(VitgateRectangle place, guint x, guint y, guint width, guint height)
{
  const VitgateImage frame = { .width = WIDTH, .height = HEIGHT };
  VitgateRectangle view = gst_vitgate_region_view(&place, &frame);

  check_place(&view, x, y, width, height);
}

GST_START_TEST(test_the_view_is_a_square_around_the_region)
{
  check_view((VitgateRectangle){ 100, 100, 40, 40 }, 100, 100, 40, 40);
  check_view((VitgateRectangle){ 100, 100, 40, 20 }, 100, 90, 40, 40);
  check_view((VitgateRectangle){ 101, 103, 21, 40 }, 92, 103, 40, 40);
}
GST_END_TEST;

static void check_shaped_view(guint pixel_width, guint pixel_height, guint x, guint y, guint width,
                              guint height)
{
  const VitgateRectangle place = { 100, 100, 40, 20 };
  const VitgateImage frame = {
    .width = WIDTH, .height = HEIGHT, .pixel_width = pixel_width, .pixel_height = pixel_height
  };
  VitgateRectangle view = gst_vitgate_region_view(&place, &frame);

  check_place(&view, x, y, width, height);
}

GST_START_TEST(test_the_view_is_a_square_as_displayed)
{
  check_shaped_view(1, 1, 100, 90, 40, 40);
  check_shaped_view(2, 1, 100, 70, 40, 80);
  check_shaped_view(1, 2, 100, 100, 40, 20);
  check_shaped_view(1, 4, 80, 100, 80, 20);
  check_shaped_view(16, 11, 100, 81, 40, 58);
  check_shaped_view(30000, 1, 100, 0, 40, HEIGHT);
  check_shaped_view(1, 30000, 0, 100, WIDTH, 20);
}
GST_END_TEST;

GST_START_TEST(test_the_square_stays_within_the_frame)
{
  check_view((VitgateRectangle){ 0, 100, 10, 60 }, 0, 100, 60, 60);
  check_view((VitgateRectangle){ 200, 0, 60, 10 }, 200, 0, 60, 60);
  check_view((VitgateRectangle){ WIDTH - 10, 100, 10, 60 }, WIDTH - 60, 100, 60, 60);
  check_view((VitgateRectangle){ 200, HEIGHT - 1, 60, 1 }, 200, HEIGHT - 60, 60, 60);
}
GST_END_TEST;

GST_START_TEST(test_a_region_longer_than_the_frame_is_high_is_seen_whole)
{
  check_view((VitgateRectangle){ 20, 200, 600, 50 }, 20, 0, 600, HEIGHT);
  check_view((VitgateRectangle){ 0, 0, WIDTH, HEIGHT }, 0, 0, WIDTH, HEIGHT);
}
GST_END_TEST;

/* ---- Memory ---- */

static GstVitgateRegionMemory memory;

static GstVitgateRegion tracked(const char *type, guint64 id)
{
  return (GstVitgateRegion){ .type = g_quark_from_string(type), .tracked = TRUE, .id = id };
}

/* Keeps a result for @seen, with @score as its only probability. */
static void keep(const GstVitgateRegion *seen, float score)
{
  const guint8 modules[2] = { 1, 0 };
  const VitgateResult outcome = { .n_classes = 1, .probabilities = &score, .modules = modules };
  GstVitgateRegionResult *result = gst_vitgate_region_result_new(&outcome, 2);

  gst_vitgate_region_memory_keep(&memory, seen, result);
  gst_vitgate_region_result_unref(result);
}

/* Returns: the known score of @seen in this frame; below 0: none */
static float recall(GstVitgateRegion *seen)
{
  GstVitgateRegionResult *result = gst_vitgate_region_memory_recall(&memory, seen);
  float score = -1;

  if (result) {
    score = result->result.probabilities[0];
    fail_unless(result->result.modules[0] == 1 && result->result.modules[1] == 0);
  }
  gst_vitgate_region_result_unref(result);
  return score;
}

static void pass_frames(guint n)
{
  for (guint i = 0; i < n; i++)
    gst_vitgate_region_memory_next_frame(&memory);
}

GST_START_TEST(test_results_are_remembered_by_type_and_id)
{
  GstVitgateRegion car = tracked("car", 1), other = tracked("car", 2), van = tracked("van", 1);

  gst_vitgate_region_memory_init(&memory);
  pass_frames(1);
  fail_unless(recall(&car) < 0 && recall(&other) < 0);
  keep(&car, 0.25f);
  keep(&other, 0.5f);
  pass_frames(1);
  fail_unless(recall(&other) == 0.5f && recall(&car) == 0.25f && recall(&van) < 0);
  keep(&car, 0.75f);
  pass_frames(1);
  fail_unless(recall(&car) == 0.75f);
  gst_vitgate_region_memory_clear(&memory);
}
GST_END_TEST;

GST_START_TEST(test_a_duplicate_id_is_not_tracked)
{
  GstVitgateRegion car = tracked("car", 1), twin = tracked("car", 1);

  gst_vitgate_region_memory_init(&memory);
  pass_frames(1);
  recall(&car);
  keep(&car, 0.25f);
  fail_unless(recall(&twin) < 0);
  fail_if(twin.tracked);
  keep(&twin, 0.5f);
  pass_frames(1);
  fail_unless(recall(&car) == 0.25f);
  gst_vitgate_region_memory_clear(&memory);
}
GST_END_TEST;

GST_START_TEST(test_missing_ids_are_forgotten)
{
  GstVitgateRegion car = tracked("car", 1);

  gst_vitgate_region_memory_init(&memory);
  pass_frames(1);
  recall(&car);
  keep(&car, 0.25f);
  pass_frames(GST_VITGATE_REGION_MEMORY_FRAMES + 1);
  fail_unless(recall(&car) == 0.25f, "forgotten too early");
  pass_frames(GST_VITGATE_REGION_MEMORY_FRAMES + 2);
  fail_unless_equals_int(g_hash_table_size(memory.known), 0);
  fail_unless(recall(&car) < 0);
  gst_vitgate_region_memory_clear(&memory);
}
GST_END_TEST;

GST_START_TEST(test_ids_seen_once_do_not_accumulate)
{
  guint max = 0;

  gst_vitgate_region_memory_init(&memory);
  for (guint frame = 0; frame < 50; frame++) {
    pass_frames(1);
    for (guint i = 0; i < 300; i++) {
      GstVitgateRegion new_one = tracked("car", frame * 300 + i);
      recall(&new_one);
      keep(&new_one, 0.5f);
    }
    max = MAX(max, g_hash_table_size(memory.known));
  }
  fail_unless(max < GST_VITGATE_REGION_MEMORY_SIZE + 300, "%u regions in memory", max);
  gst_vitgate_region_memory_clear(&memory);
}
GST_END_TEST;

static Suite *regions_suite(void)
{
  Suite *suite = suite_create("regions");
  TCase *tcase = tcase_create("regions");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_test(tcase, test_regions_keep_the_detectors_order);
  tcase_add_test(tcase, test_reading_replaces_the_last_frame);
  tcase_add_test(tcase, test_vitgates_own_region_is_ignored);
  tcase_add_test(tcase, test_only_wanted_types_are_read);
  tcase_add_test(tcase, test_small_regions_are_skipped);
  tcase_add_test(tcase, test_regions_are_clipped_to_the_frame);
  tcase_add_test(tcase, test_regions_without_a_pixel_are_bad);
  tcase_add_test(tcase, test_excess_regions_are_skipped);
  tcase_add_test(tcase, test_ids_of_trackers_are_found);
#ifdef HAVE_GST_ANALYTICS
  tcase_add_test(tcase, test_detections_of_analytics_are_read);
  tcase_add_test(tcase, test_an_object_attached_in_both_forms_is_one_region);
  tcase_add_test(tcase, test_tracks_of_detections_are_found);
  tcase_add_test(tcase, test_excess_detections_are_skipped);
#endif
  tcase_add_test(tcase, test_the_view_is_a_square_around_the_region);
  tcase_add_test(tcase, test_the_view_is_a_square_as_displayed);
  tcase_add_test(tcase, test_the_square_stays_within_the_frame);
  tcase_add_test(tcase, test_a_region_longer_than_the_frame_is_high_is_seen_whole);
  tcase_add_test(tcase, test_results_are_remembered_by_type_and_id);
  tcase_add_test(tcase, test_a_duplicate_id_is_not_tracked);
  tcase_add_test(tcase, test_missing_ids_are_forgotten);
  tcase_add_test(tcase, test_ids_seen_once_do_not_accumulate);
  return suite;
}

GST_CHECK_MAIN(regions);
