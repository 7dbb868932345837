/* Class labels from text files. */
#include <glib/gstdio.h>

#include "fixture.h"

/* Reads @text as a labels file of @n_classes classes. */
static char **read_text(const char *text, gsize length, guint n_classes, char ***ids,
                        GError **error)
{
  g_autofree char *path = fixture_write("labels.txt", text, length);
  return vitgate_labels_read(path, n_classes, ids, error);
}

static void expect(const char *text, guint n_classes, const char *const *expected)
{
  g_autoptr(GError) error = NULL;
  char **ids = (char **)1;
  g_auto(GStrv) labels = read_text(text, strlen(text), n_classes, &ids, &error);
  assert_success(labels, error);
  ck_assert_msg(g_strv_equal((const char *const *)labels, expected),
                "\"%s\" was read as \"%s\" ...", text, labels[0]);
  ck_assert_ptr_null(ids);
}

static void refuse(const char *text, gsize length, guint n_classes, const char *part)
{
  g_autoptr(GError) error = NULL;
  ck_assert_ptr_null(read_text(text, length, n_classes, NULL, &error));
  assert_error(error, VITGATE_ERROR_LABELS, part);
  ck_assert_ptr_null(read_text(text, length, n_classes, NULL, NULL));
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

START_TEST(each_line_is_a_label)
{
  expect("cat\ndog\ncar\n", 3, LIST("cat", "dog", "car"));
  expect("cat\ndog\ncar", 3, LIST("cat", "dog", "car"));
  expect("cat\ndog\n", 0, LIST("cat", "dog"));
  expect("cat", 1, LIST("cat"));
  expect("great white shark, white shark\nna\xc3\xafve caf\xc3\xa9\n", 2,
         LIST("great white shark, white shark", "na\xc3\xafve caf\xc3\xa9"));
}
END_TEST

START_TEST(space_around_lines_is_ignored)
{
  expect("cat\r\ndog\r\n", 2, LIST("cat", "dog"));
  expect("  cat \n\tdog\t\n", 2, LIST("cat", "dog"));
  expect("cat\ndog\n\n \r\n\n", 2, LIST("cat", "dog"));
}
END_TEST

START_TEST(ids_come_before_a_tab)
{
  g_autoptr(GError) error = NULL;
  g_auto(GStrv) ids = NULL;
  const char *text = "n01\tcat\r\nn02\t big dog \nn03\tcar\tor truck\n";
  g_auto(GStrv) labels = read_text(text, strlen(text), 3, &ids, &error);
  assert_success(labels, error);
  ck_assert(g_strv_equal((const char *const *)labels, LIST("cat", "big dog", "car\tor truck")));
  ck_assert(g_strv_equal((const char *const *)ids, LIST("n01", "n02", "n03")));
  /* The ids are optional. */
  g_auto(GStrv) alone = read_text(text, strlen(text), 3, NULL, &error);
  ck_assert_str_eq(alone[2], "car\tor truck");
}
END_TEST

START_TEST(a_wrong_number_of_labels_is_refused)
{
  refuse("cat\ndog\n", 8, 3, "2 labels, expected 3");
  refuse("cat\ndog\n", 8, 1, "2 labels, expected 1");
  refuse("", 0, 0, "0 labels, expected 1");
  refuse("", 0, 10, "0 labels, expected 10");
  refuse("\n \n\r\n", 5, 0, "0 labels, expected 1");
}
END_TEST

START_TEST(a_line_without_a_label_is_named)
{
  refuse("cat\n\ncar\n", 9, 3, "line 2 has no label");
  refuse("n01\tcat\nn02\t \ncar\n", 18, 3, "line 2 has no");
  refuse("n01\tcat\ndog\n", 12, 2, "line 2 has no id");
}
END_TEST

START_TEST(text_that_is_not_utf8_is_refused)
{
  refuse("cat\nd\xf6g\n", 8, 2, "not UTF-8");
  refuse("cat\nd\0g\n", 8, 2, "not UTF-8");
  refuse("\xff\xfe"
         "c\0a\0t\0",
         8, 0, "not UTF-8");
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_named)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *absent = fixture_path("absent"), *folder = fixture_path("folder");
  ck_assert_int_eq(g_mkdir(folder, 0700), 0);
  ck_assert_ptr_null(vitgate_labels_read(absent, 0, NULL, &error));
  assert_error(error, VITGATE_ERROR_NOT_FOUND, absent);
  ck_assert_ptr_null(vitgate_labels_read(folder, 0, NULL, &error));
  assert_error(error, VITGATE_ERROR_IO, folder);
}
END_TEST

int main(void)
{
  TCase *labels = tcase_create("labels");
  tcase_add_test(labels, each_line_is_a_label);
  tcase_add_test(labels, space_around_lines_is_ignored);
  tcase_add_test(labels, ids_come_before_a_tab);
  tcase_add_test(labels, a_wrong_number_of_labels_is_refused);
  tcase_add_test(labels, a_line_without_a_label_is_named);
  tcase_add_test(labels, text_that_is_not_utf8_is_refused);
  tcase_add_test(labels, a_file_that_cannot_be_read_is_named);
  return fixture_run("labels", labels, NULL);
}
