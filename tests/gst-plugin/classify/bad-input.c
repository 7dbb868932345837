/* bad-input.c: bad input posts exactly one message, which names the cause. */
#include <glib/gstdio.h>
#include <string.h>

#include "fixture.h"

static char *model_bytes;
static gsize model_size;

static void setup(void)
{
  fail_unless(g_file_get_contents(fixture_model(), &model_bytes, &model_size, NULL));
}

static void teardown(void)
{
  g_clear_pointer(&model_bytes, g_free);
}

/* Starts @element (transfer full), and checks that it fails with exactly one error of this kind,
 * whose text contains @word. */
static void check_start_fails(GstElement *element, GQuark domain, gint code, const char *word)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *debug = NULL;
  GstMessage *message;

  fail_unless_equals_int(gst_element_set_state(element, GST_STATE_PLAYING),
                         GST_STATE_CHANGE_FAILURE);
  message = fixture_message(element, GST_MESSAGE_ERROR);
  fail_unless(message, "no error on the bus");
  gst_message_parse_error(message, &error, &debug);
  fail_unless(error->domain == domain && error->code == code, "%s %d instead of %s %d: %s",
              g_quark_to_string(error->domain), error->code, g_quark_to_string(domain), code,
              error->message);
  fail_unless(strstr(error->message, word), "no \"%s\" in: %s", word, error->message);
  gst_message_unref(message);
  fail_if(fixture_message(element, GST_MESSAGE_ERROR | GST_MESSAGE_WARNING), "a second message");
  gst_element_set_state(element, GST_STATE_NULL);
  fixture_forget_messages(element);
  gst_object_unref(element);
}

static void check_model_fails(const char *path, GQuark domain, gint code, const char *word)
{
  GstElement *element = fixture_element();

  g_object_set(element, "model", path, NULL);
  check_start_fails(element, domain, code, word);
}

static void check_labels_fail(const char *path, GQuark domain, gint code, const char *word)
{
  GstElement *element = fixture_element();

  g_object_set(element, "labels", path, NULL);
  check_start_fails(element, domain, code, word);
}

GST_START_TEST(test_no_model_is_set)
{
  GstElement *element = fixture_element();

  g_setenv("VITGATE_MODEL_DIR", "/nonexistent", TRUE);
  g_object_set(element, "model", NULL, NULL);
  check_start_fails(element, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, "\"model\"");
}
GST_END_TEST;

GST_START_TEST(test_precision_not_supported_by_the_cpu)
{
  GstElement *element = fixture_element();

  g_setenv("VITGATE_CPU_MASK", "avx512-bf16,bf16", TRUE); /* before this process detects the CPU */
  gst_util_set_object_arg(G_OBJECT(element), "precision", "bf16");
  check_start_fails(element, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_INIT, "no instructions for bf16");
}
GST_END_TEST;

GST_START_TEST(test_missing_model)
{
  check_model_fails("/nonexistent/model.safetensors", GST_RESOURCE_ERROR,
                    GST_RESOURCE_ERROR_NOT_FOUND, "/nonexistent/model.safetensors");
}
GST_END_TEST;

GST_START_TEST(test_folder_as_model)
{
  check_model_fails(g_get_tmp_dir(), GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
                    g_get_tmp_dir());
}
GST_END_TEST;

static void check_bytes_fail(const char *name, gconstpointer bytes, gsize size)
{
  g_autofree char *path = fixture_file(name, bytes, size);

  check_model_fails(path, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_INIT, path);
}

GST_START_TEST(test_empty_model)
{
  check_bytes_fail("empty.safetensors", "", 0);
}
GST_END_TEST;

GST_START_TEST(test_truncated_model)
{
  check_bytes_fail("truncated.safetensors", model_bytes, model_size / 2);
  check_bytes_fail("header.safetensors", model_bytes, 100);
  check_bytes_fail("short.safetensors", model_bytes, model_size - 1);
}
GST_END_TEST;

GST_START_TEST(test_file_that_is_not_a_model)
{
  const char *text = "#!/bin/sh\necho this is no model, but it is long enough to be one\n";

  check_bytes_fail("script.safetensors", text, strlen(text));
}
GST_END_TEST;

GST_START_TEST(test_header_with_a_false_length)
{
  g_autofree char *bytes = g_memdup2(model_bytes, model_size);

  memset(bytes, 0xff, 8);
  check_bytes_fail("lie.safetensors", bytes, model_size);
}
GST_END_TEST;

GST_START_TEST(test_weights_that_are_not_finite)
{
  g_autofree char *bytes = g_memdup2(model_bytes, model_size);

  memset(bytes + model_size - 4, 0xff, 4);
  check_bytes_fail("nan.safetensors", bytes, model_size);
}
GST_END_TEST;

GST_START_TEST(test_missing_labels)
{
  check_labels_fail("/nonexistent/labels.txt", GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
                    "/nonexistent/labels.txt");
}
GST_END_TEST;

GST_START_TEST(test_wrong_number_of_labels)
{
  g_autofree char *path = fixture_file("few.txt", "cat\ndog\n", 8);

  check_labels_fail(path, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS, path);
}
GST_END_TEST;

GST_START_TEST(test_labels_that_are_not_text)
{
  g_autofree char *path = fixture_file("binary.txt", "\xff\xfe\0\1\n\xc3", 6);

  check_labels_fail(path, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS, path);
}
GST_END_TEST;

GST_START_TEST(test_start_succeeds_after_a_failed_start)
{
  GstElement *element = fixture_element();
  GstHarness *harness;
  GstVideoInfo info;

  g_object_set(element, "model", "/nonexistent", NULL);
  fail_unless_equals_int(gst_element_set_state(element, GST_STATE_PAUSED),
                         GST_STATE_CHANGE_FAILURE);
  gst_element_set_state(element, GST_STATE_NULL);
  g_object_set(element, "model", fixture_model(), NULL);
  harness = fixture_harness(element);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 32, 32, &info);
  gst_structure_free(fixture_classify(harness, &info, 1));
  fixture_free(harness);
}
GST_END_TEST;

static void check_caps_refused(const char *caps_string, const char *advice)
{
  GstHarness *harness = fixture_harness(fixture_element());
  GstCaps *caps = gst_caps_from_string(caps_string);
  g_autoptr(GError) error = NULL;
  GstMessage *message;
  GstSegment segment;

  gst_harness_push_event(harness, gst_event_new_stream_start("test"));
  gst_harness_push_event(harness, gst_event_new_caps(caps));
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(harness, gst_event_new_segment(&segment));
  fail_unless_equals_int(gst_harness_push(harness, gst_buffer_new_allocate(NULL, 64, NULL)),
                         GST_FLOW_NOT_NEGOTIATED);
  message = fixture_message(harness->element, GST_MESSAGE_ERROR);
  fail_unless(message, "%s: no error", caps_string);
  gst_message_parse_error(message, &error, NULL);
  fail_unless(strstr(error->message, advice), "%s: no \"%s\" in: %s", caps_string, advice,
              error->message);
  gst_message_unref(message);
  fail_if(fixture_message(harness->element, GST_MESSAGE_ERROR | GST_MESSAGE_WARNING));
  gst_caps_unref(caps);
  fixture_free(harness);
}

GST_START_TEST(test_unsupported_caps)
{
  check_caps_refused("video/x-raw, format=AYUV, width=64, height=64, framerate=25/1",
                     "put videoconvert before it");
  check_caps_refused("video/x-raw, format=I420_12LE, width=64, height=64, framerate=25/1",
                     "put videoconvert before it");
  check_caps_refused("video/x-raw, format=RGB, width=40000, height=1, framerate=25/1",
                     "put videoscale before it");
  check_caps_refused("video/x-raw(memory:GLMemory), format=RGBA, width=8, height=8", "gldownload");
  check_caps_refused("image/jpeg, width=64, height=64, framerate=25/1", "decodebin");
  check_caps_refused("video/x-raw, format=RGB, width=8, height=8, framerate=25/1, "
                     "pixel-aspect-ratio=1/2147483647",
                     "more than 32767 times as wide as high");
}
GST_END_TEST;

GST_START_TEST(test_unreadable_frames_pass_with_one_warning)
{
  GstHarness *harness = fixture_harness(fixture_element());
  GstVideoInfo info;
  GstMessage *message;
  GstBuffer *out;

  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 32, 32, &info);
  gst_structure_free(fixture_classify(harness, &info, 1));
  for (guint i = 1; i <= 3; i++) {
    out = fixture_process(harness, gst_buffer_new_allocate(NULL, 5, NULL));
    fail_unless_equals_int(gst_buffer_get_size(out), 5);
    fail_unless_equals_uint64(fixture_uint64(fixture_result(out), "age"), i);
    gst_buffer_unref(out);
  }
  message = fixture_message(harness->element, GST_MESSAGE_WARNING);
  fail_unless(message);
  gst_message_unref(message);
  fail_if(fixture_message(harness->element, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR));

  gst_structure_free(fixture_classify(harness, &info, 2));
  gst_buffer_unref(fixture_process(harness, gst_buffer_new_allocate(NULL, 5, NULL)));
  message = fixture_message(harness->element, GST_MESSAGE_WARNING);
  fail_unless(message, "no warning for a new run of unreadable frames");
  gst_message_unref(message);
  fixture_free(harness);
}
GST_END_TEST;

static Suite *bad_input_suite(void)
{
  Suite *suite = suite_create("bad-input");
  TCase *tcase = tcase_create("bad-input");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_test(tcase, test_no_model_is_set);
  tcase_add_test(tcase, test_precision_not_supported_by_the_cpu);
  tcase_add_test(tcase, test_missing_model);
  tcase_add_test(tcase, test_folder_as_model);
  tcase_add_test(tcase, test_empty_model);
  tcase_add_test(tcase, test_truncated_model);
  tcase_add_test(tcase, test_file_that_is_not_a_model);
  tcase_add_test(tcase, test_header_with_a_false_length);
  tcase_add_test(tcase, test_weights_that_are_not_finite);
  tcase_add_test(tcase, test_missing_labels);
  tcase_add_test(tcase, test_wrong_number_of_labels);
  tcase_add_test(tcase, test_labels_that_are_not_text);
  tcase_add_test(tcase, test_start_succeeds_after_a_failed_start);
  tcase_add_test(tcase, test_unsupported_caps);
  tcase_add_test(tcase, test_unreadable_frames_pass_with_one_warning);
  return suite;
}

GST_CHECK_MAIN(bad_input);
