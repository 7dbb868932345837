/* gstvitgate.c: the metadata of frames, and how the properties change it. */
#include <gst/controller/gstdirectcontrolbinding.h>
#include <gst/controller/gstinterpolationcontrolsource.h>

#include "fixture.h"

static GstHarness *harness;
static GstVideoInfo info;
static guint n_classes;

static void setup(void)
{
  VitgateModel *model = vitgate_model_open(fixture_model(), NULL);

  fail_unless(model);
  n_classes = vitgate_model_get_info(model)->n_classes;
  fail_unless(n_classes >= 4, "the tests need a model with at least four classes");
  vitgate_model_unref(&model);
  harness = fixture_harness(fixture_element());
  fixture_set_caps(harness, GST_VIDEO_FORMAT_NV12, 67, 45, &info);
}

static void teardown(void)
{
  fixture_free(harness);
}

static GstStructure *classify(guint seed)
{
  return fixture_classify(harness, &info, seed);
}

GST_START_TEST(test_every_field_is_present)
{
  GstStructure *s = classify(1);
  const guint n = fixture_uint(s, "n-results");

  fail_unless_equals_int(n, MIN(5, n_classes));
  fail_unless_equals_int(gst_value_array_get_size(gst_structure_get_value(s, "labels")), n);
  fail_unless_equals_int(gst_value_array_get_size(gst_structure_get_value(s, "indices")), n);
  fail_unless_equals_int(gst_value_array_get_size(gst_structure_get_value(s, "scores")), n);
  fail_unless_equals_string(gst_structure_get_string(s, "label"), fixture_label(s, 0));
  fail_unless_equals_int(fixture_uint(s, "index"), fixture_index(s, 0));
  fail_unless_equals_float(fixture_double(s, "score"), fixture_score(s, 0));
  fail_unless_equals_int(fixture_uint(s, "class-count"), n_classes);
  fail_unless(gst_structure_get_string(s, "model-name"));
  fail_unless_equals_uint64(fixture_uint64(s, "age"), 0);
  fail_unless(fixture_double(s, "gmacs") > 0);
  fail_unless(fixture_double(s, "compute-ratio") > 0 && fixture_double(s, "compute-ratio") <= 1);
  fail_unless(fixture_uint64(s, "inference-time") > 0);
  gst_structure_free(s);
}
GST_END_TEST;

/* So that documentation lists the values. */
GST_START_TEST(test_enumerations_are_part_of_the_plugins_interface)
{
  guint n;
  GParamSpec **specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(harness->element), &n);

  for (guint i = 0; i < n; i++)
    if (G_IS_PARAM_SPEC_ENUM(specs[i]))
      fail_unless(gst_type_is_plugin_api(specs[i]->value_type, NULL), "%s of %s",
                  g_type_name(specs[i]->value_type), specs[i]->name);
  g_free(specs);
}
GST_END_TEST;

GST_START_TEST(test_scores_fall_and_indices_differ)
{
  GstStructure *s = classify(1);

  for (guint i = 1; i < fixture_uint(s, "n-results"); i++) {
    fail_unless(fixture_score(s, i) <= fixture_score(s, i - 1));
    fail_unless(fixture_index(s, i) < n_classes);
    for (guint j = 0; j < i; j++)
      fail_if(fixture_index(s, i) == fixture_index(s, j));
  }
  gst_structure_free(s);
}
GST_END_TEST;

GST_START_TEST(test_top_k_above_the_class_count_returns_all)
{
  GstStructure *s;
  double sum = 0;

  /* With several views, each class has its best score, and their sum is larger. */
  fixture_set_caps(harness, GST_VIDEO_FORMAT_NV12, 45, 45, &info);
  g_object_set(harness->element, "top-k", n_classes + 7, NULL);
  s = classify(1);
  fail_unless_equals_int(fixture_uint(s, "n-results"), n_classes);
  for (guint i = 0; i < n_classes; i++)
    sum += fixture_score(s, i);
  /* Each score is a float, rounded by up to half a unit in the last place. */
  fail_unless(ABS(sum - 1) < 1e-6 * n_classes, "the scores' sum is %g", sum);
  gst_structure_free(s);
}
GST_END_TEST;

GST_START_TEST(test_threshold_and_top_k_work_together)
{
  GstStructure *all = classify(1), *s;
  const float between = (fixture_score(all, 1) + fixture_score(all, 2)) / 2;

  fail_unless(fixture_score(all, 1) > fixture_score(all, 2),
              "the picture's best classes have the same score");
  g_object_set(harness->element, "threshold", between, NULL);
  s = classify(1);
  fail_unless_equals_int(fixture_uint(s, "n-results"), 2);
  gst_structure_free(s);
  g_object_set(harness->element, "top-k", 1, NULL);
  s = classify(1);
  fail_unless_equals_int(fixture_uint(s, "n-results"), 1);
  fail_unless_equals_int(fixture_index(s, 0), fixture_index(all, 0));
  gst_structure_free(s);
  gst_structure_free(all);
}
GST_END_TEST;

GST_START_TEST(test_no_class_above_the_threshold_leaves_no_label)
{
  GstBuffer *out;
  const GstStructure *s;

  g_object_set(harness->element, "threshold", 1.0f, NULL);
  out = fixture_process(harness, fixture_frame(&info, 1));
  s = fixture_result(out);
  fail_unless(s);
  fail_unless_equals_int(fixture_uint(s, "n-results"), 0);
  fail_if(gst_structure_has_field(s, "label"));
  fail_unless_equals_int(gst_value_array_get_size(gst_structure_get_value(s, "labels")), 0);
  fail_if(gst_buffer_get_meta(out, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE));
  gst_buffer_unref(out);
}
GST_END_TEST;

static void check_same_result(const GstStructure *a, const GstStructure *b)
{
  fail_unless_equals_int(fixture_uint(a, "n-results"), fixture_uint(b, "n-results"));
  for (guint i = 0; i < fixture_uint(a, "n-results"); i++) {
    fail_unless_equals_int(fixture_index(a, i), fixture_index(b, i));
    fail_unless_equals_float(fixture_score(a, i), fixture_score(b, i));
  }
}

/* Returns: (transfer full): the result of frame 1 in a new element with that fit. */
static GstStructure *classify_with(const char *fit)
{
  GstElement *element = fixture_element();
  GstHarness *other;
  GstStructure *s;

  gst_util_set_object_arg(G_OBJECT(element), "fit", fit);
  other = fixture_harness(element);
  fixture_set_caps(other, GST_VIDEO_FORMAT_NV12, 67, 45, &info);
  s = fixture_classify(other, &info, 1);
  fixture_free(other);
  return s;
}

GST_START_TEST(test_the_fit_can_be_chosen_and_changed)
{
  GstStructure *model = classify_with("model"), *crop = classify_with("crop"),
               *squash = classify_with("squash"), *letterbox = classify_with("letterbox"),
               *squares = classify_with("squares");
  GstStructure *s = NULL;

  fail_unless_equals_float(fixture_score(model, 0), fixture_score(crop, 0));
  fail_if(fixture_score(model, 0) == fixture_score(squash, 0));
  fail_if(fixture_score(letterbox, 0) == fixture_score(squash, 0));
  fail_if(fixture_score(letterbox, 0) == fixture_score(crop, 0));
  fail_if(fixture_score(squares, 0) == fixture_score(squash, 0));
  /* The change takes over between two frames, once it is prepared in the background. */
  gst_util_set_object_arg(G_OBJECT(harness->element), "fit", "squash");
  do {
    g_clear_pointer(&s, gst_structure_free);
    s = classify(1);
  } while (fixture_score(s, 0) != fixture_score(squash, 0));
  gst_structure_free(s);
  gst_structure_free(model);
  gst_structure_free(crop);
  gst_structure_free(squash);
  gst_structure_free(letterbox);
  gst_structure_free(squares);
}
GST_END_TEST;

GST_START_TEST(test_frames_between_inferences_carry_the_last_result)
{
  GstStructure *inferred[2], *s;

  g_object_set(harness->element, "inference-interval", 3, NULL);
  for (guint i = 0; i < 2; i++) {
    inferred[i] = classify(3 * i);
    fail_unless_equals_uint64(fixture_uint64(inferred[i], "age"), 0);
    for (guint age = 1; age < 3; age++) {
      s = classify(3 * i + age);
      fail_unless_equals_uint64(fixture_uint64(s, "age"), age);
      check_same_result(s, inferred[i]);
      gst_structure_free(s);
    }
  }
  fail_if(fixture_score(inferred[0], 0) == fixture_score(inferred[1], 0));
  gst_structure_free(inferred[0]);
  gst_structure_free(inferred[1]);
}
GST_END_TEST;

GST_START_TEST(test_carried_results_follow_top_k_at_once)
{
  GstStructure *s;

  g_object_set(harness->element, "inference-interval", 100, NULL);
  gst_structure_free(classify(1));
  g_object_set(harness->element, "top-k", 2, NULL);
  s = classify(2);
  fail_unless_equals_uint64(fixture_uint64(s, "age"), 1);
  fail_unless_equals_int(fixture_uint(s, "n-results"), 2);
  gst_structure_free(s);
}
GST_END_TEST;

GST_START_TEST(test_a_shorter_interval_applies_at_once)
{
  GstStructure *s;

  g_object_set(harness->element, "inference-interval", 100, NULL);
  gst_structure_free(classify(1));
  gst_structure_free(classify(2));
  g_object_set(harness->element, "inference-interval", 1, NULL);
  s = classify(3);
  fail_unless_equals_uint64(fixture_uint64(s, "age"), 0);
  gst_structure_free(s);
}
GST_END_TEST;

GST_START_TEST(test_top_k_can_be_controlled)
{
  GstControlSource *source = gst_interpolation_control_source_new();
  GstTimedValueControlSource *timed = GST_TIMED_VALUE_CONTROL_SOURCE(source);
  GstStructure *s;

  g_object_set(source, "mode", GST_INTERPOLATION_MODE_NONE, NULL);
  fail_unless(gst_object_add_control_binding(
      GST_OBJECT(harness->element),
      gst_direct_control_binding_new_absolute(GST_OBJECT(harness->element), "top-k", source)));
  fail_unless(gst_timed_value_control_source_set(timed, 0, 1));
  fail_unless(gst_timed_value_control_source_set(timed, 80 * GST_MSECOND, 4));
  s = classify(1); /* at 40 ms */
  fail_unless_equals_int(fixture_uint(s, "n-results"), 1);
  gst_structure_free(s);
  s = classify(3); /* at 120 ms */
  fail_unless_equals_int(fixture_uint(s, "n-results"), 4);
  gst_structure_free(s);
  gst_object_unref(source);
}
GST_END_TEST;

GST_START_TEST(test_region_of_interest_has_dl_streamers_form)
{
  GstBuffer *out = fixture_process(harness, fixture_frame(&info, 1));
  const GstStructure *result = fixture_result(out);
  GstVideoRegionOfInterestMeta *roi =
      (gpointer)gst_buffer_get_meta(out, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
  GstStructure *s;
  gint number;

  fail_unless(roi);
  fail_unless_equals_string(g_quark_to_string(roi->roi_type), "full-frame");
  fail_unless_equals_int(roi->x, fixture_uint(result, "x"));
  fail_unless_equals_int(roi->w, fixture_uint(result, "width"));
  s = gst_video_region_of_interest_meta_get_param(roi, "classification_layer_name:logits");
  fail_unless(s);
  fail_unless_equals_string(gst_structure_get_string(s, "label"), fixture_label(result, 0));
  fail_unless(gst_structure_get_int(s, "label_id", &number));
  fail_unless_equals_int(number, fixture_index(result, 0));
  fail_unless_equals_float(fixture_double(s, "confidence"), fixture_score(result, 0));
  fail_unless_equals_string(gst_structure_get_string(s, "model_name"),
                            gst_structure_get_string(result, "model-name"));
  fail_unless_equals_string(gst_structure_get_string(s, "layer_name"), "logits");
  fail_unless(gst_structure_get_int(s, "tensor_id", &number));
  fail_unless_equals_int(number, 0);
  fail_unless_equals_string(gst_structure_get_string(s, "type"), "classification_result");
  gst_buffer_unref(out);
}
GST_END_TEST;

#ifdef HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>

GST_START_TEST(test_analytics_meta_holds_the_top_classes)
{
  GstBuffer *out = fixture_process(harness, fixture_frame(&info, 1));
  const GstStructure *result = fixture_result(out);
  GstAnalyticsRelationMeta *relations = gst_buffer_get_analytics_relation_meta(out);
  GstAnalyticsMtd mtd;
  gpointer state = NULL;

  fail_unless(relations);
  fail_unless(gst_analytics_relation_meta_iterate(relations, &state,
                                                  gst_analytics_cls_mtd_get_mtd_type(), &mtd));
  fail_unless_equals_int(gst_analytics_cls_mtd_get_length(&mtd), fixture_uint(result, "n-results"));
  for (guint i = 0; i < fixture_uint(result, "n-results"); i++) {
    fail_unless_equals_string(g_quark_to_string(gst_analytics_cls_mtd_get_quark(&mtd, i)),
                              fixture_label(result, i));
    fail_unless_equals_float(gst_analytics_cls_mtd_get_level(&mtd, i), fixture_score(result, i));
  }
  gst_buffer_unref(out);
}
GST_END_TEST;
#endif

GST_START_TEST(test_only_inferences_post_messages)
{
  GstElement *element = harness->element;
  GstMessage *message;
  const GstStructure *s;
  GstStructure *result;

  gst_structure_free(classify(1));
  fail_if(fixture_message(element, GST_MESSAGE_ELEMENT), "a message though post-messages is false");

  g_object_set(element, "post-messages", TRUE, "inference-interval", 2, NULL);
  gst_structure_free(classify(2));
  result = classify(3);
  gst_structure_free(classify(4));
  message = fixture_message(element, GST_MESSAGE_ELEMENT);
  fail_unless(message);
  s = gst_message_get_structure(message);
  fail_unless_equals_string(gst_structure_get_name(s), "vitgate");
  fail_unless_equals_uint64(fixture_uint64(s, "timestamp"), 120 * GST_MSECOND);
  fail_unless_equals_uint64(fixture_uint64(s, "running-time"), 120 * GST_MSECOND);
  fail_unless_equals_uint64(fixture_uint64(s, "stream-time"), 120 * GST_MSECOND);
  fail_unless_equals_uint64(fixture_uint64(s, "duration"), 40 * GST_MSECOND);
  check_same_result(s, result);
  gst_message_unref(message);
  gst_structure_free(result);
  fail_if(fixture_message(element, GST_MESSAGE_ELEMENT), "a message for a carried result");
}
GST_END_TEST;

GST_START_TEST(test_stats_count_frames)
{
  GstStructure *stats, *result;

  g_object_set(harness->element, "inference-interval", 3, NULL);
  result = classify(0);
  for (guint i = 1; i < 7; i++)
    gst_structure_free(classify(i));
  stats = fixture_stats(harness->element);
  fail_unless_equals_string(gst_structure_get_string(stats, "precision"), "float32");
  fail_unless_equals_uint64(fixture_uint64(stats, "frames"), 7);
  fail_unless_equals_uint64(fixture_uint64(stats, "inferred"), 3);
  fail_unless(fixture_uint64(stats, "mean-time") >= fixture_uint64(stats, "mean-engine-time"));
  fail_unless(fixture_uint64(stats, "p95-time") <= fixture_uint64(stats, "worst-time"));
  fail_unless(ABS(fixture_double(stats, "gmacs") - 3 * fixture_double(result, "gmacs")) < 1e-9);
  gst_structure_free(stats);
  gst_structure_free(result);
}
GST_END_TEST;

GST_START_TEST(test_labels_file_overrides_the_labels_of_the_model)
{
  GString *text = g_string_new(NULL);
  GstElement *element = fixture_element();
  g_autofree char *path = NULL;
  g_autofree char *expected = NULL;
  GstStructure *s;

  for (guint i = 0; i < n_classes; i++)
    g_string_append_printf(text, "n%08u\tthing number %u\n", i, i);
  path = fixture_file("labels.txt", text->str, text->len);
  g_string_free(text, TRUE);
  g_object_set(element, "labels", path, NULL);
  fixture_free(harness);
  harness = fixture_harness(element);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_NV12, 67, 45, &info);
  s = classify(1);
  expected = g_strdup_printf("thing number %u", fixture_uint(s, "index"));
  fail_unless_equals_string(gst_structure_get_string(s, "label"), expected);
  gst_structure_free(s);
}
GST_END_TEST;

GST_START_TEST(test_models_without_labels_use_class_numbers)
{
  g_autofree char *path =
      g_build_filename(g_getenv("VITGATE_TEST_GOLDENS"), "model-odd.safetensors", NULL);
  GstElement *element = fixture_element();
  g_autofree char *expected = NULL;
  GstStructure *s;

  g_object_set(element, "model", path, NULL);
  fixture_free(harness);
  harness = fixture_harness(element);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_NV12, 67, 45, &info);
  s = classify(1);
  expected = g_strdup_printf("%u", fixture_uint(s, "index"));
  fail_unless_equals_string(gst_structure_get_string(s, "label"), expected);
  gst_structure_free(s);
}
GST_END_TEST;

GST_START_TEST(test_lower_precision_finds_nearly_the_same)
{
  GstStructure *whole = classify(1);
  GstElement *element = fixture_element();
  GstStructure *rounded;
  double score, near;

  gst_util_set_object_arg(G_OBJECT(element), "precision", "int8");
  fixture_free(harness);
  harness = fixture_harness(element);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_NV12, 67, 45, &info);
  rounded = classify(1);
  score = fixture_double(whole, "score");
  near = fixture_double(rounded, "score");
  fail_unless(near != score && ABS(near - score) < 0.1, "%g instead of %g", near, score);
  gst_structure_free(whole);
  gst_structure_free(rounded);
}
GST_END_TEST;

GST_START_TEST(test_properties_read_back)
{
  GstElement *element = fixture_element();
  g_autofree char *model = NULL, *labels = NULL;
  guint top_k, interval, threads;
  gfloat threshold;
  gboolean post;
  gint precision;

  g_object_set(element, "model", "a", "labels", "b", "top-k", 3, "threshold", 0.25f,
               "inference-interval", 4, "threads", 2, "post-messages", TRUE, NULL);
  gst_util_set_object_arg(G_OBJECT(element), "precision", "int8");
  g_object_get(element, "model", &model, "labels", &labels, "top-k", &top_k, "threshold",
               &threshold, "inference-interval", &interval, "threads", &threads, "post-messages",
               &post, "precision", &precision, NULL);
  fail_unless_equals_int(precision, VITGATE_PRECISION_INT8);
  fail_unless_equals_string(model, "a");
  fail_unless_equals_string(labels, "b");
  fail_unless(top_k == 3 && threshold == 0.25f && interval == 4 && threads == 2 && post);
  g_clear_pointer(&model, g_free);
  g_object_set(element, "model", "", NULL);
  g_object_get(element, "model", &model, NULL);
  fail_if(model, "an empty path does not unset the property");
  gst_object_unref(element);
}
GST_END_TEST;

static Suite *gstvitgate_suite(void)
{
  Suite *suite = suite_create("gstvitgate");
  TCase *tcase = tcase_create("gstvitgate");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_test(tcase, test_every_field_is_present);
  tcase_add_test(tcase, test_enumerations_are_part_of_the_plugins_interface);
  tcase_add_test(tcase, test_scores_fall_and_indices_differ);
  tcase_add_test(tcase, test_top_k_above_the_class_count_returns_all);
  tcase_add_test(tcase, test_threshold_and_top_k_work_together);
  tcase_add_test(tcase, test_no_class_above_the_threshold_leaves_no_label);
  tcase_add_test(tcase, test_the_fit_can_be_chosen_and_changed);
  tcase_add_test(tcase, test_frames_between_inferences_carry_the_last_result);
  tcase_add_test(tcase, test_carried_results_follow_top_k_at_once);
  tcase_add_test(tcase, test_a_shorter_interval_applies_at_once);
  tcase_add_test(tcase, test_top_k_can_be_controlled);
  tcase_add_test(tcase, test_region_of_interest_has_dl_streamers_form);
#ifdef HAVE_GST_ANALYTICS
  tcase_add_test(tcase, test_analytics_meta_holds_the_top_classes);
#endif
  tcase_add_test(tcase, test_only_inferences_post_messages);
  tcase_add_test(tcase, test_stats_count_frames);
  tcase_add_test(tcase, test_labels_file_overrides_the_labels_of_the_model);
  tcase_add_test(tcase, test_models_without_labels_use_class_numbers);
  tcase_add_test(tcase, test_lower_precision_finds_nearly_the_same);
  tcase_add_test(tcase, test_properties_read_back);
  return suite;
}

GST_CHECK_MAIN(gstvitgate);
