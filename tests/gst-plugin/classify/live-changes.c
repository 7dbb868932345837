/* live-changes.c: models, labels and precision change while frames flow. Loads can be blocked, so
 * that events during a load do not depend on chance. */
#include <string.h>

#include "fixture.h"

/* ---- Blocked loads ---- */

static GMutex gate_lock;
static GCond gate_moved;
static gboolean gate_closed; /* loads are blocked */
static guint n_loads;

VitgateModel *vitgate_model_open_with(const char *path, VitgatePrecision precision, GError **error)
{
  typeof(vitgate_model_open_with) *real = fixture_engine("vitgate_model_open_with");

  g_mutex_lock(&gate_lock);
  n_loads++;
  g_cond_broadcast(&gate_moved);
  while (gate_closed)
    g_cond_wait(&gate_moved, &gate_lock);
  g_mutex_unlock(&gate_lock);
  return real(path, precision, error);
}

static void set_gate(gboolean closed)
{
  g_mutex_lock(&gate_lock);
  gate_closed = closed;
  g_cond_broadcast(&gate_moved);
  g_mutex_unlock(&gate_lock);
}

/* Waits until a second load, after that of the start, has begun. */
static void wait_for_load(void)
{
  g_mutex_lock(&gate_lock);
  while (n_loads < 2)
    g_cond_wait(&gate_moved, &gate_lock);
  g_mutex_unlock(&gate_lock);
}

/* ---- The element ---- */

static GstHarness *harness;
static GstElement *element;
static GstVideoInfo info;
static guint n_frames;
static const char *gated, *odd;
static char *odd_path;

static void setup(void)
{
  gate_closed = FALSE;
  n_loads = n_frames = 0;
  gated = fixture_path("VITGATE_TEST_GATED_MODEL");
  odd = odd_path =
      g_build_filename(g_getenv("VITGATE_TEST_GOLDENS"), "model-odd.safetensors", NULL);
  element = fixture_element();
  harness = fixture_harness(element);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 32, 32, &info);
}

static void teardown(void)
{
  set_gate(FALSE);
  fixture_free(harness);
  g_clear_pointer(&odd_path, g_free);
}

static GstStructure *next(void)
{
  return fixture_classify(harness, &info, n_frames++);
}

static gboolean next_is_by(const char *model_name)
{
  GstStructure *s = next();
  const gboolean is = g_str_equal(fixture_string(s, "model-name"), model_name);

  gst_structure_free(s);
  return is;
}

/* Pushes frames until one is by this model, or the test times out. */
static void wait_for_model(const char *model_name)
{
  while (!next_is_by(model_name))
    g_thread_yield();
}

static char *field_in_use(const char *field)
{
  GstStructure *stats = fixture_stats(element);
  char *value = g_strdup(fixture_string(stats, field));

  gst_structure_free(stats);
  return value;
}

static void check_in_use(const char *field, const char *expected)
{
  g_autofree char *value = field_in_use(field);

  fail_unless_equals_string(value, expected);
}

/* Waits for a warning whose text contains @word; it must be the only one. */
static void check_warning(GQuark domain, gint code, const char *word)
{
  GstBus *bus = gst_element_get_bus(element);
  GstMessage *message =
      gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
  g_autoptr(GError) error = NULL;

  fail_unless_equals_int(GST_MESSAGE_TYPE(message), GST_MESSAGE_WARNING);
  gst_message_parse_warning(message, &error, NULL);
  fail_unless(g_error_matches(error, domain, code), "%s", error->message);
  fail_unless(strstr(error->message, word), "no \"%s\" in: %s", word, error->message);
  gst_message_unref(message);
  fail_if(gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR), "a second message");
  gst_object_unref(bus);
}

GST_START_TEST(test_a_model_is_loaded_while_the_old_one_is_in_use)
{
  g_autofree char *asked = NULL;
  GstStructure *s;

  fail_unless(next_is_by("golden-small"));
  set_gate(TRUE);
  g_object_set(element, "model", gated, NULL);
  wait_for_load();
  for (guint i = 0; i < 10; i++)
    fail_unless(next_is_by("golden-small"));
  g_object_get(element, "model", &asked, NULL);
  fail_unless_equals_string(asked, gated);
  check_in_use("model", fixture_model());
  set_gate(FALSE);
  wait_for_model("gated_model");
  check_in_use("model", gated);
  check_in_use("model-name", "gated_model");
  s = next();
  fail_unless_equals_uint64(fixture_uint64(s, "age"), 0);
  gst_structure_free(s);
  fail_if(fixture_message(element, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR));
}
GST_END_TEST;

GST_START_TEST(test_an_old_result_is_not_carried_over)
{
  GstStructure *s;

  g_object_set(element, "inference-interval", 1000000, NULL);
  gst_structure_free(next());
  g_object_set(element, "model", gated, NULL);
  wait_for_model("gated_model");
  s = next();
  fail_unless_equals_uint64(fixture_uint64(s, "age"), 1); /* the frame before was inferred */
  gst_structure_free(s);
}
GST_END_TEST;

static void check_bad_model(const char *path, GQuark domain, gint code)
{
  fail_unless(next_is_by("golden-small"));
  g_object_set(element, "model", path, NULL);
  check_warning(domain, code, path);
  for (guint i = 0; i < 5; i++)
    fail_unless(next_is_by("golden-small"));
  check_in_use("model", fixture_model());
  g_object_set(element, "model", gated, NULL); /* a good model still works */
  wait_for_model("gated_model");
}

GST_START_TEST(test_a_missing_model_keeps_the_old_one)
{
  check_bad_model("/nonexistent/model.safetensors", GST_RESOURCE_ERROR,
                  GST_RESOURCE_ERROR_NOT_FOUND);
}
GST_END_TEST;

GST_START_TEST(test_garbage_keeps_the_old_model)
{
  const char *text = "#!/bin/sh\necho this is no model, but it is long enough to be one\n";
  g_autofree char *path = fixture_file("script.safetensors", text, strlen(text));

  check_bad_model(path, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_INIT);
}
GST_END_TEST;

GST_START_TEST(test_the_last_of_many_wins)
{
  set_gate(TRUE);
  g_object_set(element, "model", "/nonexistent/first.safetensors", NULL);
  wait_for_load();
  for (guint i = 0; i < 100; i++)
    g_object_set(element, "model", i % 2 ? gated : "/nonexistent/other.safetensors", NULL);
  g_object_set(element, "model", odd, NULL);
  set_gate(FALSE);
  for (gboolean taken = FALSE; !taken;) {
    GstStructure *s = next();
    g_autofree char *path = field_in_use("model");

    fail_if(g_str_equal(fixture_string(s, "model-name"), "gated_model"), "a superseded model");
    taken = g_str_equal(path, odd);
    gst_structure_free(s);
  }
  fail_unless_equals_int(n_loads, 3); /* at the start, the running one, the last one */
  fail_if(fixture_message(element, GST_MESSAGE_WARNING), "a warning about a superseded model");
}
GST_END_TEST;

/* Returns: (transfer full): the path of a labels file with @n labels "thing number ..." */
static char *things(guint n)
{
  g_autoptr(GString) text = g_string_new(NULL);

  for (guint i = 0; i < n; i++)
    g_string_append_printf(text, "thing number %u\n", i);
  return fixture_file("things.txt", text->str, text->len);
}

static void wait_for_things(void)
{
  gboolean found = FALSE;

  while (!found) {
    GstStructure *s = next();

    found = g_str_has_prefix(fixture_string(s, "label"), "thing number ");
    gst_structure_free(s);
  }
}

GST_START_TEST(test_labels_change)
{
  g_autofree char *path = things(10);

  gst_structure_free(next());
  g_object_set(element, "labels", path, NULL);
  wait_for_things();
  fail_if(fixture_message(element, GST_MESSAGE_WARNING));
}
GST_END_TEST;

GST_START_TEST(test_a_wrong_number_of_labels_keeps_the_old_ones)
{
  g_autofree char *path = things(3);
  GstStructure *before = next(), *after;

  g_object_set(element, "labels", path, NULL);
  check_warning(GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS, path);
  n_frames = 0;
  after = next();
  fail_unless_equals_string(fixture_string(after, "label"), fixture_string(before, "label"));
  gst_structure_free(before);
  gst_structure_free(after);
}
GST_END_TEST;

GST_START_TEST(test_properties_set_together_are_loaded_together)
{
  VitgateModel *model = vitgate_model_open(gated, NULL);
  g_autofree char *path = things(vitgate_model_get_info(model)->n_classes);

  vitgate_model_unref(&model);
  gst_structure_free(next());
  /* Each alone does not fit what is in use. */
  g_object_set(element, "labels", path, "model", gated, NULL);
  wait_for_things();
  check_in_use("model-name", "gated_model");
  fail_if(fixture_message(element, GST_MESSAGE_WARNING), "one was loaded without the other");
}
GST_END_TEST;

GST_START_TEST(test_precision_changes)
{
  gboolean changed = FALSE;

  check_in_use("precision", "float32");
  gst_util_set_object_arg(G_OBJECT(element), "precision", "int8");
  while (!changed) {
    g_autofree char *precision = field_in_use("precision");

    changed = g_str_equal(precision, "int8");
    gst_structure_free(next());
  }
}
GST_END_TEST;

/* ---- Stops ---- */

static gpointer to_null(gpointer data)
{
  fail_unless_equals_int(gst_element_set_state(element, GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
  return NULL;
}

static void restart(void)
{
  GstSegment segment;

  fail_unless_equals_int(gst_element_set_state(element, GST_STATE_PLAYING),
                         GST_STATE_CHANGE_SUCCESS);
  fail_unless(gst_harness_push_event(harness, gst_event_new_stream_start("again")));
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 32, 32, &info);
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(harness, gst_event_new_segment(&segment));
}

GST_START_TEST(test_a_stop_waits_for_a_load_and_drops_it)
{
  GThread *stopper;

  gst_structure_free(next());
  set_gate(TRUE);
  g_object_set(element, "model", gated, NULL);
  wait_for_load();
  stopper = g_thread_new("stopper", to_null, NULL);
  set_gate(FALSE);
  g_thread_join(stopper);
  restart();
  fail_unless(next_is_by("gated_model"));
}
GST_END_TEST;

GST_START_TEST(test_a_stop_drops_an_unused_model)
{
  g_object_set(element, "model", gated, NULL);
  wait_for_load();
  to_null(NULL); /* when the new one is ready, or nearly so */
  restart();
  fail_unless(next_is_by("gated_model"));
}
GST_END_TEST;

GST_START_TEST(test_changes_while_stopped_apply_at_the_next_start)
{
  to_null(NULL);
  g_object_set(element, "model", "/nonexistent/model.safetensors", NULL);
  g_object_set(element, "model", gated, NULL);
  fail_if(fixture_message(element, GST_MESSAGE_WARNING));
  restart();
  fail_unless(next_is_by("gated_model"));
  fail_unless_equals_int(n_loads, 2);
}
GST_END_TEST;

GST_START_TEST(test_states_cycle_while_models_change)
{
  for (guint i = 0; i < 30; i++) {
    g_object_set(element, "model", i % 2 ? fixture_model() : gated, NULL);
    if (i % 3 == 0) {
      to_null(NULL);
      restart();
    }
    gst_structure_free(next());
  }
  fail_if(fixture_message(element, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR));
}
GST_END_TEST;

GST_START_TEST(test_flushes_and_new_caps_while_a_model_is_loaded)
{
  set_gate(TRUE);
  g_object_set(element, "model", gated, NULL);
  wait_for_load();
  for (guint i = 0; i < 5; i++) {
    fixture_flush(harness);
    fixture_set_caps(harness, GST_VIDEO_FORMAT_NV12, 64 + i, 48, &info);
    fail_unless(next_is_by("golden-small"));
  }
  set_gate(FALSE);
  wait_for_model("gated_model");
}
GST_END_TEST;

static Suite *live_changes_suite(void)
{
  Suite *suite = suite_create("live-changes");
  TCase *tcase = tcase_create("live-changes");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_test(tcase, test_a_model_is_loaded_while_the_old_one_is_in_use);
  tcase_add_test(tcase, test_an_old_result_is_not_carried_over);
  tcase_add_test(tcase, test_a_missing_model_keeps_the_old_one);
  tcase_add_test(tcase, test_garbage_keeps_the_old_model);
  tcase_add_test(tcase, test_the_last_of_many_wins);
  tcase_add_test(tcase, test_labels_change);
  tcase_add_test(tcase, test_a_wrong_number_of_labels_keeps_the_old_ones);
  tcase_add_test(tcase, test_properties_set_together_are_loaded_together);
  tcase_add_test(tcase, test_precision_changes);
  tcase_add_test(tcase, test_a_stop_waits_for_a_load_and_drops_it);
  tcase_add_test(tcase, test_a_stop_drops_an_unused_model);
  tcase_add_test(tcase, test_changes_while_stopped_apply_at_the_next_start);
  tcase_add_test(tcase, test_states_cycle_while_models_change);
  tcase_add_test(tcase, test_flushes_and_new_caps_while_a_model_is_loaded);
  return suite;
}

GST_CHECK_MAIN(live_changes);
