/* regions-results.c: the metadata of frames whose regions are classified. */
#include <string.h>

#include "regions-fixture.h"

/* ---- Metadata ---- */

GST_START_TEST(test_every_region_carries_a_result_of_its_own)
{
  GstBuffer *frame = fixture_frame(&regions_info, 1);
  GstStructure *s;
  const GstStructure *car, *thing;
  gint id = 0;

  regions_attach(frame, "car", 5, 6, 40, 30)->id = 12;
  regions_attach(frame, NULL, 60, 40, 50, 50);
  s = fixture_analyse(regions_harness, frame);
  fail_unless_equals_int(regions_count(s), 2);
  fail_if(gst_structure_has_field(s, "label"));
  regions_check_state(s, "fresh");
  car = regions_get(s, 0);
  thing = regions_get(s, 1);
  fail_unless_equals_string(gst_structure_get_name(car), "region");
  fail_unless(fixture_uint(car, "x") == 5 && fixture_uint(car, "y") == 6);
  fail_unless(fixture_uint(car, "width") == 40 && fixture_uint(car, "height") == 30);
  fail_unless_equals_string(gst_structure_get_string(car, "type"), "car");
  fail_unless(gst_structure_get_int(car, "id", &id) && id == 12);
  fail_unless(fixture_uint(thing, "width") == REGIONS_WIDTH - 60);
  fail_unless(fixture_uint(thing, "height") == REGIONS_HEIGHT - 40);
  fail_if(gst_structure_has_field(thing, "type"));
  fail_unless(gst_structure_get_int(thing, "id", &id) && id == -1);
  regions_check_state(car, "fresh");
  fail_unless_equals_uint64(fixture_uint64(car, "age"), 0);
  fail_unless_equals_string(gst_structure_get_string(car, "label"), fixture_label(car, 0));
  fail_if(fixture_score(car, 0) == fixture_score(thing, 0), "one result for both");
  fail_unless(ABS(fixture_double(s, "gmacs") - fixture_double(car, "gmacs") -
                  fixture_double(thing, "gmacs")) < 1e-9);
  gst_structure_free(s);
}
GST_END_TEST;

GST_START_TEST(test_regions_of_interest_get_a_parameter)
{
  GstBuffer *frame = fixture_frame(&regions_info, 1), *out;
  GstVideoRegionOfInterestMeta *roi;
  const GstStructure *s, *parameter;
  gpointer state = NULL;
  gint number;

  regions_attach(frame, "car", 5, 6, 40, 30);
  regions_attach(frame, "bus", 50, 6, 40, 30);
  out = fixture_process(regions_harness, frame);
  s = fixture_result(out);
  for (guint i = 0; i < 2; i++) {
    roi = (gpointer)gst_buffer_iterate_meta_filtered(out, &state,
                                                     GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
    parameter =
        gst_video_region_of_interest_meta_get_param(roi, "classification_layer_name:logits");
    fail_unless(parameter);
    fail_unless_equals_string(gst_structure_get_string(parameter, "label"),
                              fixture_label(regions_get(s, i), 0));
    fail_unless(gst_structure_get_int(parameter, "label_id", &number));
    fail_unless_equals_int(number, fixture_index(regions_get(s, i), 0));
    fail_unless_equals_float(fixture_double(parameter, "confidence"),
                             fixture_score(regions_get(s, i), 0));
  }
  fail_if(gst_buffer_iterate_meta_filtered(out, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE),
          "a region that no detector attached");
  gst_buffer_unref(out);
}
GST_END_TEST;

GST_START_TEST(test_regions_below_the_threshold_get_no_parameter)
{
  GstBuffer *frame = fixture_frame(&regions_info, 1), *out;
  GstVideoRegionOfInterestMeta *roi;

  g_object_set(regions_harness->element, "threshold", 1.0f, NULL);
  regions_attach(frame, "car", 5, 6, 40, 30);
  out = fixture_process(regions_harness, frame);
  roi = (gpointer)gst_buffer_get_meta(out, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
  fail_if(roi->params);
  fail_unless_equals_int(fixture_uint(regions_get(fixture_result(out), 0), "n-results"), 0);
  gst_buffer_unref(out);
}
GST_END_TEST;

GST_START_TEST(test_frames_without_regions_are_empty)
{
  GstStructure *s = fixture_analyse(regions_harness, fixture_frame(&regions_info, 1)), *stats;

  fail_unless_equals_int(regions_count(s), 0);
  regions_check_state(s, "empty");
  gst_structure_free(s);
  stats = fixture_stats(regions_harness->element);
  fail_unless_equals_uint64(fixture_uint64(stats, "frames"), 1);
  fail_unless_equals_uint64(fixture_uint64(stats, "inferred"), 0);
  gst_structure_free(stats);
}
GST_END_TEST;

GST_START_TEST(test_messages_list_the_regions)
{
  GstBuffer *frame = fixture_frame(&regions_info, 2);
  GstMessage *message;
  const GstStructure *posted;
  GstStructure *s;

  g_object_set(regions_harness->element, "post-messages", TRUE, NULL);
  gst_structure_free(fixture_analyse(regions_harness, fixture_frame(&regions_info, 1)));
  fail_if(fixture_message(regions_harness->element, GST_MESSAGE_ELEMENT),
          "a message without regions");
  regions_attach(frame, "car", 5, 6, 40, 30);
  s = fixture_analyse(regions_harness, frame);
  message = fixture_message(regions_harness->element, GST_MESSAGE_ELEMENT);
  fail_unless(message);
  posted = gst_message_get_structure(message);
  fail_unless_equals_string(gst_structure_get_name(posted), "vitgate");
  fail_unless_equals_uint64(fixture_uint64(posted, "timestamp"), 80 * GST_MSECOND);
  regions_check_same(regions_get(posted, 0), regions_get(s, 0));
  gst_message_unref(message);
  gst_structure_free(s);
}
GST_END_TEST;

/* ---- Selection of regions ---- */

GST_START_TEST(test_only_wanted_regions_are_classified)
{
  GstBuffer *frame = fixture_frame(&regions_info, 1), *out;
  GstVideoRegionOfInterestMeta *roi;

  g_object_set(regions_harness->element, "object-class", "car,bus", "min-region-size", 20, NULL);
  roi = regions_attach(frame, "person", 5, 6, 40, 30);
  regions_attach(frame, "bus", 5, 6, 40, 19);
  regions_attach(frame, "bus", 5, 6, 40, 20);
  out = fixture_process(regions_harness, frame);
  fail_unless_equals_int(regions_count(fixture_result(out)), 1);
  fail_unless_equals_int(fixture_uint(regions_get(fixture_result(out), 0), "height"), 20);
  roi = (gpointer)gst_buffer_get_meta(out, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
  fail_if(roi->params);
  gst_buffer_unref(out);

  g_object_set(regions_harness->element, "object-class", NULL, "min-region-size", 1, NULL);
  frame = fixture_frame(&regions_info, 1);
  regions_attach(frame, "person", 5, 6, 1, 1);
  out = fixture_process(regions_harness, frame);
  fail_unless_equals_int(regions_count(fixture_result(out)), 1);
  gst_buffer_unref(out);
}
GST_END_TEST;

GST_START_TEST(test_regions_of_another_vitgate_are_ignored)
{
  GstBuffer *frame, *out;
  GstMeta *meta;
  gpointer state = NULL;
  guint n_lists = 0;
  g_autofree char *line = g_strdup_printf("vitgate model=%s threshold=0 ! vitgate model=%s "
                                          "inference-region=roi-list",
                                          fixture_model(), fixture_model());

  fixture_free(regions_harness);
  regions_harness = gst_harness_new_parse(line);
  fixture_set_caps(regions_harness, GST_VIDEO_FORMAT_NV12, REGIONS_WIDTH, REGIONS_HEIGHT,
                   &regions_info);
  frame = fixture_frame(&regions_info, 1);
  regions_attach(frame, "car", 5, 6, 40, 30);
  out = fixture_process(regions_harness, frame);
  while ((meta = gst_buffer_iterate_meta(out, &state))) {
    const GstStructure *s;
    if (!gst_meta_info_is_custom(meta->info))
      continue;
    s = gst_custom_meta_get_structure((GstCustomMeta *)meta);
    if (!gst_structure_has_field(s, "regions"))
      continue;
    n_lists++;
    fail_unless_equals_int(regions_count(s), 1);
    fail_unless_equals_string(gst_structure_get_string(regions_get(s, 0), "type"), "car");
  }
  fail_unless_equals_int(n_lists, 1);
  gst_buffer_unref(out);
  gst_harness_teardown(regions_harness);
  regions_harness = NULL;
  regions_setup();
}
GST_END_TEST;

GST_START_TEST(test_a_run_of_bad_regions_posts_one_warning)
{
  static const gboolean bad[] = { TRUE, TRUE, FALSE, TRUE };
  guint warnings = 0;

  for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
    GstBuffer *frame = fixture_frame(&regions_info, i);
    GstStructure *s;

    regions_attach(frame, "car", 5, 6, 40, 30);
    if (bad[i]) {
      regions_attach(frame, "car", REGIONS_WIDTH, 0, 10, 10);
      regions_attach(frame, "car", 5, 5, 0, 0);
      regions_attach(frame, "car", -20, -20, 10, 10);
    }
    s = fixture_analyse(regions_harness, frame);
    fail_unless_equals_int(regions_count(s), 1);
    gst_structure_free(s);
    gst_structure_free(fixture_analyse(regions_harness, fixture_frame(&regions_info, i)));
    warnings += regions_count_warnings("lie outside the frame: 3");
    fail_unless_equals_int(warnings, i < 3 ? 1 : 2);
  }
}
GST_END_TEST;

GST_START_TEST(test_excess_regions_post_one_warning)
{
  g_object_set(regions_harness->element, "max-regions", 40, NULL);
  for (guint i = 0; i < 3; i++) {
    GstBuffer *frame = fixture_frame(&regions_info, i);
    GstStructure *s;

    for (guint r = 0; r < 3000; r++)
      regions_attach(frame, "car", r % 80, r / 80, 20, 20)->id = 3000 * i + r + 1;
    s = fixture_analyse(regions_harness, frame);
    fail_unless_equals_int(regions_count(s), 40);
    fail_unless_equals_int(fixture_uint(regions_get(s, 39), "x"), 39);
    gst_structure_free(s);
  }
  fail_unless_equals_int(regions_count_warnings("max-regions (40); 2960 were not"), 1);
}
GST_END_TEST;

GST_START_TEST(test_region_properties_read_back)
{
  GstElement *element = fixture_element();
  g_autofree char *object_class = NULL;
  guint min_size, max, interval;
  gint inference_region;

  g_object_get(element, "inference-region", &inference_region, "object-class", &object_class,
               "min-region-size", &min_size, "max-regions", &max, "reclassify-interval", &interval,
               NULL);
  fail_unless(inference_region == 0 && !object_class && min_size == 1 && max == 64);
  fail_unless_equals_int(interval, 1);
  gst_util_set_object_arg(G_OBJECT(element), "inference-region", "roi-list");
  g_object_set(element, "object-class", "car", "min-region-size", 8, "max-regions", 9,
               "reclassify-interval", 10, NULL);
  g_object_get(element, "inference-region", &inference_region, "object-class", &object_class,
               "min-region-size", &min_size, "max-regions", &max, "reclassify-interval", &interval,
               NULL);
  fail_unless(inference_region == 1 && min_size == 8 && max == 9 && interval == 10);
  fail_unless_equals_string(object_class, "car");
  gst_object_unref(element);
}
GST_END_TEST;

/* ---- GstAnalytics ---- */

#ifdef HAVE_GST_ANALYTICS

/* Checks that @related holds the best @n classes of @result. */
static void check_classes(const GstAnalyticsMtd *related, const GstStructure *result, guint n)
{
  fail_unless_equals_int(gst_analytics_cls_mtd_get_length(related), n);
  for (guint i = 0; i < n; i++) {
    fail_unless_equals_string(g_quark_to_string(gst_analytics_cls_mtd_get_quark(related, i)),
                              fixture_label(result, i));
    fail_unless_equals_float(gst_analytics_cls_mtd_get_level(related, i), fixture_score(result, i));
  }
}

/* Returns: the classes that @detection has exactly this relation to. */
static GstAnalyticsMtd find_classes(const GstAnalyticsODMtd *detection, GstAnalyticsRelTypes type)
{
  GstAnalyticsMtd found = { 0 }, mtd;
  gpointer state = NULL;
  guint n = 0;

  while (gst_analytics_relation_meta_iterate(detection->meta, &state,
                                             gst_analytics_cls_mtd_get_mtd_type(), &mtd)) {
    if (gst_analytics_relation_meta_get_relation(detection->meta, detection->id, mtd.id) != type)
      continue;
    found = mtd;
    n++;
  }
  fail_unless_equals_int(n, 1);
  return found;
}

GST_START_TEST(test_detections_are_related_to_their_classes)
{
  GstBuffer *frame = fixture_frame(&regions_info, 1), *out;
  GstAnalyticsODMtd cars[2] = { regions_detect(frame, 10), regions_detect(frame, 60) };
  GstAnalyticsRelationMeta *relations;

  out = fixture_process(regions_harness, frame);
  relations = gst_buffer_get_analytics_relation_meta(out);
  fail_unless_equals_int(gst_analytics_relation_get_length(relations), 6);
  for (guint i = 0; i < 2; i++) {
    const GstStructure *result = regions_get(fixture_result(out), i);
    GstAnalyticsODMtd car = { cars[i].id, relations };
    GstAnalyticsMtd top = find_classes(&car, GST_ANALYTICS_REL_TYPE_RELATE_TO),
                    best = find_classes(&car, GST_ANALYTICS_REL_TYPE_CONTAIN);

    check_classes(&top, result, fixture_uint(result, "n-results"));
    check_classes(&best, result, 1);
    fail_unless_equals_int(gst_analytics_relation_meta_get_relation(relations, best.id, car.id),
                           GST_ANALYTICS_REL_TYPE_IS_PART_OF);
  }
  fail_if(gst_buffer_get_meta(out, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE));
  gst_buffer_unref(out);
}
GST_END_TEST;

#endif

static Suite *regions_results_suite(void)
{
  Suite *suite = suite_create("regions-results");
  TCase *tcase = tcase_create("regions-results");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, regions_setup, regions_teardown);
  tcase_add_test(tcase, test_every_region_carries_a_result_of_its_own);
  tcase_add_test(tcase, test_regions_of_interest_get_a_parameter);
  tcase_add_test(tcase, test_regions_below_the_threshold_get_no_parameter);
  tcase_add_test(tcase, test_frames_without_regions_are_empty);
  tcase_add_test(tcase, test_messages_list_the_regions);
  tcase_add_test(tcase, test_only_wanted_regions_are_classified);
  tcase_add_test(tcase, test_regions_of_another_vitgate_are_ignored);
  tcase_add_test(tcase, test_a_run_of_bad_regions_posts_one_warning);
  tcase_add_test(tcase, test_excess_regions_post_one_warning);
  tcase_add_test(tcase, test_region_properties_read_back);
#ifdef HAVE_GST_ANALYTICS
  tcase_add_test(tcase, test_detections_are_related_to_their_classes);
#endif
  return suite;
}

GST_CHECK_MAIN(regions_results);
