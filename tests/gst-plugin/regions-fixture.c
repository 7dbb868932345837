/* regions-fixture.c: a vitgate element that classifies regions, and frames with regions. */
#include "regions-fixture.h"

#include <string.h>

GstHarness *regions_harness;
GstVideoInfo regions_info;

GstElement *regions_element(void)
{
  GstElement *element = fixture_element();

  gst_util_set_object_arg(G_OBJECT(element), "inference-region", "roi-list");
  return element;
}

void regions_use(GstElement *element, GstVideoFormat format)
{
  if (regions_harness)
    fixture_free(regions_harness);
  regions_harness = fixture_harness(element);
  fixture_set_caps(regions_harness, format, REGIONS_WIDTH, REGIONS_HEIGHT, &regions_info);
}

void regions_setup(void)
{
  regions_use(regions_element(), GST_VIDEO_FORMAT_NV12);
}

void regions_teardown(void)
{
  fixture_free(regions_harness);
  regions_harness = NULL;
}

GstVideoRegionOfInterestMeta *regions_attach(GstBuffer *frame, const char *type, gint x, gint y,
                                             gint width, gint height)
{
  return gst_buffer_add_video_region_of_interest_meta(frame, type, x, y, width, height);
}

void regions_attach_tracked(GstBuffer *frame, gint x, gint id)
{
  regions_attach(frame, "car", x, 10, 30, 30)->id = id;
}

guint regions_count(const GstStructure *result)
{
  const GValue *regions = gst_structure_get_value(result, "regions");

  fail_unless(regions && GST_VALUE_HOLDS_ARRAY(regions));
  return gst_value_array_get_size(regions);
}

const GstStructure *regions_get(const GstStructure *result, guint i)
{
  fail_unless(i < regions_count(result), "there are only %u regions", regions_count(result));
  return gst_value_get_structure(
      gst_value_array_get_value(gst_structure_get_value(result, "regions"), i));
}

void regions_check_same(const GstStructure *a, const GstStructure *b)
{
  fail_unless_equals_int(fixture_uint(a, "n-results"), fixture_uint(b, "n-results"));
  for (guint i = 0; i < fixture_uint(a, "n-results"); i++) {
    fail_unless_equals_int(fixture_index(a, i), fixture_index(b, i));
    fail_unless_equals_float(fixture_score(a, i), fixture_score(b, i));
  }
  fail_unless_equals_string(gst_structure_get_string(a, "modules"),
                            gst_structure_get_string(b, "modules"));
  fail_unless_equals_float(fixture_double(a, "gmacs"), fixture_double(b, "gmacs"));
}

void regions_check_state(const GstStructure *s, const char *state)
{
  fail_unless_equals_string(gst_structure_get_string(s, "state"), state);
}

guint regions_count_warnings(const char *word)
{
  GstMessage *message;
  guint n = 0;

  while ((message =
              fixture_message(regions_harness->element, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR))) {
    g_autoptr(GError) error = NULL;
    gst_message_parse_warning(message, &error, NULL);
    fail_unless(strstr(error->message, word), "no \"%s\" in: %s", word, error->message);
    gst_message_unref(message);
    n++;
  }
  return n;
}

#ifdef HAVE_GST_ANALYTICS
GstAnalyticsODMtd regions_detect(GstBuffer *frame, gint x)
{
  GstAnalyticsODMtd mtd;

  fail_unless(gst_analytics_relation_meta_add_od_mtd(gst_buffer_add_analytics_relation_meta(frame),
                                                     g_quark_from_string("car"), x, 10, 30, 30,
                                                     0.5f, &mtd));
  return mtd;
}
#endif
