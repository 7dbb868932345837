/* The outputs of vitgate-watch together: when lines are synced to disk. */
#include "output/outputs.h"

#include <string.h>
#include <sys/stat.h>

#include "disk.h"
#include "fixtures.h"

#define LINE "{\"event\": \"none\"}\n"

static char *folder;
static Outputs *outputs;

/* Opens a log and a spool, for a broker that nobody runs. */
static void open_outputs(const char *watch_group)
{
  folder = fixtures_folder();
  g_autofree char *text = g_strconcat(watch_group,
                                      "[log]\nfile=log\n"
                                      "[mqtt]\nhost=127.0.0.1\nport=1\nspool=spool\n"
                                      "[camera a]\nurl=rtsp://a/\n",
                                      NULL);
  g_autofree char *path = g_build_filename(folder, "watch.conf", NULL);
  g_autoptr(GError) error = NULL;
  fixtures_write(folder, "watch.conf", text, -1);
  g_autoptr(Config) config = config_load(path, &error);
  ck_assert_msg(config != NULL, "%s", error ? error->message : "");
  outputs = outputs_new(config, &error);
  ck_assert_msg(outputs != NULL, "%s", error ? error->message : "");
}

static void close_outputs(void)
{
  outputs_free(&outputs);
  fixtures_remove(folder);
}

static void put_event(void)
{
  outputs_event(outputs, "a", 0, LINE, strlen(LINE));
}

/* Checks how much of both files is on disk. */
static void assert_synced(guint lines)
{
  g_autofree char *log = g_build_filename(folder, "log", NULL);
  g_autofree char *spool = g_build_filename(folder, "spool", "00000000000000000000.spool", NULL);
  ck_assert_uint_eq(disk_synced(log), lines * strlen(LINE));
  ck_assert_uint_eq(disk_synced(spool), lines * strlen("vitgate/a/event\t" LINE));
}

START_TEST(with_an_interval_of_zero_each_line_is_synced)
{
  open_outputs("[watch]\nsync-interval=0\n");
  for (guint lines = 1; lines <= 3; lines++) {
    put_event();
    assert_synced(lines);
  }
  close_outputs();
}
END_TEST

START_TEST(with_an_interval_lines_are_synced_together)
{
  open_outputs(_i ? "[watch]\nsync-interval=0.01\n" : "");
  put_event();
  put_event();
  assert_synced(0);
  outputs_sync(outputs);
  assert_synced(2);
  close_outputs();
}
END_TEST

static gboolean always(gint64 lease, gpointer user_data)
{
  return TRUE;
}

/* A camera that was started for an earlier claim may hang, and wake up later. */
START_TEST(only_the_camera_of_the_newest_claim_writes)
{
  open_outputs("");
  Ownership *ownership = outputs_get_ownership(outputs);
  g_autofree char *path = g_build_filename(folder, "log", NULL), *text = NULL;
  ownership_set_node(ownership, "n", always, NULL);
  ownership_set(ownership, "a", 5, 1);
  outputs_event(outputs, "a", 4, LINE, strlen(LINE));
  outputs_frame(outputs, "a", 4, LINE, strlen(LINE), TRUE);
  outputs_event(outputs, "a", 5, LINE, strlen(LINE));
  ck_assert(g_file_get_contents(path, &text, NULL, NULL));
  ck_assert_str_eq(text, "{\"event\": \"none\",\"node\":\"n\",\"claim\":5}\n");
  close_outputs();
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("outputs");
  tcase_add_test(tests, with_an_interval_of_zero_each_line_is_synced);
  tcase_add_loop_test(tests, with_an_interval_lines_are_synced_together, 0, 2);
  tcase_add_test(tests, only_the_camera_of_the_newest_claim_writes);
  return fixtures_run(tests, "outputs");
}
