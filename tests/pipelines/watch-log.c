/* The log of vitgate-watch: complete lines, rotation, full disks and incomplete last lines. */
#include "output/log-file.h"

#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "fixtures.h"

#define BEGIN "{\"line\": "

static char *folder, *path;

static void set_up(void)
{
  folder = fixtures_folder();
  path = g_build_filename(folder, "log", NULL);
}

static void tear_down(void)
{
  g_free(path);
  fixtures_remove(folder);
}

static LogFile *open_log(guint64 size, guint files)
{
  const LogFileOptions options = { .path = path, .size = size, .files = files };
  g_autoptr(GError) error = NULL;
  LogFile *log = log_file_new(&options, &error);
  ck_assert_msg(log != NULL, "%s", error ? error->message : "");
  return log;
}

/* Writes line @number, 20 bytes including its newline. */
static void write_line(LogFile *log, guint number)
{
  char line[32];
  g_snprintf(line, sizeof line, BEGIN "%09u}\n", number);
  log_file_write(log, line, strlen(line));
}

static void write_lines(LogFile *log, guint first, guint last)
{
  for (guint i = first; i <= last; i++)
    write_line(log, i);
}

static gboolean has_file(const char *suffix)
{
  g_autofree char *name = g_strconcat(path, suffix, NULL);
  return g_file_test(name, G_FILE_TEST_EXISTS);
}

/* Appends the numbers of all lines in file @file (0: the newest) to @numbers, and checks that each
 * line is complete. */
static void collect(guint file, GArray *numbers)
{
  g_autofree char *name = file ? g_strdup_printf("%s.%u", path, file) : g_strdup(path);
  g_autofree char *text = NULL;
  g_file_get_contents(name, &text, NULL, NULL);
  for (const char *at = text; at && *at;) {
    char *end = NULL;
    guint number = g_str_has_prefix(at, BEGIN) ? (guint)strtoul(at + strlen(BEGIN), &end, 10) : 0;
    ck_assert_msg(end && !strncmp(end, "}\n", 2), "an incomplete line: %.30s", at);
    g_array_append_val(numbers, number);
    at = end + 2;
  }
}

/* Checks that the newest @n_files files hold lines @first to @last. */
static void assert_lines(guint n_files, guint first, guint last)
{
  g_autoptr(GArray) numbers = g_array_new(FALSE, FALSE, sizeof(guint));
  while (n_files-- > 0)
    collect(n_files, numbers);
  ck_assert_uint_eq(numbers->len, last - first + 1);
  for (guint i = 0; i < numbers->len; i++)
    ck_assert_uint_eq(g_array_index(numbers, guint, i), first + i);
}

START_TEST(rotated_files_together_hold_the_newest_lines)
{
  LogFile *log = open_log(100, 3);
  write_lines(log, 0, 22);
  log_file_free(&log);

  g_autoptr(GArray) oldest = g_array_new(FALSE, FALSE, sizeof(guint));
  collect(2, oldest);
  ck_assert_uint_eq(oldest->len, 5);
  assert_lines(3, 10, 22);
  ck_assert(!has_file(".3"));
  ck_assert(!has_file(".new"));
}
END_TEST

START_TEST(a_single_file_starts_afresh)
{
  LogFile *log = open_log(100, 1);
  write_lines(log, 0, 6);
  log_file_free(&log);
  assert_lines(1, 5, 6);
  ck_assert(!has_file(".1"));
}
END_TEST

START_TEST(lines_longer_than_the_limit_get_a_file_of_their_own)
{
  LogFile *log = open_log(10, 3);
  write_lines(log, 0, 2);
  log_file_free(&log);
  assert_lines(3, 0, 2);
}
END_TEST

START_TEST(appends_to_an_existing_file)
{
  LogFile *log = open_log(1000, 3);
  write_line(log, 0);
  log_file_free(&log);
  log = open_log(1000, 3);
  write_line(log, 1);
  log_file_free(&log);
  assert_lines(1, 0, 1);
}
END_TEST

START_TEST(an_incomplete_last_line_is_cut_off)
{
  /* Longer than the block that is searched at once. */
  g_autofree char *torn = g_strnfill(10000, 'x');
  g_autofree char *text = g_strconcat(_i ? "{\"line\": 000000000}\n" : "", torn, NULL);
  fixtures_write(folder, "log", text, -1);
  LogFile *log = open_log(1000, 3);
  write_line(log, 1);
  log_file_free(&log);
  assert_lines(1, _i ? 0 : 1, 1);
}
END_TEST

START_TEST(lines_wait_while_the_disk_is_full)
{
  LogFileStatus status;
  LogFile *log = open_log(1000000, 3);
  write_line(log, 0);
  fixtures_limit_file_size(50); /* in the middle of a line */
  write_lines(log, 1, 9);
  assert_lines(1, 0, 1);
  log_file_get_status(log, &status);
  ck_assert_uint_eq(status.lines, 2);
  ck_assert_uint_eq(status.waiting, 8);

  fixtures_limit_file_size(RLIM_INFINITY);
  log_file_sync(log);
  write_line(log, 10);
  log_file_get_status(log, &status);
  ck_assert_uint_eq(status.waiting, 0);
  ck_assert_uint_eq(status.dropped, 0);
  log_file_free(&log);
  assert_lines(1, 0, 10);
}
END_TEST

START_TEST(waiting_lines_are_limited_and_counted)
{
  const guint n = 230000; /* 4.6 MB */
  LogFileStatus status;
  LogFile *log = open_log(100000000, 3);
  fixtures_limit_file_size(0);
  write_lines(log, 0, n - 1);
  log_file_get_status(log, &status);
  ck_assert_uint_gt(status.dropped, 0);
  ck_assert_uint_eq(status.dropped + status.waiting, n);

  fixtures_limit_file_size(RLIM_INFINITY);
  log_file_free(&log);
  assert_lines(1, (guint)status.dropped, n - 1);
}
END_TEST

START_TEST(keeps_growing_if_it_cannot_be_rotated)
{
  /* A folder that is not empty has the name of the next file. */
  fixtures_write(folder, "log.new/x", "", 0);
  LogFile *log = open_log(100, 3);
  write_lines(log, 0, 11);
  log_file_free(&log);
  assert_lines(1, 0, 11);
}
END_TEST

/* The disk is full in the middle of a line, and refuses to cut that part off. */
START_TEST(a_file_with_part_of_a_line_is_not_rotated)
{
  const gsize large = 4500000; /* the first lines give way to it in memory */
  g_autofree char *payload = g_strnfill(large, 'x');
  g_autofree char *line = g_strdup_printf(BEGIN "%09u}%s\n", 7, payload);
  LogFile *log = open_log(100, 3);
  write_lines(log, 0, 3);
  fixtures_limit_file_size(90);
  disk_fail_truncation(TRUE);
  write_line(log, 4);
  log_file_write(log, line, strlen(line));
  fixtures_limit_file_size(RLIM_INFINITY);
  log_file_sync(log); /* the line is due, and does not fit */
  ck_assert(!has_file(".1"));

  disk_fail_truncation(FALSE);
  log_file_free(&log);
  g_autofree char *text = NULL;
  ck_assert(g_file_get_contents(path, &text, NULL, NULL));
  ck_assert(!has_file(".1"));
  ck_assert_int_eq(strncmp(text + 4 * 20, line, strlen(line)), 0);
}
END_TEST

START_TEST(a_full_file_is_synced_before_the_next_starts)
{
  g_autofree char *first = g_strconcat(path, ".1", NULL);
  LogFile *log = open_log(100, 3);
  write_lines(log, 0, 4);
  ck_assert_uint_eq(disk_synced(path), 0);
  write_line(log, 5);
  ck_assert_uint_eq(disk_synced(first), 100);
  ck_assert_uint_eq(disk_synced(path), 0);
  log_file_sync(log);
  ck_assert_uint_eq(disk_synced(path), 20);
  log_file_free(&log);
}
END_TEST

START_TEST(new_limits_apply_at_once)
{
  const LogFileOptions smaller = { .path = path, .size = 60, .files = 2 };
  LogFile *log = open_log(100, 5);
  write_lines(log, 0, 7); /* five in the first file */
  ck_assert(log_file_change(log, &smaller, NULL));
  ck_assert_uint_eq(disk_synced(path), 60);
  write_line(log, 8);
  assert_lines(2, 5, 8);
  ck_assert(!has_file(".2"));
  write_lines(log, 9, 11);
  assert_lines(2, 8, 11);
  log_file_free(&log);
}
END_TEST

START_TEST(names_the_file_that_cannot_be_opened)
{
  g_autoptr(GError) error = NULL;
  const LogFileOptions options = { .path = folder, .size = 100, .files = 1 };
  ck_assert_ptr_null(log_file_new(&options, &error));
  assert_error(error, folder);
}
END_TEST

static gpointer write_many(gpointer data)
{
  write_lines(data, 0, 1999);
  return NULL;
}

START_TEST(lines_of_several_threads_stay_complete)
{
  GThread *threads[4];
  LogFile *log = open_log(10000, 1000);
  for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
    threads[i] = g_thread_new("writer", write_many, log);
  for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
    g_thread_join(threads[i]);
  log_file_free(&log);

  g_autoptr(GArray) numbers = g_array_new(FALSE, FALSE, sizeof(guint));
  for (guint file = 0; file < 16; file++)
    collect(file, numbers);
  ck_assert_uint_eq(numbers->len, 4 * 2000);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("log");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, rotated_files_together_hold_the_newest_lines);
  tcase_add_test(tests, a_single_file_starts_afresh);
  tcase_add_test(tests, lines_longer_than_the_limit_get_a_file_of_their_own);
  tcase_add_test(tests, appends_to_an_existing_file);
  tcase_add_loop_test(tests, an_incomplete_last_line_is_cut_off, 0, 2);
  tcase_add_test(tests, lines_wait_while_the_disk_is_full);
  tcase_add_test(tests, waiting_lines_are_limited_and_counted);
  tcase_add_test(tests, keeps_growing_if_it_cannot_be_rotated);
  tcase_add_test(tests, a_file_with_part_of_a_line_is_not_rotated);
  tcase_add_test(tests, a_full_file_is_synced_before_the_next_starts);
  tcase_add_test(tests, new_limits_apply_at_once);
  tcase_add_test(tests, names_the_file_that_cannot_be_opened);
  tcase_add_test(tests, lines_of_several_threads_stay_complete);
  return fixtures_run(tests, "log");
}
