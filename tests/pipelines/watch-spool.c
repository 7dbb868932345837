/* The spool of vitgate-watch: order, restarts, limits and full disks. */
#include "output/spool.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "disk.h"
#include "fixtures.h"

#define LIMIT 16384

static char *folder;

static void set_up(void)
{
  folder = fixtures_folder();
}

static void tear_down(void)
{
  fixtures_remove(folder);
}

static Spool *open_spool(guint64 limit)
{
  g_autoptr(GError) error = NULL;
  Spool *spool = spool_open(folder, limit, &error);
  ck_assert_msg(spool != NULL, "%s", error ? error->message : "");
  return spool;
}

/* Appends message @number, which takes 24 bytes on disk. */
static void append(Spool *spool, guint number)
{
  char payload[32];
  g_snprintf(payload, sizeof payload, "message %09u", number);
  spool_append(spool, "topic", payload, strlen(payload));
}

static void append_range(Spool *spool, guint first, guint last)
{
  for (guint i = first; i <= last; i++)
    append(spool, i);
}

/* Reads a message, and checks that it is number @number.
 * Returns: whether there was one */
static gboolean read_message(Spool *spool, guint number, guint64 *name)
{
  g_autofree char *topic = NULL, *payload = NULL;
  char expected[32];
  if (!spool_read(spool, name, &topic, &payload))
    return FALSE;
  g_snprintf(expected, sizeof expected, "message %09u", number);
  ck_assert_str_eq(topic, "topic");
  ck_assert_str_eq(payload, expected);
  return TRUE;
}

/* Reads and acknowledges messages @first to @last, and checks that there are no others. */
static void drain(Spool *spool, guint first, guint last)
{
  guint64 name;
  for (guint i = first; i <= last; i++) {
    ck_assert_msg(read_message(spool, i, &name), "message %u is not there", i);
    spool_acknowledge(spool, name);
  }
  ck_assert(!read_message(spool, 0, &name));
}

static guint64 queued(Spool *spool)
{
  SpoolStatus status;
  spool_get_status(spool, &status);
  return status.queued;
}

static guint64 dropped(Spool *spool)
{
  SpoolStatus status;
  spool_get_status(spool, &status);
  return status.dropped;
}

static guint count_segments(void)
{
  g_autoptr(GDir) entries = g_dir_open(folder, 0, NULL);
  const char *name;
  guint n = 0;
  while ((name = g_dir_read_name(entries)))
    n += g_str_has_suffix(name, ".spool");
  return n;
}

static char *first_segment(void)
{
  return g_build_filename(folder, "00000000000000000000.spool", NULL);
}

START_TEST(messages_come_out_in_order)
{
  Spool *spool = open_spool(LIMIT);
  append_range(spool, 0, 499);
  ck_assert_uint_eq(queued(spool), 500);
  drain(spool, 0, 499);
  ck_assert_uint_eq(queued(spool), 0);
  append_range(spool, 500, 510);
  drain(spool, 500, 510);
  spool_unref(&spool);
}
END_TEST

START_TEST(delivered_messages_are_deleted)
{
  Spool *spool = open_spool(LIMIT);
  append_range(spool, 0, 499);
  ck_assert_uint_gt(count_segments(), 3);
  drain(spool, 0, 499);
  ck_assert_uint_le(count_segments(), 1);
  spool_unref(&spool);
}
END_TEST

START_TEST(unacknowledged_messages_are_read_again_after_a_rewind)
{
  guint64 name, third = 0;
  Spool *spool = open_spool(LIMIT);
  append_range(spool, 0, 199);
  for (guint i = 0; i < 150; i++) {
    ck_assert(read_message(spool, i, &name));
    third = i == 2 ? name : third;
  }
  spool_acknowledge(spool, third);
  spool_rewind(spool);
  ck_assert_uint_eq(queued(spool), 197);
  drain(spool, 3, 199);
  spool_unref(&spool);
}
END_TEST

START_TEST(messages_survive_a_restart)
{
  guint64 name;
  Spool *spool = open_spool(LIMIT);
  append_range(spool, 0, 299);
  for (guint i = 0; i < 120; i++) {
    ck_assert(read_message(spool, i, &name));
    spool_acknowledge(spool, name);
  }
  spool_unref(&spool);

  spool = open_spool(LIMIT);
  ck_assert_uint_eq(queued(spool), 180);
  append_range(spool, 300, 320);
  drain(spool, 120, 320);
  spool_unref(&spool);
  spool = open_spool(LIMIT);
  ck_assert_uint_eq(queued(spool), 0);
  append(spool, 321);
  drain(spool, 321, 321);
  spool_unref(&spool);
}
END_TEST

START_TEST(messages_survive_being_killed)
{
  int pipes[2];
  char ready;
  ck_assert_int_eq(pipe(pipes), 0);
  pid_t child = fork();
  if (child == 0) {
    Spool *spool = open_spool(LIMIT);
    append_range(spool, 0, 99);
    if (write(pipes[1], "r", 1) == 1)
      pause();
    _exit(1);
  }
  ck_assert_int_eq(read(pipes[0], &ready, 1), 1);
  kill(child, SIGKILL);
  ck_assert_int_eq(waitpid(child, NULL, 0), child);

  Spool *spool = open_spool(LIMIT);
  drain(spool, 0, 99);
  spool_unref(&spool);
}
END_TEST

START_TEST(a_full_segment_is_synced_before_the_next_starts)
{
  const guint per_segment = LIMIT / 8 / 24;
  g_autofree char *first = first_segment();
  Spool *spool = open_spool(LIMIT);
  append_range(spool, 0, per_segment - 1);
  ck_assert_uint_eq(count_segments(), 1);
  ck_assert_uint_eq(disk_synced(first), 0);
  append(spool, per_segment);
  ck_assert_uint_eq(count_segments(), 2);
  ck_assert_uint_eq(disk_synced(first), per_segment * 24);

  g_autofree char *name = g_strdup_printf("%020u.spool", per_segment);
  g_autofree char *second = g_build_filename(folder, name, NULL);
  ck_assert_uint_eq(disk_synced(second), 0);
  spool_sync(spool);
  ck_assert_uint_eq(disk_synced(second), 24);
  spool_unref(&spool);
}
END_TEST

START_TEST(an_incomplete_last_message_is_cut_off)
{
  g_autofree char *segment = first_segment();
  Spool *spool = open_spool(LIMIT);
  append_range(spool, 0, 2);
  spool_unref(&spool);
  ck_assert_int_eq(truncate(segment, 3 * 24 - 5), 0);

  spool = open_spool(LIMIT);
  append_range(spool, 2, 3);
  drain(spool, 0, 3);
  spool_unref(&spool);
}
END_TEST

START_TEST(damaged_lines_are_skipped_and_counted)
{
  static const char damage[] = "topic\tmessage 000000000\n"
                               "no tab here\n"
                               "\n"
                               "\tno topic\n"
                               "topic\tzeros \0\0\0\0\n"
                               "topic\tmessage 000000001\n";
  fixtures_write(folder, "00000000000000000000.spool", damage, sizeof damage - 1);
  Spool *spool = open_spool(LIMIT);
  append(spool, 2);
  drain(spool, 0, 2);
  ck_assert_uint_eq(dropped(spool), 4);
  ck_assert_uint_eq(queued(spool), 0);
  spool_unref(&spool);
}
END_TEST

START_TEST(damaged_lines_wait_for_the_messages_before_them)
{
  static const char damage[] = "topic\tmessage 000000000\n"
                               "no tab here\n"
                               "topic\tmessage 000000001\n";
  guint64 first, name;
  fixtures_write(folder, "00000000000000000000.spool", damage, -1);
  Spool *spool = open_spool(LIMIT);
  ck_assert(read_message(spool, 0, &first));
  ck_assert(!read_message(spool, 1, &name));
  spool_acknowledge(spool, first);
  drain(spool, 1, 1);
  spool_unref(&spool);
}
END_TEST

START_TEST(a_lost_number_delivers_everything_again)
{
  g_autofree char *acked = g_build_filename(folder, "acked", NULL);
  Spool *spool = open_spool(LIMIT);
  append_range(spool, 0, 9);
  drain(spool, 0, 9);
  spool_unref(&spool);
  ck_assert(g_file_set_contents(acked, _i ? "garbage garbage garbage" : "", -1, NULL));
  spool = open_spool(LIMIT);
  drain(spool, 0, 9);
  spool_unref(&spool);
}
END_TEST

START_TEST(over_the_limit_the_oldest_are_dropped_and_counted)
{
  guint64 name;
  SpoolStatus status;
  Spool *spool = open_spool(LIMIT);
  append_range(spool, 0, 9999);
  spool_get_status(spool, &status);
  ck_assert_uint_le(status.bytes, LIMIT);
  ck_assert_uint_eq(status.queued + status.dropped, 10000);
  ck_assert_uint_ge(status.queued * 24, LIMIT * 3 / 4);
  ck_assert_uint_le(count_segments(), 9);

  /* A message that was read and then dropped may still be acknowledged. */
  guint oldest = (guint)status.dropped;
  ck_assert(read_message(spool, oldest, &name));
  append_range(spool, 10000, 10999);
  spool_acknowledge(spool, name);
  oldest = (guint)dropped(spool);
  drain(spool, oldest, 10999);
  spool_unref(&spool);
}
END_TEST

START_TEST(a_smaller_limit_applies_at_once)
{
  SpoolStatus status;
  Spool *spool = open_spool(4 * LIMIT);
  append_range(spool, 0, 1999);
  spool_set_limit(spool, LIMIT);
  spool_get_status(spool, &status);
  ck_assert_uint_le(status.bytes, LIMIT);
  drain(spool, (guint)status.dropped, 1999);
  spool_unref(&spool);
}
END_TEST

START_TEST(only_a_message_larger_than_the_limit_is_dropped)
{
  g_autofree char *large = g_strnfill(LIMIT, 'x');
  Spool *spool = open_spool(LIMIT);
  append(spool, 0);
  spool_append(spool, "topic", large, LIMIT);
  append(spool, 1);
  ck_assert_uint_eq(dropped(spool), 1);
  drain(spool, 0, 1);
  spool_unref(&spool);
}
END_TEST

START_TEST(a_full_disk_loses_nothing)
{
  Spool *spool = open_spool(LIMIT);
  append_range(spool, 0, 1);
  fixtures_limit_file_size(60); /* in the middle of a message */
  append_range(spool, 2, 20);
  ck_assert_uint_eq(queued(spool), 21);
  if (_i == 0)
    drain(spool, 0, 20); /* from memory, the disk being full */
  fixtures_limit_file_size(RLIM_INFINITY);
  append_range(spool, 21, 30);
  spool_unref(&spool);

  spool = open_spool(LIMIT);
  drain(spool, _i == 0 ? 21 : 0, 30);
  ck_assert_uint_eq(dropped(spool), 0);
  spool_unref(&spool);
}
END_TEST

START_TEST(memory_has_a_limit_while_the_disk_is_full)
{
  const guint n = 100000; /* 2.4 MB */
  Spool *spool = open_spool(64 << 20);
  append(spool, 0);
  fixtures_limit_file_size(24);
  append_range(spool, 1, n - 1);
  guint64 kept = queued(spool);
  ck_assert_uint_lt(kept, n);
  ck_assert_uint_eq(kept + dropped(spool), n);
  fixtures_limit_file_size(RLIM_INFINITY);
  spool_sync(spool);
  drain(spool, 0, (guint)kept - 1);
  spool_unref(&spool);
}
END_TEST

START_TEST(a_deleted_segment_loses_only_its_own_messages)
{
  guint64 name;
  g_autofree char *segment = first_segment();
  Spool *spool = open_spool(LIMIT);
  append_range(spool, 0, 299);
  ck_assert_int_eq(g_unlink(segment), 0);
  g_autofree char *topic = NULL, *payload = NULL;
  ck_assert(spool_read(spool, &name, &topic, &payload));
  guint first = (guint)dropped(spool);
  ck_assert_uint_gt(first, 0);
  ck_assert_uint_lt(first, 100);
  spool_rewind(spool);
  drain(spool, first, 299);
  spool_unref(&spool);
}
END_TEST

START_TEST(a_spool_has_one_user)
{
  g_autoptr(GError) error = NULL;
  Spool *spool = open_spool(LIMIT);
  ck_assert_ptr_null(spool_open(folder, LIMIT, &error));
  assert_error(error, "is in use by another process");
  spool_unref(&spool);
}
END_TEST

START_TEST(names_the_folder_that_cannot_be_created)
{
  g_autoptr(GError) error = NULL;
  fixtures_write(folder, "file", "", 0);
  g_autofree char *path = g_build_filename(folder, "file", "spool", NULL);
  ck_assert_ptr_null(spool_open(path, LIMIT, &error));
  assert_error(error, path);
}
END_TEST

static gpointer write_many(gpointer data)
{
  append_range(data, 0, 999);
  return NULL;
}

START_TEST(writers_and_a_reader_in_parallel)
{
  GThread *threads[3];
  Spool *spool = open_spool(1 << 20);
  for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
    threads[i] = g_thread_new("writer", write_many, spool);
  for (guint n = 0; n < 3000;) {
    guint64 number;
    g_autofree char *topic = NULL, *payload = NULL;
    if (!spool_read(spool, &number, &topic, &payload)) {
      g_thread_yield();
      continue;
    }
    ck_assert_uint_eq(number, n++);
    ck_assert_str_eq(topic, "topic");
    spool_acknowledge(spool, number);
  }
  for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
    g_thread_join(threads[i]);
  ck_assert_uint_eq(queued(spool), 0);
  spool_unref(&spool);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("spool");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, messages_come_out_in_order);
  tcase_add_test(tests, delivered_messages_are_deleted);
  tcase_add_test(tests, unacknowledged_messages_are_read_again_after_a_rewind);
  tcase_add_test(tests, messages_survive_a_restart);
  tcase_add_test(tests, messages_survive_being_killed);
  tcase_add_test(tests, a_full_segment_is_synced_before_the_next_starts);
  tcase_add_test(tests, an_incomplete_last_message_is_cut_off);
  tcase_add_test(tests, damaged_lines_are_skipped_and_counted);
  tcase_add_test(tests, damaged_lines_wait_for_the_messages_before_them);
  tcase_add_loop_test(tests, a_lost_number_delivers_everything_again, 0, 2);
  tcase_add_test(tests, over_the_limit_the_oldest_are_dropped_and_counted);
  tcase_add_test(tests, a_smaller_limit_applies_at_once);
  tcase_add_test(tests, only_a_message_larger_than_the_limit_is_dropped);
  tcase_add_loop_test(tests, a_full_disk_loses_nothing, 0, 2);
  tcase_add_test(tests, memory_has_a_limit_while_the_disk_is_full);
  tcase_add_test(tests, a_deleted_segment_loses_only_its_own_messages);
  tcase_add_test(tests, a_spool_has_one_user);
  tcase_add_test(tests, names_the_folder_that_cannot_be_created);
  tcase_add_test(tests, writers_and_a_reader_in_parallel);
  return fixtures_run(tests, "spool");
}
