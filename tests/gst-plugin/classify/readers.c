/* readers.c: what programs made for other libraries find on frames of vitgate.
 *
 * DL Streamer's packages need Intel's repository, so its readers are stood in for: each function
 * looks for what the real one does, by the rules in its source. */
#include "regions-fixture.h"

#include <dlfcn.h>

/* What a reader reports as a tensor: the result of one classification. */
typedef struct {
  const char *label, *model;
  double confidence;
  guint n; /* how many it found; the fields are those of the last one */
} Tensor;

/* ---- Readers of regions of interest: DL Streamer up to 2025.1.2 ---------------------------- */

/* region.tensors(): every parameter except the tracker's. */
static Tensor roi_tensors(GstVideoRegionOfInterestMeta *roi)
{
  Tensor tensor = { NULL };

  for (GList *item = roi->params; item; item = item->next) {
    if (gst_structure_has_name(item->data, "object_id") ||
        gst_structure_has_name(item->data, "detection"))
      continue;
    tensor.label = gst_structure_get_string(item->data, "label");
    tensor.model = gst_structure_get_string(item->data, "model_name");
    gst_structure_get_double(item->data, "confidence", &tensor.confidence);
    tensor.n++;
  }
  return tensor;
}

GST_START_TEST(test_gstgva_up_to_2025_1_finds_the_best_class)
{
  GstBuffer *frame = fixture_frame(&regions_info, 1), *out;
  GstVideoRegionOfInterestMeta *roi = regions_attach(frame, "car", 5, 6, 40, 30);
  const GstStructure *result;
  Tensor tensor;

  gst_video_region_of_interest_meta_add_param(
      roi, gst_structure_new("detection", "confidence", G_TYPE_DOUBLE, 0.5, NULL));
  out = fixture_process(regions_harness, frame);
  result = regions_get(fixture_result(out), 0);
  tensor =
      roi_tensors((gpointer)gst_buffer_get_meta(out, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE));
  fail_unless_equals_int(tensor.n, 1);
  fail_unless_equals_string(tensor.label, fixture_label(result, 0));
  fail_unless_equals_string(tensor.model, fixture_string(result, "model-name"));
  fail_unless_equals_float(tensor.confidence, fixture_score(result, 0));
  gst_buffer_unref(out);
}
GST_END_TEST;

/* From 2025.2 on a detection's region of interest is found by the detection's id, and the first
 * detection of a frame has the id 0. */
GST_START_TEST(test_the_whole_frame_is_not_taken_for_the_first_object)
{
  GstBuffer *out;

  regions_use(fixture_element(), GST_VIDEO_FORMAT_NV12);
  out = gst_buffer_make_writable(fixture_process(regions_harness, fixture_frame(&regions_info, 1)));
  fail_unless(gst_buffer_get_video_region_of_interest_meta_id(out, -1));
  fail_if(gst_buffer_get_video_region_of_interest_meta_id(out, 0));
  gst_buffer_unref(out);
}
GST_END_TEST;

/* ---- Readers of GstAnalytics: DL Streamer from 2025.2 on, GStreamer's overlay -------------- */

#ifdef HAVE_GST_ANALYTICS

static GstAnalyticsRelTypes relation(const GstAnalyticsODMtd *detection, guint id)
{
  return gst_analytics_relation_meta_get_relation(detection->meta, detection->id, id);
}

/* Tensor.convert_to_tensor(): the labels of all classes in one string. */
static void add_tensor(Tensor *tensor, const GstAnalyticsClsMtd *classes)
{
  GString *label = g_string_new(NULL);

  tensor->confidence = 0;
  for (gsize i = 0; i < gst_analytics_cls_mtd_get_length(classes); i++) {
    const gfloat level = gst_analytics_cls_mtd_get_level(classes, i);

    if (label->len > 0)
      g_string_append_c(label, ' ');
    g_string_append(label, g_quark_to_string(gst_analytics_cls_mtd_get_quark(classes, i)));
    tensor->confidence = MAX(tensor->confidence, level);
  }
  tensor->label = g_intern_string(label->str);
  tensor->n++;
  g_string_free(label, TRUE);
}

/* region.tensors(). In Python the relation must be CONTAIN alone, in C++ it may have more bits. */
static Tensor contained_tensors(const GstAnalyticsODMtd *detection, gboolean python)
{
  Tensor tensor = { NULL };
  GstAnalyticsClsMtd classes;
  gpointer state = NULL;

  while (gst_analytics_relation_meta_iterate(detection->meta, &state,
                                             gst_analytics_cls_mtd_get_mtd_type(), &classes)) {
    const GstAnalyticsRelTypes type = relation(detection, classes.id);

    if (python ? type == GST_ANALYTICS_REL_TYPE_CONTAIN : type & GST_ANALYTICS_REL_TYPE_CONTAIN)
      add_tensor(&tensor, &classes);
  }
  return tensor;
}

/* region.label_id(): the number of the detection's type in the first list of classes that it is
 * related to. Returns: -1: the type is not in it, where the reader raises an error; 0: no list */
static gint label_id(const GstAnalyticsODMtd *detection)
{
  GstAnalyticsClsMtd classes;
  gpointer state = NULL;

  while (gst_analytics_relation_meta_iterate(detection->meta, &state,
                                             gst_analytics_cls_mtd_get_mtd_type(), &classes)) {
    if (relation(detection, classes.id) == GST_ANALYTICS_REL_TYPE_RELATE_TO)
      return gst_analytics_cls_mtd_get_index_by_quark(&classes,
                                                      gst_analytics_od_mtd_get_obj_type(detection));
  }
  return 0;
}

/* A car as gvadetect attaches it: a detection, a region of interest with its id, and the list of
 * the detector's classes. */
static GstAnalyticsODMtd detect_as_dl_streamer(GstBuffer *frame)
{
  GstAnalyticsODMtd car = regions_detect(frame, 10);
  GQuark names[] = { g_quark_from_string("person"), g_quark_from_string("car") };
  gfloat levels[] = { 0, 0 };
  GstAnalyticsClsMtd list;

  fail_unless(gst_analytics_relation_meta_add_cls_mtd(car.meta, 2, levels, names, &list));
  fail_unless(gst_analytics_relation_meta_set_relation(car.meta, GST_ANALYTICS_REL_TYPE_RELATE_TO,
                                                       car.id, list.id));
  regions_attach(frame, "car", 10, 10, 30, 30)->id = (gint)car.id;
  return car;
}

static GstAnalyticsODMtd first_detection(GstBuffer *buffer)
{
  GstAnalyticsODMtd mtd;
  gpointer state = NULL;

  fail_unless(gst_analytics_relation_meta_iterate(gst_buffer_get_analytics_relation_meta(buffer),
                                                  &state, gst_analytics_od_mtd_get_mtd_type(),
                                                  &mtd));
  return mtd;
}

GST_START_TEST(test_gstgva_from_2025_2_finds_the_best_class)
{
  GstBuffer *frame = fixture_frame(&regions_info, 1), *out;
  const GstStructure *result;
  GstAnalyticsODMtd car;

  detect_as_dl_streamer(frame);
  out = fixture_process(regions_harness, frame);
  result = regions_get(fixture_result(out), 0);
  fail_unless(fixture_uint(result, "n-results") > 1);
  car = first_detection(out);
  for (gint python = 0; python <= 1; python++) {
    const Tensor tensor = contained_tensors(&car, python);

    fail_unless_equals_int(tensor.n, 1);
    fail_unless_equals_string(tensor.label, fixture_label(result, 0));
    fail_unless_equals_float(tensor.confidence, fixture_score(result, 0));
  }
  fail_unless_equals_int(label_id(&car), 1);
  gst_buffer_unref(out);
}
GST_END_TEST;

GST_START_TEST(test_overlays_of_gstreamer_find_the_top_classes)
{
  GstBuffer *frame = fixture_frame(&regions_info, 1), *out;
  const GstStructure *result;
  GstAnalyticsODMtd car;
  GstAnalyticsClsMtd classes;

  regions_detect(frame, 10);
  out = fixture_process(regions_harness, frame);
  result = regions_get(fixture_result(out), 0);
  car = first_detection(out);
  fail_unless(gst_analytics_relation_meta_get_direct_related(
      car.meta, car.id, GST_ANALYTICS_REL_TYPE_RELATE_TO, gst_analytics_cls_mtd_get_mtd_type(),
      NULL, &classes));
  fail_unless_equals_int(gst_analytics_cls_mtd_get_length(&classes),
                         fixture_uint(result, "n-results"));
  fail_unless_equals_string(g_quark_to_string(gst_analytics_cls_mtd_get_quark(&classes, 0)),
                            fixture_label(result, 0));
  fail_unless_equals_float(gst_analytics_cls_mtd_get_level(&classes, 0), fixture_score(result, 0));
  gst_buffer_unref(out);
}
GST_END_TEST;

static gboolean refuse;

/* Replaces GStreamer's. */
VITGATE_API gboolean gst_analytics_relation_meta_add_cls_mtd(GstAnalyticsRelationMeta *meta,
                                                             gsize n, gfloat *levels,
                                                             GQuark *labels,
                                                             GstAnalyticsClsMtd *classes)
{
  gboolean (*real)(GstAnalyticsRelationMeta *, gsize, gfloat *, GQuark *, GstAnalyticsClsMtd *) =
      dlsym(RTLD_NEXT, "gst_analytics_relation_meta_add_cls_mtd");

  return !refuse && real(meta, n, levels, labels, classes);
}

GST_START_TEST(test_classes_that_gstreamer_refuses_are_not_related)
{
  GstBuffer *frame = fixture_frame(&regions_info, 1), *out;
  GstAnalyticsRelationMeta *relations;
  const guint ids[] = { regions_detect(frame, 10).id, regions_detect(frame, 60).id };

  refuse = TRUE;
  out = fixture_process(regions_harness, frame);
  refuse = FALSE;
  relations = gst_buffer_get_analytics_relation_meta(out);
  fail_unless_equals_int(gst_analytics_relation_get_length(relations), 2);
  for (guint i = 0; i < 4; i++) {
    const GstAnalyticsRelTypes type =
        gst_analytics_relation_meta_get_relation(relations, ids[i / 2], ids[i % 2]);
    fail_unless(type == GST_ANALYTICS_REL_TYPE_NONE);
  }
  fail_unless(fixture_label(regions_get(fixture_result(out), 0), 0));
  gst_buffer_unref(out);
}
GST_END_TEST;

#ifdef HAVE_GST_SEMANTIC_TAG
GST_START_TEST(test_classes_name_their_model)
{
  GstBuffer *frame = fixture_frame(&regions_info, 1), *out;
  GstAnalyticsClsMtd classes;
  gpointer state = NULL;
  guint n = 0;

  regions_detect(frame, 10);
  out = fixture_process(regions_harness, frame);
  while (gst_analytics_relation_meta_iterate(gst_buffer_get_analytics_relation_meta(out), &state,
                                             gst_analytics_cls_mtd_get_mtd_type(), &classes)) {
    g_autofree char *tag = gst_analytics_mtd_get_semantic_tag(&classes);
    fail_unless_equals_string(tag, fixture_string(fixture_result(out), "model-name"));
    n++;
  }
  fail_unless_equals_int(n, 2);
  gst_buffer_unref(out);
}
GST_END_TEST;
#endif

#endif

static Suite *readers_suite(void)
{
  Suite *suite = suite_create("readers");
  TCase *tcase = tcase_create("readers");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, regions_setup, regions_teardown);
  tcase_add_test(tcase, test_gstgva_up_to_2025_1_finds_the_best_class);
  tcase_add_test(tcase, test_the_whole_frame_is_not_taken_for_the_first_object);
#ifdef HAVE_GST_ANALYTICS
  tcase_add_test(tcase, test_gstgva_from_2025_2_finds_the_best_class);
  tcase_add_test(tcase, test_overlays_of_gstreamer_find_the_top_classes);
  tcase_add_test(tcase, test_classes_that_gstreamer_refuses_are_not_related);
#ifdef HAVE_GST_SEMANTIC_TAG
  tcase_add_test(tcase, test_classes_name_their_model);
#endif
#endif
  return suite;
}

GST_CHECK_MAIN(readers);
