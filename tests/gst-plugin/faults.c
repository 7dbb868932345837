/* faults.c: the engine fails while frames flow. Both halves of a classification are replaced by
 * ones that fail when told to: the program's own symbols come before those of a library. */
#include "fixture.h"

static int pixel_fault = -1, network_fault = -1; /* a VitgateError; -1: none */

static gboolean fails(int fault, GError **error)
{
  if (fault < 0)
    return FALSE;
  g_set_error(error, VITGATE_ERROR, fault, "a fault of the test's making");
  return TRUE;
}

gboolean vitgate_session_preprocess(VitgateSession *session, const VitgateImage *image,
                                    float *tensor, GError **error)
{
  typeof(vitgate_session_preprocess) *real = fixture_engine("vitgate_session_preprocess");

  return !fails(pixel_fault, error) && real(session, image, tensor, error);
}

const VitgateResult *vitgate_session_forward(VitgateSession *session, const float *tensors,
                                             guint n_images, GError **error)
{
  typeof(vitgate_session_forward) *real = fixture_engine("vitgate_session_forward");

  return fails(network_fault, error) ? NULL : real(session, tensors, n_images, error);
}

static void check_fault(int *fault, int code, GQuark domain, int bus_code)
{
  GstHarness *harness = fixture_harness(fixture_element());
  g_autoptr(GError) error = NULL;
  GstMessage *message;
  GstVideoInfo info;

  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 32, 32, &info);
  gst_structure_free(fixture_classify(harness, &info, 1));
  *fault = code;
  fail_unless_equals_int(gst_harness_push(harness, fixture_frame(&info, 2)), GST_FLOW_ERROR);
  *fault = -1;
  message = fixture_message(harness->element, GST_MESSAGE_ERROR);
  fail_unless(message);
  gst_message_parse_error(message, &error, NULL);
  fail_unless(g_error_matches(error, domain, bus_code), "%s", error->message);
  gst_message_unref(message);
  fail_if(fixture_message(harness->element, GST_MESSAGE_ERROR), "a second error");
  fixture_free(harness);
}

GST_START_TEST(test_no_memory_is_one_error)
{
  check_fault(&network_fault, VITGATE_ERROR_MEMORY, GST_RESOURCE_ERROR,
              GST_RESOURCE_ERROR_NO_SPACE_LEFT);
}
GST_END_TEST;

GST_START_TEST(test_a_refused_image_is_one_error)
{
  check_fault(&pixel_fault, VITGATE_ERROR_IMAGE, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT);
}
GST_END_TEST;

static Suite *faults_suite(void)
{
  Suite *suite = suite_create("faults");
  TCase *tcase = tcase_create("faults");

  suite_add_tcase(suite, tcase);
  tcase_add_test(tcase, test_no_memory_is_one_error);
  tcase_add_test(tcase, test_a_refused_image_is_one_error);
  return suite;
}

GST_CHECK_MAIN(faults);
