#include "data/classes.h"

#include <string.h>

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

static const char *const labels[] = { "tench, Tinca tinca", "great white shark", "crane", "crane",
                                      NULL };
static const char *const ids[] = { "n01440764", "n01484850", "n02012849", "n03126707", NULL };

static VitgateModelInfo model(gboolean with_ids)
{
  return (VitgateModelInfo){
    .n_classes = 4, .labels = labels, .label_ids = with_ids ? ids : NULL, .has_labels = TRUE
  };
}

static int class_of(const char *file, const VitgateModelInfo *info)
{
  fixtures_write(root, file, "x", -1);
  g_autoptr(Dataset) dataset = dataset_open(root, NULL);
  g_autoptr(Classes) classes = classes_resolve(dataset, info, NULL);
  ck_assert_ptr_nonnull(classes);
  ck_assert_uint_eq(classes->n_labelled, classes->of[0] >= 0);
  return classes->of[0];
}

static const struct {
  const char *file;
  int class;
} folders[] = {
  { "n01484850/x.jpg", 1 },
  { "top/n01440764/x.jpg", 0 },
  { "top/n01440764/deeper/x.jpg", 0 },
  { "tench/x.jpg", 0 },
  { "tench, Tinca tinca/x.jpg", 0 },
  { "Great_White_Shark/x.jpg", 1 },
  { "n02012849/x.jpg", 2 },
  { "tench/great white shark/x.jpg", 1 }, /* the innermost folder decides */
  { "crane/x.jpg", -1 },                  /* ambiguous: two classes */
  { "cranes/x.jpg", -1 },
  { "tench.jpg", -1 },
};

START_TEST(folders_name_classes)
{
  VitgateModelInfo info = model(TRUE);
  ck_assert_int_eq(class_of(folders[_i].file, &info), folders[_i].class);
}
END_TEST

START_TEST(unmatched_folders_are_reported_if_others_match)
{
  VitgateModelInfo info = model(TRUE);
  fixtures_write(root, "tench/x.jpg", "x", -1);
  fixtures_write(root, "tensh/x.jpg", "x", -1);
  fixtures_write(root, "tensh/y.jpg", "x", -1);
  g_autoptr(Dataset) dataset = dataset_open(root, NULL);
  g_autoptr(Classes) classes = classes_resolve(dataset, &info, NULL);
  ck_assert_ptr_nonnull(classes);
  ck_assert_uint_eq(classes->n_labelled, 1);
  ck_assert_uint_eq(classes->unmatched->len, 1);
  ck_assert_str_eq(g_ptr_array_index(classes->unmatched, 0), "tensh");
  ck_assert(classes->folder_is_class[0]);
  ck_assert(!classes->folder_is_class[1]);
}
END_TEST

START_TEST(without_matching_folders_data_is_unlabelled)
{
  VitgateModelInfo info = model(TRUE);
  fixtures_write(root, "holiday/x.jpg", "x", -1);
  g_autoptr(Dataset) dataset = dataset_open(root, NULL);
  g_autoptr(Classes) classes = classes_resolve(dataset, &info, NULL);
  ck_assert_ptr_nonnull(classes);
  ck_assert_uint_eq(classes->n_labelled, 0);
  ck_assert_uint_eq(classes->unmatched->len, 0);
}
END_TEST

static Classes *resolve_listed(const char *lines, const VitgateModelInfo *info, GError **error)
{
  g_autofree char *text = g_strconcat("file\tclass_index\twnid\n", lines, NULL);
  fixtures_write(root, "labels.tsv", text, -1);
  fixtures_write(root, "tench/x.jpg", "x", -1);
  g_autoptr(Dataset) dataset = dataset_open(root, error);
  ck_assert_ptr_nonnull(dataset);
  return classes_resolve(dataset, info, error);
}

START_TEST(ids_are_used_before_indices_if_the_model_has_ids)
{
  VitgateModelInfo info = model(TRUE);
  g_autoptr(Classes) classes = resolve_listed("tench/x.jpg\t517\tn03126707\n", &info, NULL);
  ck_assert_ptr_nonnull(classes);
  ck_assert_int_eq(classes->of[0], 3);
}
END_TEST

START_TEST(indices_are_used_without_ids)
{
  VitgateModelInfo info = model(_i);
  g_autoptr(Classes) classes =
      resolve_listed(_i ? "tench/x.jpg\t2\t-\n" : "tench/x.jpg\t2\tn03126707\n", &info, NULL);
  ck_assert_ptr_nonnull(classes);
  ck_assert_int_eq(classes->of[0], 2);
}
END_TEST

START_TEST(classes_unknown_to_the_model_are_foreign)
{
  VitgateModelInfo info = model(TRUE);
  g_autoptr(Classes) classes = resolve_listed("tench/x.jpg\t1\tn09999999\n", &info, NULL);
  ck_assert_ptr_nonnull(classes);
  ck_assert_int_eq(classes->of[0], CLASS_FOREIGN);
}
END_TEST

START_TEST(with_labels_tsv_folders_name_no_classes)
{
  VitgateModelInfo info = model(TRUE);
  g_autoptr(Classes) classes = resolve_listed("tench/x.jpg\t-1\t-\n", &info, NULL);
  ck_assert_ptr_nonnull(classes);
  ck_assert_int_eq(classes->of[0], CLASS_NONE);
}
END_TEST

START_TEST(indices_outside_the_model_are_rejected)
{
  VitgateModelInfo info = model(FALSE);
  g_autoptr(GError) error = NULL;
  ck_assert_ptr_null(resolve_listed("tench/x.jpg\t4\tn01440764\n", &info, &error));
  assert_error(error, "the class 4, but the model has 4 classes");
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("classes");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_loop_test(tests, folders_name_classes, 0, G_N_ELEMENTS(folders));
  tcase_add_test(tests, unmatched_folders_are_reported_if_others_match);
  tcase_add_test(tests, without_matching_folders_data_is_unlabelled);
  tcase_add_test(tests, ids_are_used_before_indices_if_the_model_has_ids);
  tcase_add_loop_test(tests, indices_are_used_without_ids, 0, 2);
  tcase_add_test(tests, classes_unknown_to_the_model_are_foreign);
  tcase_add_test(tests, with_labels_tsv_folders_name_no_classes);
  tcase_add_test(tests, indices_outside_the_model_are_rejected);
  return fixtures_run(tests, "classes");
}
