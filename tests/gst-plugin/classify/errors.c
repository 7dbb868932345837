/* errors.c: every error of the engine is mapped to an error of GStreamer. */
#include "common/errors.h"

#include <gst/check/gstcheck.h>
#include <vitgate.h>

static void check_place(int engine_code, GQuark domain, gint code)
{
  g_autoptr(GError) error = g_error_new(VITGATE_ERROR, engine_code, "a message");
  GQuark found_domain;
  gint found_code;

  gst_vitgate_error_place(error, &found_domain, &found_code);
  fail_unless(found_domain == domain && found_code == code, "VitgateError %d became %s %d",
              engine_code, g_quark_to_string(found_domain), found_code);
}

GST_START_TEST(test_each_code_is_mapped)
{
  check_place(VITGATE_ERROR_NOT_FOUND, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND);
  check_place(VITGATE_ERROR_IO, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ);
  check_place(VITGATE_ERROR_FORMAT, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_INIT);
  check_place(VITGATE_ERROR_UNSUPPORTED, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_INIT);
  check_place(VITGATE_ERROR_TENSOR, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_INIT);
  check_place(VITGATE_ERROR_METADATA, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_INIT);
  check_place(VITGATE_ERROR_LABELS, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS);
  check_place(VITGATE_ERROR_IMAGE, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT);
  check_place(VITGATE_ERROR_ARGUMENT, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS);
  check_place(VITGATE_ERROR_MEMORY, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT);
}
GST_END_TEST;

GST_START_TEST(test_other_errors_are_mapped)
{
  g_autoptr(GError) error = g_error_new(G_FILE_ERROR, G_FILE_ERROR_NOENT, "a message");
  GQuark domain;
  gint code;

  check_place(4711, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_FAILED);
  gst_vitgate_error_place(error, &domain, &code);
  fail_unless(domain == GST_LIBRARY_ERROR && code == GST_LIBRARY_ERROR_FAILED);
}
GST_END_TEST;

static Suite *errors_suite(void)
{
  Suite *suite = suite_create("errors");
  TCase *tcase = tcase_create("errors");

  suite_add_tcase(suite, tcase);
  tcase_add_test(tcase, test_each_code_is_mapped);
  tcase_add_test(tcase, test_other_errors_are_mapped);
  return suite;
}

GST_CHECK_MAIN(errors);
