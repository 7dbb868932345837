/* faults.c: the engine fails while frames flow. Its vitgate_session_classify() is replaced by one
 * that fails when told to: the program's own symbols come before those of a library. */
#include <dlfcn.h>

#include "fixture.h"

static int fault = -1; /* a VitgateError; -1: none */

const VitgateResult *vitgate_session_classify(VitgateSession *session, const VitgateImage *images,
                                              guint n_images, GError **error)
{
  typeof(vitgate_session_classify) *real = dlsym(RTLD_NEXT, "vitgate_session_classify");

  if (fault < 0)
    return real(session, images, n_images, error);
  g_set_error(error, VITGATE_ERROR, fault, "a fault of the test's making");
  return NULL;
}

static void check_fault(int code, GQuark domain, int bus_code)
{
  GstHarness *harness = fixture_harness(fixture_element());
  g_autoptr(GError) error = NULL;
  GstMessage *message;
  GstVideoInfo info;

  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 32, 32, &info);
  gst_structure_free(fixture_classify(harness, &info, 1));
  fault = code;
  fail_unless_equals_int(gst_harness_push(harness, fixture_frame(&info, 2)), GST_FLOW_ERROR);
  fault = -1;
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
  check_fault(VITGATE_ERROR_MEMORY, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT);
}
GST_END_TEST;

GST_START_TEST(test_a_refused_image_is_one_error)
{
  check_fault(VITGATE_ERROR_IMAGE, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT);
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
