/* json-dlstreamer.c: lines in DL Streamer's format, read as a consumer of gvametaconvert does. */
#include "attached.h"
#include "fixture.h"
#include "json/json-fixture.h"

#ifdef HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>
#endif

#define LOGITS "classification_layer_name:logits"

static void setup(void)
{
  json_setup();
  gst_element_set_state(json_harness->element, GST_STATE_NULL);
  gst_util_set_object_arg(G_OBJECT(json_harness->element), "format", "dlstreamer");
  gst_element_set_state(json_harness->element, GST_STATE_PLAYING);
  gst_harness_set_src_caps_str(json_harness, "video/x-raw, format=RGB, width=64, height=48");
}

static GstVideoRegionOfInterestMeta *attach(GstBuffer *frame, const char *type, gint x, gint y,
                                            gint width, gint height)
{
  return gst_buffer_add_video_region_of_interest_meta(frame, type, (guint)x, (guint)y, (guint)width,
                                                      (guint)height);
}

/* Adds the parameters of gvadetect and gvatrack. */
static void attach_detection(GstVideoRegionOfInterestMeta *roi, double confidence, gint label_id,
                             gint id)
{
  gst_video_region_of_interest_meta_add_param(
      roi, gst_structure_new("detection", "confidence", G_TYPE_DOUBLE, confidence, "label_id",
                             G_TYPE_INT, label_id, NULL));
  gst_video_region_of_interest_meta_add_param(
      roi, gst_structure_new("object_id", "id", G_TYPE_INT, id, NULL));
}

/* Adds a parameter of gvaclassify. */
static void attach_attribute(GstVideoRegionOfInterestMeta *roi, const char *name,
                             const char *attribute, const char *label)
{
  GstStructure *s =
      gst_structure_new(name, "label", G_TYPE_STRING, label, "model_name", G_TYPE_STRING, "colours",
                        "confidence", G_TYPE_DOUBLE, 0.25, "label_id", G_TYPE_INT, 4, NULL);

  if (attribute)
    gst_structure_set(s, "attribute_name", G_TYPE_STRING, attribute, NULL);
  gst_video_region_of_interest_meta_add_param(roi, s);
}

/* A result for the regions of a car and a person that vitgate classified. */
static void attach_results(GstBuffer *frame, const char *model)
{
  GstStructure *s = attached_result(frame), *car = attached_region(8, 12, 16, 24, 7, "taxi"),
               *person = attached_region(32, 0, 32, 48, -1, "clerk");

  gst_structure_set(car, "type", G_TYPE_STRING, "car", NULL);
  gst_structure_set(person, "type", G_TYPE_STRING, "person", NULL);
  gst_structure_set(s, "model-name", G_TYPE_STRING, model, NULL);
  attached_regions(s, car, person, NULL);
}

static void check_result(JsonNode *root, const char *path, const char *label, const char *model)
{
  g_autofree char *at_label = g_strconcat(path, "/label", NULL),
                  *at_model = g_strconcat(path, "/model/name", NULL),
                  *at_confidence = g_strconcat(path, "/confidence", NULL),
                  *at_id = g_strconcat(path, "/label_id", NULL);

  fail_unless_equals_string(json_get_string(root, at_label), label);
  fail_unless_equals_string(json_get_string(root, at_model), model);
  fail_unless_equals_float(json_get_double(root, at_confidence), 0.5);
  fail_unless_equals_int(json_get_int(root, at_id), 1);
}

GST_START_TEST(test_objects_hold_place_detection_and_result)
{
  GstBuffer *frame = attached_frame(NULL);
  GstVideoRegionOfInterestMeta *roi = attach(frame, "car", 8, 12, 16, 24);
  g_autoptr(JsonNode) root = NULL;

  roi->id = 3;
  roi->parent_id = 2;
  attach_detection(roi, 0.75, 2, 7);
  attach_results(frame, "deit");
  root = json_convert(frame);
  fail_unless_equals_int(json_get_length(root, "objects"), 1);
  fail_unless_equals_int(json_get_int(root, "objects/0/x"), 8);
  fail_unless_equals_int(json_get_int(root, "objects/0/y"), 12);
  fail_unless_equals_int(json_get_int(root, "objects/0/w"), 16);
  fail_unless_equals_int(json_get_int(root, "objects/0/h"), 24);
  fail_unless_equals_int(json_get_int(root, "objects/0/region_id"), 3);
  fail_unless_equals_int(json_get_int(root, "objects/0/parent_id"), 2);
  fail_unless_equals_int(json_get_int(root, "objects/0/id"), 7);
  fail_unless_equals_string(json_get_string(root, "objects/0/roi_type"), "car");
  fail_unless_equals_float(json_get_double(root, "objects/0/detection/bounding_box/x_min"), 0.125);
  fail_unless_equals_float(json_get_double(root, "objects/0/detection/bounding_box/y_min"), 0.25);
  fail_unless_equals_float(json_get_double(root, "objects/0/detection/bounding_box/x_max"), 0.375);
  fail_unless_equals_float(json_get_double(root, "objects/0/detection/bounding_box/y_max"), 0.75);
  fail_unless_equals_float(json_get_double(root, "objects/0/detection/confidence"), 0.75);
  fail_unless_equals_int(json_get_int(root, "objects/0/detection/label_id"), 2);
  fail_unless_equals_string(json_get_string(root, "objects/0/detection/label"), "car");
  check_result(root, "objects/0/" LOGITS, "taxi", "deit");
}
GST_END_TEST;

GST_START_TEST(test_objects_without_a_result_are_written)
{
  GstBuffer *frame = attached_frame(NULL);
  g_autoptr(JsonNode) root = NULL;

  attach(frame, "dog", -4, 40, 8, 100);
  attach(frame, "person", 32, -10, 50, 90);
  attach(frame, NULL, 1, 1, 2, 2);
  attach_results(frame, "deit");
  root = json_convert(frame);
  fail_unless_equals_int(json_get_length(root, "objects"), 3);
  fail_unless_equals_int(json_get_int(root, "objects/0/x"), -4);
  fail_unless_equals_float(json_get_double(root, "objects/0/detection/bounding_box/x_min"), 0);
  fail_unless_equals_float(json_get_double(root, "objects/0/detection/bounding_box/y_max"), 1);
  fail_if(json_find(root, "objects/0/detection/confidence"));
  fail_if(json_find(root, "objects/0/region_id"));
  fail_if(json_find(root, "objects/0/id"));
  fail_if(json_find(root, "objects/0/" LOGITS));
  check_result(root, "objects/1/" LOGITS, "clerk", "deit");
  fail_if(json_find(root, "objects/2/roi_type"));
  fail_if(json_find(root, "objects/2/detection/label"));
}
GST_END_TEST;

GST_START_TEST(test_results_of_other_elements_are_written)
{
  GstBuffer *frame = attached_frame(NULL);
  GstVideoRegionOfInterestMeta *roi = attach(frame, "car", 8, 12, 16, 24);
  g_autoptr(JsonNode) root = NULL;

  attach_attribute(roi, "classification_layer_name:prob", "colour", "yellow");
  attach_attribute(roi, LOGITS, NULL, "old");
  gst_video_region_of_interest_meta_add_param(roi, gst_structure_new(LOGITS, "label", G_TYPE_STRING,
                                                                     "taxi", "model_name",
                                                                     G_TYPE_STRING, "deit", NULL));
  attach_results(frame, "deit");
  attach_results(frame, "second");
  root = json_convert(frame);
  check_result(root, "objects/0/" LOGITS, "taxi", "deit");
  check_result(root, "objects/0/" LOGITS "_2", "taxi", "second");
  fail_unless_equals_string(json_get_string(root, "objects/0/" LOGITS "_3/label"), "old");
  fail_if(json_find(root, "objects/0/" LOGITS "_4"), "vitgate's parameter is written twice");
  fail_unless_equals_string(json_get_string(root, "objects/0/colour/label"), "yellow");
  fail_unless_equals_string(json_get_string(root, "objects/0/colour/model/name"), "colours");
  fail_unless_equals_float(json_get_double(root, "objects/0/colour/confidence"), 0.25);
  fail_unless_equals_int(json_get_int(root, "objects/0/colour/label_id"), 4);
}
GST_END_TEST;

GST_START_TEST(test_parameters_without_a_region_in_the_meta_are_written)
{
  GstBuffer *frame = attached_frame(NULL);
  GstVideoRegionOfInterestMeta *roi = attach(frame, "car", 40, 12, 16, 24);
  g_autoptr(JsonNode) root = NULL;

  attach_attribute(roi, LOGITS, NULL, "taxi");
  attach_results(frame, "colours");
  attached_regions(attached_result(frame), attached_region(40, 12, 16, 24, -1, "cat"), NULL);
  root = json_convert(frame);
  fail_unless_equals_string(json_get_string(root, "objects/0/" LOGITS "/label"), "taxi");
  fail_if(json_find(root, "objects/0/" LOGITS "_2"), "a result of a region without a type");
}
GST_END_TEST;

GST_START_TEST(test_results_of_the_whole_frame_are_one_object)
{
  GstBuffer *frame = attached_frame(NULL);
  g_autoptr(JsonNode) root = NULL;
  GstStructure *s;

  attach(frame, "full-frame", 0, 0, 64, 48)->id = -1;
  for (guint i = 0; i < 2; i++) {
    s = attached_result(frame);
    attached_label(s, i ? "dog" : "cat");
    gst_structure_set(s, "model-name", G_TYPE_STRING, i ? "second" : "first", NULL);
  }
  attached_classes(attached_result(frame), NULL, 0);
  root = json_convert(frame);
  fail_unless_equals_int(json_get_length(root, "objects"), 1);
  fail_unless_equals_int(json_get_int(root, "objects/0/x"), 0);
  fail_unless_equals_int(json_get_int(root, "objects/0/w"), 64);
  fail_unless_equals_int(json_get_int(root, "objects/0/h"), 48);
  fail_if(json_find(root, "objects/0/detection"));
  check_result(root, "objects/0/" LOGITS, "cat", "first");
  check_result(root, "objects/0/" LOGITS "_2", "dog", "second");
}
GST_END_TEST;

/* Attaches a result with a label, for which the model has seen this part of the frame. */
static void attach_seen(GstBuffer *frame, guint x, guint y, guint width, guint height)
{
  GstStructure *s = attached_result(frame);

  attached_label(s, "cat");
  gst_structure_set(s, "x", G_TYPE_UINT, x, "y", G_TYPE_UINT, y, "width", G_TYPE_UINT, width,
                    "height", G_TYPE_UINT, height, NULL);
}

static void check_seen(GstBuffer *frame, gint x, gint y, gint width, gint height)
{
  g_autoptr(JsonNode) root = json_convert(frame);

  fail_unless_equals_int(json_get_int(root, "objects/0/x"), x);
  fail_unless_equals_int(json_get_int(root, "objects/0/y"), y);
  fail_unless_equals_int(json_get_int(root, "objects/0/w"), width);
  fail_unless_equals_int(json_get_int(root, "objects/0/h"), height);
}

GST_START_TEST(test_the_object_of_the_frame_is_what_was_seen)
{
  GstBuffer *frame = attached_frame(NULL), *both = attached_frame(NULL),
            *odd = attached_frame(NULL);

  attach_seen(frame, 8, 0, 47, 48);
  check_seen(frame, 8, 0, 47, 48);
  attach_seen(both, 8, 0, 20, 40);
  attach_seen(both, 4, 6, 30, 42);
  attached_classes(attached_result(both), NULL, 0); /* says nothing */
  check_seen(both, 4, 0, 30, 48);
  attach_seen(odd, G_MAXUINT, 0, G_MAXUINT, 48);
  check_seen(odd, 0, 0, 64, 48);
}
GST_END_TEST;

GST_START_TEST(test_each_look_is_an_object)
{
  GstBuffer *frame = attached_frame(NULL);
  g_autoptr(JsonNode) root = NULL;
  gpointer state = NULL;

  attach_seen(frame, 0, 0, 64, 48);
  attach_seen(frame, 8, 4, 16, 12);
  attach_seen(frame, 40, 20, 10, 10);
  for (guint i = 0; i < 3; i++) {
    GstMeta *meta = gst_buffer_iterate_meta(frame, &state);

    if (i > 0)
      gst_structure_set(gst_custom_meta_get_structure((GstCustomMeta *)meta), "look", G_TYPE_STRING,
                        i == 1 ? "gate" : "bin", NULL);
  }
  root = json_convert(frame);
  fail_unless_equals_int(json_get_length(root, "objects"), 3);
  fail_if(json_find(root, "objects/0/look"));
  fail_unless_equals_int(json_get_int(root, "objects/0/w"), 64);
  fail_unless_equals_string(json_get_string(root, "objects/1/look"), "gate");
  fail_unless_equals_int(json_get_int(root, "objects/1/x"), 8);
  fail_unless_equals_int(json_get_int(root, "objects/1/w"), 16);
  fail_unless_equals_string(json_get_string(root, "objects/2/look"), "bin");
  fail_unless_equals_int(json_get_int(root, "objects/2/y"), 20);
}
GST_END_TEST;

GST_START_TEST(test_frames_hold_resolution_source_and_times)
{
  GstBuffer *frame = attached_frame(NULL);
  GstCaps *ntp = gst_caps_from_string("timestamp/x-ntp");
  g_autoptr(JsonNode) root = NULL;

  /* 1,000,000,000 s after the start of 1970. */
  gst_buffer_add_reference_timestamp_meta(frame, ntp, 3208988800 * GST_SECOND + 123456789,
                                          GST_CLOCK_TIME_NONE);
  gst_caps_unref(ntp);
  GST_BUFFER_PTS(frame) = 3 * GST_SECOND;
  g_object_set(json_harness->element, "source", "camera", NULL);
  root = json_convert(frame);
  fail_unless_equals_int(json_get_int(root, "resolution/width"), 64);
  fail_unless_equals_int(json_get_int(root, "resolution/height"), 48);
  fail_unless_equals_string(json_get_string(root, "source"), "camera");
  fail_unless_equals_int64(json_get_int(root, "timestamp"), 3000000000);
  fail_unless_equals_int64(json_get_int(root, "rtp/sender_ntp_unix_timestamp_ns"),
                           1000000000123456789);
  fail_unless_equals_string(json_get_string(root, "rtp/sender_ntp_unix_timestamp_ns_exact"),
                            "1000000000123456789");
  fail_unless_equals_int(json_get_length(root, "objects"), 0);
}
GST_END_TEST;

/* The harness is live, but its clock is not the sender's. */
GST_START_TEST(test_this_machines_time_is_not_the_senders)
{
  GstBuffer *frame = attached_frame("cat");
  g_autoptr(JsonNode) root = NULL;

  GST_BUFFER_PTS(frame) = 3 * GST_SECOND;
  root = json_convert(frame);
  fail_if(json_find(root, "rtp"));
}
GST_END_TEST;

#ifdef HAVE_GST_ANALYTICS
GST_START_TEST(test_detections_of_analytics_are_objects)
{
  GstBuffer *frame = attached_frame(NULL);
  GstAnalyticsRelationMeta *relations = gst_buffer_add_analytics_relation_meta(frame);
  const GQuark type = g_quark_from_string("car");
  GQuark names[] = { g_quark_from_string("bus"), type };
  gfloat levels[] = { 0, 0 };
  GstAnalyticsODMtd car, wheel;
  GstAnalyticsTrackingMtd track;
  GstAnalyticsClsMtd list;
  g_autoptr(JsonNode) root = NULL;

  gst_analytics_relation_meta_add_od_mtd(relations, type, 8, 12, 16, 24, 0.75f, &car);
  gst_analytics_relation_meta_add_od_mtd(relations, g_quark_from_string("wheel"), 9, 30, 4, 4, 0.5f,
                                         &wheel);
  gst_analytics_relation_meta_add_cls_mtd(relations, 2, levels, names, &list);
  gst_analytics_relation_meta_add_tracking_mtd(relations, 7, 0, &track);
  gst_analytics_relation_meta_set_relation(relations, GST_ANALYTICS_REL_TYPE_RELATE_TO, car.id,
                                           list.id);
  gst_analytics_relation_meta_set_relation(relations, GST_ANALYTICS_REL_TYPE_RELATE_TO, car.id,
                                           track.id);
  gst_analytics_relation_meta_set_relation(relations, GST_ANALYTICS_REL_TYPE_IS_PART_OF, wheel.id,
                                           car.id);
  attach_attribute(attach(frame, "car", 8, 12, 16, 24), "classification_layer_name:prob", "colour",
                   "yellow");
  attach_results(frame, "deit");
  root = json_convert(frame);
  fail_unless_equals_int(json_get_length(root, "objects"), 2);
  fail_unless_equals_int(json_get_int(root, "objects/0/region_id"), (gint)car.id);
  fail_unless_equals_int(json_get_int(root, "objects/0/id"), 7);
  fail_unless_equals_float(json_get_double(root, "objects/0/detection/confidence"), 0.75);
  fail_unless_equals_int(json_get_int(root, "objects/0/detection/label_id"), 1);
  fail_unless_equals_string(json_get_string(root, "objects/0/colour/label"), "yellow");
  check_result(root, "objects/0/" LOGITS, "taxi", "deit");
  fail_unless_equals_string(json_get_string(root, "objects/1/roi_type"), "wheel");
  fail_unless_equals_int(json_get_int(root, "objects/1/region_id"), (gint)wheel.id);
  fail_unless_equals_int(json_get_int(root, "objects/1/parent_id"), (gint)car.id);
  fail_if(json_find(root, "objects/1/detection/label_id"));
}
GST_END_TEST;

GST_START_TEST(test_a_track_may_be_related_to_its_detection)
{
  GstBuffer *frame = attached_frame(NULL);
  GstAnalyticsRelationMeta *relations = gst_buffer_add_analytics_relation_meta(frame);
  GstAnalyticsODMtd car;
  GstAnalyticsTrackingMtd track;
  g_autoptr(JsonNode) root = NULL;

  gst_analytics_relation_meta_add_od_mtd(relations, g_quark_from_string("car"), 8, 12, 16, 24,
                                         0.75f, &car);
  gst_analytics_relation_meta_add_tracking_mtd(relations, 7, 0, &track);
  gst_analytics_relation_meta_set_relation(relations, GST_ANALYTICS_REL_TYPE_RELATE_TO, track.id,
                                           car.id);
  root = json_convert(frame);
  fail_unless_equals_int(json_get_int(root, "objects/0/id"), 7);
}
GST_END_TEST;
#endif

static Suite *json_dlstreamer_suite(void)
{
  Suite *suite = suite_create("json-dlstreamer");
  TCase *tcase = tcase_create("json-dlstreamer");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, setup, json_teardown);
  tcase_add_test(tcase, test_objects_hold_place_detection_and_result);
  tcase_add_test(tcase, test_objects_without_a_result_are_written);
  tcase_add_test(tcase, test_results_of_other_elements_are_written);
  tcase_add_test(tcase, test_parameters_without_a_region_in_the_meta_are_written);
  tcase_add_test(tcase, test_results_of_the_whole_frame_are_one_object);
  tcase_add_test(tcase, test_the_object_of_the_frame_is_what_was_seen);
  tcase_add_test(tcase, test_each_look_is_an_object);
  tcase_add_test(tcase, test_frames_hold_resolution_source_and_times);
  tcase_add_test(tcase, test_this_machines_time_is_not_the_senders);
#ifdef HAVE_GST_ANALYTICS
  tcase_add_test(tcase, test_detections_of_analytics_are_objects);
  tcase_add_test(tcase, test_a_track_may_be_related_to_its_detection);
#endif
  return suite;
}

GST_CHECK_MAIN(json_dlstreamer);
