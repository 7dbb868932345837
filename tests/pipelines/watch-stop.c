/* Cameras that hang are waited for together. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gst/gst.h>

#include "camera/camera.h"
#include "fixtures.h"

#define N_CAMERAS 3
#define PATIENCE  (G_USEC_PER_SEC / 2)

static GMutex lock;
static GCond opened;
static guint n_opened;

/* Counts the sources that are about to open their pipes. A camera that is stopped before would not
 * even start. */
static void on_log(GstDebugCategory *category, GstDebugLevel level, const char *file,
                   const char *function, int line, GObject *object, GstDebugMessage *message,
                   gpointer user_data)
{
  if (strcmp(gst_debug_category_get_name(category), "filesrc") ||
      !g_str_has_prefix(gst_debug_message_get(message), "opening file"))
    return;
  g_mutex_lock(&lock);
  n_opened++;
  g_cond_signal(&opened);
  g_mutex_unlock(&lock);
}

static void on_end(gpointer user_data)
{
}

/* Opening a pipe for reading waits until somebody writes. */
static Config *configure(const char *folder)
{
  GString *text = g_string_new(NULL);
  g_autofree char *path = g_build_filename(folder, "watch.conf", NULL);
  for (guint i = 0; i < N_CAMERAS; i++) {
    g_autofree char *pipe = g_strdup_printf("%s/%u", folder, i);
    ck_assert_int_eq(mkfifo(pipe, 0600), 0);
    g_string_append_printf(text, "[camera %u]\nurl=file://%s\nmodel=%s\n", i, pipe,
                           g_getenv("VITGATE_TEST_MODEL"));
  }
  fixtures_write(folder, "watch.conf", text->str, -1);
  g_string_free(text, TRUE);
  return config_load(path, NULL);
}

START_TEST(hanging_cameras_are_waited_for_together)
{
  char *folder = fixtures_folder();
  g_autoptr(Config) config = configure(folder);
  gst_debug_remove_log_function(gst_debug_log_default);
  gst_debug_add_log_function(on_log, NULL, NULL);
  gst_debug_set_threshold_for_name("filesrc", GST_LEVEL_INFO);
  Outputs *outputs = outputs_new(config, NULL);
  Camera *cameras[N_CAMERAS], *hanging[N_CAMERAS];
  for (guint i = 0; i < N_CAMERAS; i++)
    cameras[i] = hanging[i] = camera_new(config, config->cameras->pdata[i], outputs, on_end, NULL);

  g_mutex_lock(&lock);
  while (n_opened < N_CAMERAS)
    g_cond_wait(&opened, &lock);
  g_mutex_unlock(&lock);

  const gint64 start = g_get_monotonic_time();
  for (guint i = 0; i < N_CAMERAS; i++)
    camera_stop(cameras[i]);
  for (guint i = 0; i < N_CAMERAS; i++)
    ck_assert(!camera_free(&cameras[i], start + PATIENCE));
  const gint64 taken = g_get_monotonic_time() - start;
  ck_assert_msg(taken >= PATIENCE && taken < 2 * PATIENCE, "%.1f s", (double)taken * 1e-6);

  for (guint i = 0; i < N_CAMERAS; i++) {
    g_autofree char *pipe = g_strdup_printf("%s/%u", folder, i);
    /* A source may open its pipe more than once. */
    do {
      close(open(pipe, O_RDWR | O_NONBLOCK));
      cameras[i] = hanging[i];
    } while (!camera_free(&cameras[i], g_get_monotonic_time() + G_USEC_PER_SEC / 50));
  }
  outputs_free(&outputs);
  fixtures_remove(folder);
}
END_TEST

int main(int argc, char **argv)
{
  gst_init(&argc, &argv);
  if (!gst_registry_check_feature_version(gst_registry_get(), "vitgate", 0, 0, 0))
    return 77;
  TCase *tests = tcase_create("stop");
  tcase_add_test(tests, hanging_cameras_are_waited_for_together);
  return fixtures_run(tests, "stop");
}
