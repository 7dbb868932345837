/* loader-race.c: a frame takes a new model at the worst moment: when the loader has put it there
 * and has not yet freed the one replaced before. GLib's locks are replaced, so that it happens each
 * time. */
#include <dlfcn.h>

#include "fixture.h"

static void (*real_lock)(GMutex *);
static void (*real_wait)(GCond *, GMutex *);

static GstHarness *harness;
static GstElement *element;
static GstVideoInfo info;

static GThread *loader;     /* known from its first load on */
static gint is_idle;        /* the loader waits, with a new model ready */
static gint is_closed;      /* loads are blocked */
static gint n_loads;        /* begun, with that of the start */
static gint locks_to_frame; /* the loader processes a frame instead of taking this lock; 0: none */
static gint has_raced;      /* it has processed that frame */
static gint n_sessions;     /* that exist */

__attribute__((constructor)) static void find_real(void)
{
  real_lock = dlsym(RTLD_NEXT, "g_mutex_lock");
  real_wait = dlsym(RTLD_NEXT, "g_cond_wait");
}

static gboolean is_loader(void)
{
  return g_atomic_pointer_get(&loader) == g_thread_self();
}

static void process_frame(void)
{
  gst_structure_free(fixture_classify(harness, &info, 1));
}

__attribute__((visibility("default"))) void g_mutex_lock(GMutex *mutex)
{
  if (!real_lock) /* called from a library's constructor, before find_real() */
    find_real();
  if (g_atomic_int_get(&locks_to_frame) > 0 && mutex == GST_OBJECT_GET_LOCK(element) &&
      is_loader() && g_atomic_int_dec_and_test(&locks_to_frame)) {
    process_frame();
    g_atomic_int_set(&has_raced, TRUE);
  }
  real_lock(mutex);
}

__attribute__((visibility("default"))) void g_cond_wait(GCond *cond, GMutex *mutex)
{
  if (element && mutex == GST_OBJECT_GET_LOCK(element) && is_loader())
    g_atomic_int_set(&is_idle, TRUE);
  real_wait(cond, mutex);
}

VitgateModel *vitgate_model_open_with(const char *path, VitgatePrecision precision, GError **error)
{
  typeof(vitgate_model_open_with) *real = fixture_engine("vitgate_model_open_with");

  if (g_atomic_int_add(&n_loads, 1) > 0)
    g_atomic_pointer_set(&loader, g_thread_self());
  while (g_atomic_int_get(&is_closed))
    g_thread_yield();
  return real(path, precision, error);
}

VitgateSession *vitgate_session_new(VitgateModel *model, const VitgateSessionOptions *options,
                                    GError **error)
{
  typeof(vitgate_session_new) *real = fixture_engine("vitgate_session_new");

  g_atomic_int_inc(&n_sessions);
  return real(model, options, error);
}

void vitgate_session_free(VitgateSession **session)
{
  typeof(vitgate_session_free) *real = fixture_engine("vitgate_session_free");

  if (*session)
    g_atomic_int_add(&n_sessions, -1);
  real(session);
}

static void wait_for(gint *number, gint least)
{
  while (g_atomic_int_get(number) < least)
    g_thread_yield();
}

static gboolean is_in_use(const char *path)
{
  GstStructure *stats;
  gboolean is;

  process_frame();
  stats = fixture_stats(element);
  is = g_str_equal(fixture_string(stats, "model"), path);
  gst_structure_free(stats);
  return is;
}

GST_START_TEST(test_no_model_is_lost_when_two_are_replaced_at_once)
{
  const char *gated = fixture_path("VITGATE_TEST_GATED_MODEL");
  g_autofree char *odd =
      g_build_filename(g_getenv("VITGATE_TEST_GOLDENS"), "model-odd.safetensors", NULL);

  element = fixture_element();
  harness = fixture_harness(element);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 32, 32, &info);
  process_frame();

  g_object_set(element, "model", gated, NULL);
  wait_for(&is_idle, TRUE);
  g_atomic_int_set(&is_closed, TRUE);
  g_object_set(element, "model", odd, NULL);
  wait_for(&n_loads, 3);
  fail_unless(is_in_use(gated), "the first model still waits to be freed");
  g_atomic_int_set(&locks_to_frame, 2); /* to hand over the new model, and to go on */
  g_atomic_int_set(&is_closed, FALSE);
  wait_for(&has_raced, TRUE);
  while (!is_in_use(odd))
    g_thread_yield();
  element = NULL;
  fixture_free(harness);
  fail_unless_equals_int(g_atomic_int_get(&n_sessions), 0);
}
GST_END_TEST;

static Suite *loader_race_suite(void)
{
  Suite *suite = suite_create("loader-race");
  TCase *tcase = tcase_create("loader-race");

  suite_add_tcase(suite, tcase);
  tcase_add_test(tcase, test_no_model_is_lost_when_two_are_replaced_at_once);
  return suite;
}

GST_CHECK_MAIN(loader_race);
