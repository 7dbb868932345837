/* The log of events, read backwards: pages, filters, ids that stay, and damaged files. */
#include "page/event-log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/times.h"
#include "fixtures.h"
#include "output/log-file.h"
#include "page/event-id.h"

#define SECOND G_GINT64_CONSTANT(1000000)
#define START  (G_GINT64_CONSTANT(1795960992) * SECOND) /* 2026-11-29 */

static char *folder, *path;

static void set_up(void)
{
  folder = fixtures_folder();
  path = g_build_filename(folder, "log.events.jsonl", NULL);
}

static void tear_down(void)
{
  g_free(path);
  fixtures_remove(folder);
}

/* Event @number comes @number seconds after START, from camera "yard" or "door" in turn. Every
 * third is a state. */
static char *make_line(guint number)
{
  g_autofree char *time = time_to_utc(START + number * SECOND);
  const char *camera = number % 2 ? "yard" : "door";
  if (number % 3 == 0)
    return g_strdup_printf("{\"event\":\"state\",\"stream_id\":\"%s\",\"wall_clock\":\"%s\","
                           "\"look\":\"gate\",\"from\":\"open\",\"to\":\"closed\",\"n\":%u}\n",
                           camera, time, number);
  return g_strdup_printf("{\"event\":\"%s\",\"stream_id\":\"%s\",\"wall_clock\":\"%s\","
                         "\"label\":\"caf\u00e9 \\\"%u\\\"\",\"n\":%u}\n",
                         number % 3 == 1 ? "appeared" : "vanished", camera, time, number / 100,
                         number);
}

static void write_events(guint first, guint last, guint64 size)
{
  const LogFileOptions options = { .path = path, .size = size, .files = 1000 };
  LogFile *log = log_file_new(&options, NULL);
  for (guint i = first; i <= last; i++) {
    g_autofree char *line = make_line(i);
    log_file_write(log, line, strlen(line));
  }
  log_file_free(&log);
}

static EventPage *read_page(const char *before, guint limit, const EventFilter *filter)
{
  g_autoptr(GError) error = NULL;
  EventPage *page = event_log_read(path, before, limit, filter, &error);
  ck_assert_msg(page != NULL, "%s", error ? error->message : "");
  ck_assert_uint_le(page->events->len, limit);
  return page;
}

static guint get_number(const EventPage *page, guint i)
{
  const EventRecord *record = page->events->pdata[i];
  return (guint)json_object_get_int_member(json_node_get_object(record->event), "n");
}

static const char *get_id(const EventPage *page, guint i)
{
  return ((const EventRecord *)page->events->pdata[i])->id;
}

/* Reads all pages, and checks that the events are @last, @last - @step and so on, down to @first.
 */
static void assert_events(const EventFilter *filter, guint limit, guint first, guint last,
                          guint step)
{
  g_autofree char *before = NULL;
  guint next = last, n = 0;
  do {
    g_autoptr(EventPage) page = read_page(before, limit, filter);
    for (guint i = 0; i < page->events->len; i++, n++, next -= step)
      ck_assert_uint_eq(get_number(page, i), next);
    g_free(before);
    before = g_strdup(page->next);
  } while (before);
  ck_assert_uint_eq(n, (last - first) / step + 1);
}

START_TEST(pages_go_back_across_rotated_files)
{
  write_events(0, 999, 5000);
  assert_events(NULL, 50, 0, 999, 1);
  assert_events(NULL, 1, 0, 999, 1);
  assert_events(NULL, 5000, 0, 999, 1);
}
END_TEST

START_TEST(lines_that_cross_blocks_are_whole)
{
  write_events(0, 1999, 1 << 20);
  assert_events(NULL, 7, 0, 1999, 1);
}
END_TEST

START_TEST(a_missing_or_empty_log_has_no_events)
{
  g_autoptr(EventPage) page = read_page(NULL, 50, NULL);
  ck_assert_uint_eq(page->events->len, 0);
  ck_assert_ptr_null(page->next);
  fixtures_write(folder, "log.events.jsonl", "", 0);
  g_autoptr(EventPage) empty = read_page(NULL, 50, NULL);
  ck_assert_uint_eq(empty->events->len, 0);
}
END_TEST

START_TEST(a_gap_in_the_numbers_of_files_does_no_harm)
{
  write_events(0, 999, 5000);
  g_autofree char *from = g_strconcat(path, ".1", NULL), *to = g_strconcat(path, ".gone", NULL);
  g_autoptr(EventPage) all = read_page(NULL, 5000, NULL);
  g_rename(from, to);
  g_autoptr(EventPage) rest = read_page(NULL, 5000, NULL);
  ck_assert_uint_lt(rest->events->len, all->events->len);
  ck_assert_uint_eq(get_number(rest, rest->events->len - 1), 0);
}
END_TEST

/* As when a file is renamed while files are opened. */
START_TEST(a_file_with_two_names_is_read_once)
{
  g_autofree char *name = g_strconcat(path, ".1", NULL);
  write_events(0, 99, 1 << 20);
  ck_assert_int_eq(link(path, name), 0);
  assert_events(NULL, 7, 0, 99, 1);
}
END_TEST

START_TEST(ids_stay_when_files_rotate)
{
  write_events(0, 199, 5000);
  g_autoptr(EventPage) page = read_page(NULL, 50, NULL);
  write_events(200, 399, 5000);
  g_autoptr(EventPage) same = read_page(page->next, 50, NULL);
  ck_assert_uint_eq(get_number(same, 0), 149);
  g_autoptr(EventPage) after = read_page(get_id(page, 9), 50, NULL);
  ck_assert_uint_eq(get_number(after, 0), 189);
  ck_assert_str_eq(get_id(after, 40), get_id(same, 0));
  ck_assert_uint_eq(get_number(after, 40), 149);
}
END_TEST

START_TEST(an_id_is_made_of_the_line)
{
  g_autofree char *line = make_line(1), *other = make_line(2);
  g_autofree char *id = event_id_new(line, strlen(line) - 1);
  g_autofree char *same = event_id_new(line, strlen(line) - 1);
  g_autofree char *other_id = event_id_new(other, strlen(other) - 1);
  ck_assert_str_eq(id, same);
  ck_assert_str_ne(id, other_id);
  ck_assert_int_eq(event_id_get_time(id), START + SECOND);
  static const char *const none[] = { "",
                                      "-",
                                      "1795960992000000-9f3a2b1",
                                      "x795960992000000-9f3a2b1c",
                                      "1795960992000000-9f3a2b1c0",
                                      "1795960992000000-9f3a2b1G" };
  for (guint i = 0; i < G_N_ELEMENTS(none); i++)
    ck_assert_int_eq(event_id_get_time(none[i]), -1);
  static const char *const bad[] = { "{}", "{\"wall_clock\":\"2026\"}", "{\"wall_clock\":",
                                     "{\"wall_clock\":\"2026-13-41T14:03:12.000123Z\"}",
                                     "\"wall_clock\":7" };
  for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
    ck_assert_ptr_null(event_id_new(bad[i], strlen(bad[i])));
}
END_TEST

START_TEST(filters)
{
  write_events(0, 599, 20000);
  assert_events(&(EventFilter){ .camera = "yard" }, 50, 1, 599, 2);
  assert_events(&(EventFilter){ .event = "vanished" }, 50, 2, 599, 3);
  assert_events(&(EventFilter){ .look = "gate" }, 50, 0, 597, 3);
  assert_events(&(EventFilter){ .label = "closed", .camera = "door" }, 50, 0, 594, 6);
  assert_events(&(EventFilter){ .since = START + 100 * SECOND, .until = START + 199 * SECOND }, 7,
                100, 199, 1);
  assert_events(&(EventFilter){ .label = "caf\u00e9 \"2\"", .event = "appeared" }, 50, 202, 298, 3);
  g_autoptr(EventPage) none = read_page(NULL, 50, &(EventFilter){ .label = "open" });
  ck_assert_uint_eq(none->events->len, 0);
  ck_assert_ptr_null(none->next);
}
END_TEST

static void assert_refused(const char *before, int code, const char *message)
{
  g_autoptr(GError) error = NULL;
  ck_assert_ptr_null(event_log_read(path, before, 50, NULL, &error));
  ck_assert_msg(g_error_matches(error, G_IO_ERROR, code), "%s", error->message);
  assert_error(error, message);
}

START_TEST(a_wrong_cursor_is_an_error)
{
  write_events(0, 99, 5000);
  static const char *const wrong[] = {
    "7", "", "@", "@-", "@-1", "@x-y", "../../etc/passwd", "@-9-"
  };
  for (guint i = 0; i < G_N_ELEMENTS(wrong); i++)
    if (!strchr(wrong[i], '1'))
      assert_refused(wrong[i], G_IO_ERROR_INVALID_ARGUMENT, "before=");
  g_autoptr(EventPage) page = read_page(NULL, 3, NULL);
  g_autofree char *inside = g_strconcat(page->next, "1", NULL);
  assert_refused(inside, G_IO_ERROR_INVALID_ARGUMENT, "expected the id of an event");
  assert_refused("1795960992000000-9f3a2b1c", G_IO_ERROR_NOT_FOUND, "no event has the id");
}
END_TEST

START_TEST(what_is_older_than_the_oldest_file_is_no_error)
{
  g_autoptr(EventPage) page = read_page("@0123456789ab-77", 3, NULL);
  ck_assert_uint_eq(page->events->len, 0);
  ck_assert_ptr_null(page->next);
}
END_TEST

START_TEST(lines_that_are_no_events_are_skipped)
{
  g_autofree char *one = make_line(1), *two = make_line(2), *three = make_line(3);
  g_autofree char *half = g_strndup(one, 40);
  g_autofree char *huge = g_strnfill(9 << 20, 'x');
  g_autofree char *text = g_strconcat(one, "\n\n", half, "\n", huge, "\n[1]\nnull\n{}\n", two,
                                      "\xff\xfe\n", three, "{\"event\":\"unfinished", NULL);
  fixtures_write(folder, "log.events.jsonl", text, -1);
  assert_events(NULL, 2, 1, 3, 1);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_named)
{
  g_autoptr(GError) error = NULL;
  g_mkdir(path, 0700);
  g_autoptr(EventPage) page = event_log_read(path, NULL, 5, NULL, &error);
  ck_assert_ptr_null(page);
  assert_error(error, "log.events.jsonl: Is a directory");
}
END_TEST

/* The clock was set back by a day, twice. */
START_TEST(the_order_is_that_of_the_log_whatever_the_clock_says)
{
  GString *text = g_string_new(NULL);
  for (guint i = 0; i < 30; i++) {
    g_autofree char *time = time_to_utc(START + ((gint64)i - i / 10 * 86400) * SECOND);
    g_string_append_printf(
        text, "{\"event\":\"lost\",\"stream_id\":\"a\",\"wall_clock\":\"%s\",\"n\":%u}\n", time, i);
  }
  g_autofree char *all = g_string_free(text, FALSE);
  fixtures_write(folder, "log.events.jsonl", all, -1);
  assert_events(NULL, 7, 0, 29, 1);
  assert_events(&(EventFilter){ .since = START }, 50, 0, 9, 1);
}
END_TEST

/* Prints how long pages take, for people: VITGATE_TEST_EVENTS is how many events the log has. */
START_TEST(a_long_log)
{
  const char *wanted = g_getenv("VITGATE_TEST_EVENTS");
  const guint n = wanted ? (guint)strtoul(wanted, NULL, 10) : 5000;
  GString *text = g_string_new(NULL);
  for (guint i = 0; i < n; i++) {
    g_autofree char *line = make_line(i);
    g_string_append(text, line);
  }
  g_autofree char *all = g_string_free(text, FALSE);
  fixtures_write(folder, "log.events.jsonl", all, -1);
  const EventFilter filters[] = { { 0 },
                                  { .camera = "nobody" },
                                  { .label = "caf\u00e9 \"0\"" },
                                  { .label = "ge\u00f6ffnet" },
                                  { .since = START, .until = START + 9 * SECOND } };
  for (guint i = 0; i < G_N_ELEMENTS(filters); i++) {
    const gint64 begin = g_get_monotonic_time();
    g_autoptr(EventPage) page = read_page(NULL, 50, &filters[i]);
    g_printerr("filter %u: %u of %u events in %.1f ms\n", i, page->events->len, n,
               (double)(g_get_monotonic_time() - begin) * 1e-3);
  }
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("event-log");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, pages_go_back_across_rotated_files);
  tcase_add_test(tests, lines_that_cross_blocks_are_whole);
  tcase_add_test(tests, a_missing_or_empty_log_has_no_events);
  tcase_add_test(tests, a_gap_in_the_numbers_of_files_does_no_harm);
  tcase_add_test(tests, a_file_with_two_names_is_read_once);
  tcase_add_test(tests, ids_stay_when_files_rotate);
  tcase_add_test(tests, an_id_is_made_of_the_line);
  tcase_add_test(tests, filters);
  tcase_add_test(tests, a_wrong_cursor_is_an_error);
  tcase_add_test(tests, what_is_older_than_the_oldest_file_is_no_error);
  tcase_add_test(tests, lines_that_are_no_events_are_skipped);
  tcase_add_test(tests, a_file_that_cannot_be_read_is_named);
  tcase_add_test(tests, the_order_is_that_of_the_log_whatever_the_clock_says);
  tcase_add_test(tests, a_long_log);
  return fixtures_run(tests, "event-log");
}
