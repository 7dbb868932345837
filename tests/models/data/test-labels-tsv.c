#include "data/labels-tsv.h"

#include <string.h>

#include "fixtures.h"

static GHashTable *parse(const char *text, GError **error)
{
  g_autoptr(GBytes) bytes = g_bytes_new_static(text, strlen(text));
  return labels_tsv_parse(bytes, error);
}

START_TEST(reads_indices_and_ids)
{
  g_autoptr(GHashTable) labels = parse("file\tclass_index\twnid\n"
                                       "a/x.jpg\t7\tn01440764\n"
                                       "./a/y.jpg\t-1\t-\n",
                                       NULL);
  ck_assert_ptr_nonnull(labels);
  ck_assert_uint_eq(g_hash_table_size(labels), 2);
  const FileLabel *x = g_hash_table_lookup(labels, "a/x.jpg");
  const FileLabel *y = g_hash_table_lookup(labels, "a/y.jpg");
  ck_assert_int_eq(x->class_index, 7);
  ck_assert_str_eq(x->class_id, "n01440764");
  ck_assert_int_eq(y->class_index, -1);
  ck_assert_ptr_null(y->class_id);
}
END_TEST

START_TEST(finds_columns_by_name)
{
  g_autoptr(GHashTable) labels = parse("wnid\tsource\tfile\nn1\tweb\tx.jpg\n", NULL);
  ck_assert_ptr_nonnull(labels);
  const FileLabel *x = g_hash_table_lookup(labels, "x.jpg");
  ck_assert_str_eq(x->class_id, "n1");
  ck_assert_int_eq(x->class_index, -1);
}
END_TEST

START_TEST(labels_count_only_without_ids_and_indices)
{
  g_autoptr(GHashTable) alone = parse("file\tlabel\nx.jpg\topen,lit\n", NULL);
  ck_assert_ptr_nonnull(alone);
  const FileLabel *x = g_hash_table_lookup(alone, "x.jpg");
  ck_assert_str_eq(x->class_id, "open,lit");
  g_autoptr(GHashTable) beside = parse("file\tclass_index\tlabel\nx.jpg\t7\n", NULL);
  ck_assert_ptr_nonnull(beside);
  x = g_hash_table_lookup(beside, "x.jpg");
  ck_assert_int_eq(x->class_index, 7);
  ck_assert_ptr_null(x->class_id);
}
END_TEST

START_TEST(accepts_windows_text_files)
{
  g_autoptr(GHashTable) labels = parse("\xef\xbb\xbf"
                                       "file\tclass_index\r\nx.jpg\t3\r\n\r\ny.jpg\t4",
                                       NULL);
  ck_assert_ptr_nonnull(labels);
  const FileLabel *x = g_hash_table_lookup(labels, "x.jpg");
  const FileLabel *y = g_hash_table_lookup(labels, "y.jpg");
  ck_assert_int_eq(x->class_index, 3);
  ck_assert_int_eq(y->class_index, 4);
}
END_TEST

static const struct {
  const char *text, *message;
} bad_texts[] = {
  { "", "is empty" },
  { "x.jpg\t3\tn1\n", "line 1: expected the column" },
  { "file\tname\n", "line 1: expected the column" },
  { "file\tfile\tclass_index\n", "line 1: duplicate column" },
  { "file\tclass_index\nx.jpg\n", "line 2: too few columns" },
  { "file\tclass_index\nx.jpg\t1\ny.jpg\tdog\n", "line 3: expected a class index" },
  { "file\tclass_index\nx.jpg\t-2\n", "line 2: expected a class index" },
  { "file\tclass_index\nx.jpg\t\n", "line 2: expected a class index" },
  { "file\tclass_index\nx.jpg\t99999999999999999999\n", "line 2: expected a class index" },
  { "file\tclass_index\nx.jpg\t1\n./x.jpg\t2\n", "line 3: the file is listed twice" },
  { "file\tclass_index\n\t1\n", "line 2: the file has no name" },
};

START_TEST(rejects_bad_lines_by_number)
{
  g_autoptr(GError) error = NULL;
  GHashTable *labels = parse(bad_texts[_i].text, &error);
  ck_assert_ptr_null(labels);
  assert_error(error, bad_texts[_i].message);
}
END_TEST

START_TEST(rejects_zero_bytes)
{
  g_autoptr(GError) error = NULL;
  const char text[] = "file\tclass_index\nx\0y.jpg\t1\n";
  g_autoptr(GBytes) bytes = g_bytes_new_static(text, sizeof text - 1);
  ck_assert_ptr_null(labels_tsv_parse(bytes, &error));
  assert_error(error, "line 2: contains a zero byte");
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("labels.tsv");
  tcase_add_test(tests, reads_indices_and_ids);
  tcase_add_test(tests, finds_columns_by_name);
  tcase_add_test(tests, labels_count_only_without_ids_and_indices);
  tcase_add_test(tests, accepts_windows_text_files);
  tcase_add_loop_test(tests, rejects_bad_lines_by_number, 0, G_N_ELEMENTS(bad_texts));
  tcase_add_test(tests, rejects_zero_bytes);
  return fixtures_run(tests, "labels.tsv");
}
