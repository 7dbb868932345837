/* faults.c: the engine fails while frames flow. The functions that preprocess, infer and classify
 * are replaced by ones that fail on demand: the program's own symbols come before those of a
 * library. */
#include "regions-fixture.h"

static int pixel_fault = -1, network_fault = -1; /* a VitgateError; -1: none */

static gboolean fails(int fault, GError **error)
{
  if (fault < 0)
    return FALSE;
  g_set_error(error, VITGATE_ERROR, fault, "a fault made by the test");
  return TRUE;
}

gboolean vitgate_session_preprocess(VitgateSession *session, const VitgateImage *image,
                                    float *tensor, GError **error)
{
  typeof(vitgate_session_preprocess) *real = fixture_engine("vitgate_session_preprocess");

  return !fails(pixel_fault, error) && real(session, image, tensor, error);
}

const VitgateResult *vitgate_session_follow(VitgateSession *session, VitgateStream *const *streams,
                                            const float *tensors, guint n, GError **error)
{
  typeof(vitgate_session_follow) *real = fixture_engine("vitgate_session_follow");

  return fails(network_fault, error) ? NULL : real(session, streams, tensors, n, error);
}

const VitgateResult *vitgate_session_classify(VitgateSession *session, const VitgateImage *images,
                                              guint n_images, GError **error)
{
  typeof(vitgate_session_classify) *real = fixture_engine("vitgate_session_classify");

  return fails(network_fault, error) ? NULL : real(session, images, n_images, error);
}

/* Returns: a frame with a region, so that both kinds of elements have something to classify. */
static GstBuffer *frame_of(const GstVideoInfo *info, guint seed)
{
  GstBuffer *frame = fixture_frame(info, seed);

  regions_attach(frame, "car", 2, 3, 20, 20);
  return frame;
}

/* @element: (transfer full) */
static void check_fault(GstElement *element, int *fault, int code, GQuark domain, int bus_code)
{
  GstHarness *harness = fixture_harness(element);
  g_autoptr(GError) error = NULL;
  GstMessage *message;
  GstVideoInfo info;

  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 32, 32, &info);
  gst_structure_free(fixture_analyse(harness, frame_of(&info, 1)));
  *fault = code;
  fail_unless_equals_int(gst_harness_push(harness, frame_of(&info, 2)), GST_FLOW_ERROR);
  *fault = -1;
  message = fixture_message(harness->element, GST_MESSAGE_ERROR);
  fail_unless(message);
  gst_message_parse_error(message, &error, NULL);
  fail_unless(g_error_matches(error, domain, bus_code), "%s", error->message);
  gst_message_unref(message);
  fail_if(fixture_message(harness->element, GST_MESSAGE_ERROR), "a second error");
  fixture_free(harness);
}

GST_START_TEST(test_out_of_memory_posts_one_error)
{
  check_fault(fixture_element(), &network_fault, VITGATE_ERROR_MEMORY, GST_RESOURCE_ERROR,
              GST_RESOURCE_ERROR_NO_SPACE_LEFT);
}
GST_END_TEST;

GST_START_TEST(test_out_of_memory_for_regions_posts_one_error)
{
  check_fault(regions_element(), &network_fault, VITGATE_ERROR_MEMORY, GST_RESOURCE_ERROR,
              GST_RESOURCE_ERROR_NO_SPACE_LEFT);
}
GST_END_TEST;

GST_START_TEST(test_a_refused_image_posts_one_error)
{
  check_fault(fixture_element(), &pixel_fault, VITGATE_ERROR_IMAGE, GST_STREAM_ERROR,
              GST_STREAM_ERROR_FORMAT);
}
GST_END_TEST;

static Suite *faults_suite(void)
{
  Suite *suite = suite_create("faults");
  TCase *tcase = tcase_create("faults");

  suite_add_tcase(suite, tcase);
  tcase_add_test(tcase, test_out_of_memory_posts_one_error);
  tcase_add_test(tcase, test_out_of_memory_for_regions_posts_one_error);
  tcase_add_test(tcase, test_a_refused_image_posts_one_error);
  return suite;
}

GST_CHECK_MAIN(faults);
