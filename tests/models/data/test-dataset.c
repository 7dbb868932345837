#include "data/dataset.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fixtures.h"

static char *root;

static void set_up(void)
{
  root = fixtures_folder();
}

static void tear_down(void)
{
  fixtures_remove(root);
}

typedef enum { FOLDER, TAR, TAR_GZ, N_KINDS } Kind;

/* Opens a folder, as it is or packed as an archive.
 * @below: a folder in the root */
static Dataset *open_as(Kind kind, const char *below, GError **error)
{
  g_autofree char *folder = g_build_filename(root, below, NULL);
  g_autofree char *archive = g_strconcat(folder, ".tar", NULL);
  if (kind != FOLDER)
    fixtures_pack(folder, archive, kind == TAR_GZ);
  return dataset_open(kind == FOLDER ? folder : archive, error);
}

static void write_usual(void)
{
  fixtures_write(root, "d/labels.tsv",
                 "file\tclass_index\twnid\n"
                 "two/b.jpg\t5\tn05\n"
                 "one/a.png\t3\tn03\n"
                 "one/odd.bin\t-1\t-\n",
                 -1);
  fixtures_write(root, "d/two/b.jpg", "bytes of b", -1);
  fixtures_write(root, "d/one/a.png", "bytes of a", -1);
  fixtures_write(root, "d/one/odd.bin", "bytes of odd", -1);
  fixtures_write(root, "d/one/deep/unlisted.JPEG", "bytes of unlisted", -1);
  fixtures_write(root, "d/one/README.txt", "no photograph", -1);
  fixtures_write(root, "d/one/._a.png", "no photograph", -1);
}

static void assert_content(const Dataset *dataset, guint index, const char *expected)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) bytes = dataset_load(dataset, index, &error);
  ck_assert_msg(bytes, "%s", error ? error->message : "");
  gsize length;
  const char *text = g_bytes_get_data(bytes, &length);
  ck_assert_uint_eq(length, strlen(expected));
  ck_assert_mem_eq(text, expected, length);
}

START_TEST(archives_and_folders_give_the_same_photographs)
{
  write_usual();
  g_autoptr(GError) error = NULL;
  g_autoptr(Dataset) dataset = open_as(_i, "d", &error);
  ck_assert_msg(dataset, "%s", error ? error->message : "");
  ck_assert_uint_eq(dataset->photographs->len, 4);
  ck_assert(dataset->has_labels);
  const char *names[] = { "one/a.png", "one/deep/unlisted.JPEG", "one/odd.bin", "two/b.jpg" };
  const char *contents[] = { "bytes of a", "bytes of unlisted", "bytes of odd", "bytes of b" };
  const int indices[] = { 3, -1, -1, 5 };
  for (guint i = 0; i < 4; i++) {
    ck_assert_str_eq(dataset_get(dataset, i)->name, names[i]);
    ck_assert_int_eq(dataset_get(dataset, i)->class_index, indices[i]);
    ck_assert_uint_eq(dataset_get(dataset, i)->folder, i == 3);
  }
  /* In any order, and repeatedly. */
  for (guint i = 8; i-- > 0;)
    assert_content(dataset, i % 4, contents[i % 4]);
  ck_assert_str_eq(dataset_get(dataset, 3)->class_id, "n05");
  ck_assert_ptr_null(dataset_get(dataset, 2)->class_id);
  ck_assert_uint_eq(dataset->folders->len, 2);
  ck_assert_str_eq(g_ptr_array_index(dataset->folders, 0), "one");
  ck_assert_str_eq(g_ptr_array_index(dataset->folders, 1), "two");
}
END_TEST

START_TEST(a_single_outer_folder_is_ignored)
{
  write_usual();
  g_autofree char *inner = g_build_filename(root, "d", NULL);
  g_autofree char *outer = g_build_filename(root, "outer", NULL);
  g_autofree char *moved = g_build_filename(root, "outer", "val", NULL);
  ck_assert_int_eq(g_mkdir_with_parents(outer, 0700), 0);
  ck_assert_int_eq(rename(inner, moved), 0);
  g_autoptr(Dataset) dataset = open_as(_i, "outer", NULL);
  ck_assert_ptr_nonnull(dataset);
  ck_assert_uint_eq(dataset->photographs->len, 4);
  ck_assert_str_eq(dataset_get(dataset, 0)->name, "one/a.png");
  ck_assert_int_eq(dataset_get(dataset, 0)->class_index, 3);
  assert_content(dataset, 3, "bytes of b");
}
END_TEST

START_TEST(missing_listed_files_fail_when_read)
{
  fixtures_write(root, "d/labels.tsv", "file\tclass_index\nx/gone.jpg\t1\n", -1);
  g_autoptr(Dataset) dataset = open_as(_i, "d", NULL);
  ck_assert_ptr_nonnull(dataset);
  ck_assert_uint_eq(dataset->photographs->len, 1);
  g_autoptr(GError) error = NULL;
  ck_assert_ptr_null(dataset_load(dataset, 0, &error));
  assert_error(error, "does not exist");
}
END_TEST

START_TEST(photographs_in_the_root_have_a_folder)
{
  fixtures_write(root, "d/x.jpg", "x", -1);
  g_autoptr(Dataset) dataset = open_as(_i, "d", NULL);
  ck_assert_ptr_nonnull(dataset);
  ck_assert(!dataset->has_labels);
  ck_assert_str_eq(g_ptr_array_index(dataset->folders, 0), ".");
}
END_TEST

START_TEST(bad_labels_name_the_data_and_the_line)
{
  fixtures_write(root, "d/labels.tsv", "file\tclass_index\nx.jpg\tdog\n", -1);
  fixtures_write(root, "d/x.jpg", "x", -1);
  g_autoptr(GError) error = NULL;
  ck_assert_ptr_null(open_as(_i, "d", &error));
  assert_error(error, "labels.tsv line 2");
  assert_error(error, root);
}
END_TEST

START_TEST(data_without_photographs_is_rejected)
{
  fixtures_write(root, "d/notes.txt", "x", -1);
  g_autoptr(GError) error = NULL;
  ck_assert_ptr_null(open_as(_i, "d", &error));
  assert_error(error, "contains no photographs");
}
END_TEST

START_TEST(missing_data_is_rejected)
{
  g_autoptr(GError) error = NULL;
  ck_assert_ptr_null(dataset_open("/nowhere/at/all.tar", &error));
  assert_error(error, "/nowhere/at/all.tar");
}
END_TEST

START_TEST(files_that_are_not_archives_are_rejected)
{
  g_autofree char *junk = g_strnfill(4096, 'x');
  fixtures_write(root, "junk.tar", junk, _i ? 4096 : 0);
  g_autofree char *path = g_build_filename(root, "junk.tar", NULL);
  g_autoptr(GError) error = NULL;
  ck_assert_ptr_null(dataset_open(path, &error));
  assert_error(error, path);
}
END_TEST

START_TEST(truncated_archives_are_rejected)
{
  g_autofree char *large = g_strnfill(100000, 'x');
  fixtures_write(root, "d/a.jpg", large, -1);
  g_autofree char *folder = g_build_filename(root, "d", NULL);
  g_autofree char *path = g_build_filename(root, "d.tar", NULL);
  fixtures_pack(folder, path, _i == TAR_GZ);
  ck_assert_int_eq(truncate(path, _i == TAR_GZ ? 100 : 50000), 0);
  g_autoptr(GError) error = NULL;
  ck_assert_ptr_null(dataset_open(path, &error));
  assert_error(error, path);
}
END_TEST

START_TEST(circular_links_end)
{
  fixtures_write(root, "d/one/a.jpg", "a", -1);
  g_autofree char *link = g_build_filename(root, "d", "one", "back", NULL);
  ck_assert_int_eq(symlink("..", link), 0);
  g_autoptr(Dataset) dataset = open_as(FOLDER, "d", NULL);
  ck_assert_ptr_nonnull(dataset);
  ck_assert_uint_eq(dataset->photographs->len, 1);
}
END_TEST

static gpointer load_often(gpointer data)
{
  const Dataset *dataset = data;
  for (guint i = 0; i < 400; i++) {
    char expected[32];
    g_snprintf(expected, sizeof expected, "photograph %03u", i % 100);
    g_autoptr(GBytes) bytes = dataset_load(dataset, i % 100, NULL);
    if (!bytes || memcmp(g_bytes_get_data(bytes, NULL), expected, strlen(expected)))
      return GUINT_TO_POINTER(1);
  }
  return NULL;
}

START_TEST(several_threads_load_at_once)
{
  for (guint i = 0; i < 100; i++) {
    char name[32], text[32];
    g_snprintf(name, sizeof name, "d/%03u.jpg", i);
    g_snprintf(text, sizeof text, "photograph %03u", i);
    fixtures_write(root, name, text, -1);
  }
  g_autoptr(Dataset) dataset = open_as(_i, "d", NULL);
  ck_assert_ptr_nonnull(dataset);
  GThread *threads[3];
  for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
    threads[i] = g_thread_new("load", load_often, dataset);
  for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
    ck_assert_ptr_null(g_thread_join(threads[i]));
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("dataset");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_loop_test(tests, archives_and_folders_give_the_same_photographs, 0, N_KINDS);
  tcase_add_loop_test(tests, a_single_outer_folder_is_ignored, 0, N_KINDS);
  tcase_add_loop_test(tests, missing_listed_files_fail_when_read, 0, N_KINDS);
  tcase_add_loop_test(tests, photographs_in_the_root_have_a_folder, 0, N_KINDS);
  tcase_add_loop_test(tests, bad_labels_name_the_data_and_the_line, 0, N_KINDS);
  tcase_add_loop_test(tests, data_without_photographs_is_rejected, 0, N_KINDS);
  tcase_add_test(tests, missing_data_is_rejected);
  tcase_add_loop_test(tests, files_that_are_not_archives_are_rejected, 0, 2);
  tcase_add_loop_test(tests, truncated_archives_are_rejected, TAR, N_KINDS);
  tcase_add_test(tests, circular_links_end);
  tcase_add_loop_test(tests, several_threads_load_at_once, 0, N_KINDS);
  return fixtures_run(tests, "dataset");
}
