/* The list of classes that a student keeps: how lines name classes, and errors of bad lists. */
#include <check.h>
#include <string.h>

#include "base/command-error.h"
#include "fixtures.h"
#include "network/families/families.h"
#include "train/cut/class-subset.h"

enum { N_CLASSES = 6 };

static char *labels[] = { "tench, Tinca tinca", "robin", "pike", "great white shark",
                          "cock, male hen",     "hen",   NULL };
static char *ids[] = { "n01440764", "n01558993", "n02641379", "n01484850",
                       "n01514668", "n01514859", NULL };

static Description describe_teacher(void)
{
  static BlockShape blocks[] = { { 3, 48 }, { 2, 32, TRUE, FALSE } };
  return (Description){
    .family = &vitgate__family_vit,
    .name = "teacher",
    .image_size = 12,
    .patch_size = 3,
    .dim = 10,
    .head_dim = 6,
    .depth = G_N_ELEMENTS(blocks),
    .blocks = blocks,
    .n_classes = N_CLASSES,
    .labels = labels,
    .label_ids = ids,
    .layer_norm_eps = 1e-6,
    .dense_gmacs = 0.5,
    .dense_parameters = 1234,
  };
}

/* A list in its own file. */
typedef struct {
  char *folder, *path;
  Description teacher;
} List;

static void list_init(List *list, const char *text, gssize length)
{
  list->teacher = describe_teacher();
  list->folder = fixtures_folder();
  list->path = g_build_filename(list->folder, "classes.txt", NULL);
  if (text)
    fixtures_write(list->folder, "classes.txt", text, length);
}

static void list_clear(List *list)
{
  fixtures_remove(list->folder);
  g_free(list->path);
}

/* ---- Lists ---- */

static void check_read(const List *list, const char *what, const guint *expected, guint n_expected)
{
  GError *error = NULL;
  guint n = 0;
  g_autofree guint *classes = class_subset_read(list->path, &list->teacher, &n, &error);
  ck_assert_msg(classes != NULL, "%s: %s", what, error ? error->message : "");
  ck_assert_uint_eq(n, n_expected);
  for (guint i = 0; i < n; i++)
    ck_assert_msg(classes[i] == expected[i], "%s: class %u is %u, expected %u", what, i, classes[i],
                  expected[i]);
}

static const struct {
  const char *what, *text;
  guint n, classes[N_CLASSES];
} lists[] = {
  { "ids", "n01558993\nn01440764\n", 2, { 1, 0 } },
  { "labels", "robin\ngreat white shark\nhen\n", 3, { 1, 3, 5 } },
  { "whole labels with commas", "tench, Tinca tinca\ncock, male hen\n", 2, { 0, 4 } },
  { "first names of labels", "cock\ntench\n", 2, { 4, 0 } },
  { "a mixture", "pike\nn01440764\ncock\n", 3, { 2, 0, 4 } },
  { "all of them, backwards",
    "hen\ncock\ngreat white shark\npike\nrobin\ntench\n",
    6,
    { 5, 4, 3, 2, 1, 0 } },
  { "ids with labels after a tab", "n01558993\trobin\nn02641379\tanything\n", 2, { 1, 2 } },
  { "no line end at the end", "robin\npike", 2, { 1, 2 } },
  { "line endings of other systems", "robin\r\nn02641379\tpike\r\nhen\r\n", 3, { 1, 2, 5 } },
  { "Caffe's synsets", "n02641379 pike\nn01558993 robin\n", 2, { 2, 1 } },
  { "CSV with a header", "index,label\n1,\"cock, male hen\"\n0,\"hen\"\n", 2, { 5, 4 } },
  { "a Python dictionary", "{0: 'hen',\n 1: 'tench, Tinca tinca'}\n", 2, { 5, 0 } },
  { "a JSON list", "[\"robin\", \"hen\"]", 2, { 1, 5 } },
  { "empty lines and blanks", "\n  robin  \n\n\t\n pike\n   \n\n", 2, { 1, 2 } },
};

START_TEST(test_a_list_is_read)
{
  List list;
  list_init(&list, lists[_i].text, -1);
  check_read(&list, lists[_i].what, lists[_i].classes, lists[_i].n);
  list_clear(&list);
}
END_TEST

/* vitgate_labels_read() skips it too. */
START_TEST(test_a_byte_order_mark_is_skipped)
{
  static const guint expected[] = { 1, 2 };
  List list;
  list_init(&list, "\xef\xbb\xbfrobin\npike\n", -1);
  check_read(&list, "a byte order mark", expected, 2);
  list_clear(&list);
}
END_TEST

/* The whole label of one class is never read as the first name of another. */
START_TEST(test_a_whole_label_takes_precedence)
{
  static char *cranes[] = { "crane, machine", "crane", "robin", "pike", "cock", "hen", NULL };
  static const guint expected[] = { 1, 2 };
  List list;
  list_init(&list, "crane\nrobin\n", -1);
  list.teacher.labels = cranes;
  check_read(&list, "a whole label", expected, 2);
  list_clear(&list);
}
END_TEST

START_TEST(test_ids_work_without_labels)
{
  static const guint expected[] = { 1, 0 };
  List list;
  list_init(&list, "n01558993\nn01440764\n", -1);
  list.teacher.labels = NULL;
  check_read(&list, "ids without labels", expected, 2);
  list_clear(&list);
}
END_TEST

START_TEST(test_labels_work_without_ids)
{
  static const guint expected[] = { 2, 0 };
  List list;
  list_init(&list, "pike\ntench\n", -1);
  list.teacher.label_ids = NULL;
  check_read(&list, "labels without ids", expected, 2);
  list_clear(&list);
}
END_TEST

/* ---- Bad lists ---- */

static const struct {
  int code;
  const char *text, *part, *more;
} bad_lists[] = {
  { COMMAND_ERROR_CLASS, "robin\ngiraffe\npike\n", "line 2", "'giraffe' is not a class" },
  { COMMAND_ERROR_CLASS, "robin\n\n\npike\nn99999999\n", "line 5", "'n99999999' is not a class" },
  { COMMAND_ERROR_CLASS, "robin\nRobin\n", "line 2", "'Robin' is not a class" },
  { COMMAND_ERROR_CLASS, "n01558993 robin\npike\n", "line 1", "is not a class" },
  { COMMAND_ERROR_CLASS, "87: 'hen',\n88: 'robin',\n", "line 1", "is not a class" },
  { COMMAND_ERROR_CLASS, "great white\nrobin\n", "line 1", "'great white' is not a class" },
  { COMMAND_ERROR_CLASS, "tench,\nrobin\n", "line 1", "'tench,' is not a class" },
  { COMMAND_ERROR_CLASS, "Tinca tinca\nrobin\n", "line 1", "'Tinca tinca' is not a class" },
  { COMMAND_ERROR_CLASS, "robin, pike\n", "line 1", "'robin, pike' is not a class" },
  { COMMAND_ERROR_DATA, "robin\npike\nrobin\n", "line 3", "'robin' is listed twice" },
  { COMMAND_ERROR_DATA, "robin\nn01558993\n", "line 2", "'n01558993' is listed twice" },
  { COMMAND_ERROR_DATA, "tench\ntench, Tinca tinca\n", "line 2", "listed twice" },
  { COMMAND_ERROR_DATA, "", "0 classes", "at least 2" },
  { COMMAND_ERROR_DATA, "\n\n  \n", "0 classes", "at least 2" },
  { COMMAND_ERROR_DATA, "robin\n", "1 classes", "at least 2" },
};

static void check_refused(const List *list, int code, const char *part)
{
  GError *error = NULL;
  guint n = 99;
  ck_assert_ptr_null(class_subset_read(list->path, &list->teacher, &n, &error));
  ck_assert(g_error_matches(error, COMMAND_ERROR, code));
  assert_error(error, list->path);
  assert_error(error, part);
  ck_assert_uint_eq(n, 99);
  g_clear_error(&error);
}

START_TEST(test_the_error_of_a_bad_list_names_the_line)
{
  List list;
  list_init(&list, bad_lists[_i].text, -1);
  check_refused(&list, bad_lists[_i].code, bad_lists[_i].part);
  check_refused(&list, bad_lists[_i].code, bad_lists[_i].more);
  list_clear(&list);
}
END_TEST

START_TEST(test_a_teacher_without_names_has_no_class_to_list)
{
  List list;
  list_init(&list, "robin\npike\n", -1);
  list.teacher.labels = list.teacher.label_ids = NULL;
  check_refused(&list, COMMAND_ERROR_CLASS, "is not a class");
  list_clear(&list);
}
END_TEST

START_TEST(test_an_unreadable_list_is_an_error)
{
  List list;
  list_init(&list, NULL, 0);
  check_refused(&list, COMMAND_ERROR_IO, "no such file");
  g_free(list.path);
  list.path = g_strdup(list.folder);
  check_refused(&list, COMMAND_ERROR_IO, "");
  list_clear(&list);
}
END_TEST

START_TEST(test_any_bytes_are_read_or_refused)
{
  static const char bytes[] = "\xff\xfe r\0o\0\x80\xc3(\nrobin\npike\n";
  List list;
  list_init(&list, bytes, sizeof bytes - 1);
  check_refused(&list, COMMAND_ERROR_CLASS, "");
  list_clear(&list);
}
END_TEST

/* ---- The student's description ---- */

static void check_rest(const Description *d, const Description *teacher)
{
  ck_assert_str_eq(d->name, teacher->name);
  ck_assert_uint_eq(d->dim, teacher->dim);
  ck_assert_uint_eq(d->depth, teacher->depth);
  ck_assert_mem_eq(d->blocks, teacher->blocks, teacher->depth * sizeof *d->blocks);
  ck_assert_double_eq(d->dense_gmacs, teacher->dense_gmacs);
  ck_assert_uint_eq(d->dense_parameters, teacher->dense_parameters);
  ck_assert_uint_eq(d->n_calibration, 0); /* it belongs to another network */
  ck_assert_ptr_null(d->calibration);
}

START_TEST(test_a_description_of_some_classes)
{
  static const guint classes[] = { 4, 0, 5 };
  double thresholds[] = { 1, 1 };
  CalibrationPoint point = { 0.5, 1, 0, thresholds };
  Description teacher = describe_teacher();
  teacher.calibration = &point;
  teacher.n_calibration = 1;
  double own[N_CLASSES];
  for (guint i = 0; i < N_CLASSES; i++)
    own[i] = (i + 1.0) / (N_CLASSES + 1);
  teacher.thresholds = own;
  teacher.unknown = (UnknownScale){ TRUE, 1, 2 };
  teacher.teach = json_object_new();
  teacher.n_views = 5;
  Description *d = class_subset_describe(&teacher, classes, 3);
  check_rest(d, &teacher);
  ck_assert_uint_eq(d->n_classes, 3);
  for (guint i = 0; i < 3; i++) {
    ck_assert_str_eq(d->labels[i], labels[classes[i]]);
    ck_assert_str_eq(d->label_ids[i], ids[classes[i]]);
    ck_assert_double_eq(d->thresholds[i], own[classes[i]]);
  }
  ck_assert(!d->unknown.present && !d->teach && !d->n_views);
  ck_assert_ptr_null(d->labels[3]);
  ck_assert_ptr_null(d->label_ids[3]);
  vitgate__description_free(&d);
  /* Nothing of the teacher was freed with it. */
  ck_assert_str_eq(teacher.labels[4], "cock, male hen");
  ck_assert_uint_eq(teacher.blocks[1].neurons, 32);
  ck_assert_uint_eq(json_object_get_size(teacher.teach), 0);
  json_object_unref(teacher.teach);
}
END_TEST

START_TEST(test_a_description_of_all_classes)
{
  const Description teacher = describe_teacher();
  Description *d = class_subset_describe(&teacher, NULL, 0);
  check_rest(d, &teacher);
  ck_assert_uint_eq(d->n_classes, N_CLASSES);
  for (guint i = 0; i < N_CLASSES; i++) {
    ck_assert_str_eq(d->labels[i], labels[i]);
    ck_assert_str_eq(d->label_ids[i], ids[i]);
  }
  vitgate__description_free(&d);
}
END_TEST

START_TEST(test_a_description_without_names)
{
  static const guint classes[] = { 1, 2 };
  Description teacher = describe_teacher();
  teacher.labels = teacher.label_ids = NULL;
  Description *d = class_subset_describe(&teacher, classes, 2);
  check_rest(d, &teacher);
  ck_assert_uint_eq(d->n_classes, 2);
  ck_assert_ptr_null(d->labels);
  ck_assert_ptr_null(d->label_ids);
  vitgate__description_free(&d);
}
END_TEST

int main(void)
{
  TCase *tcase = tcase_create("classes");
  tcase_add_loop_test(tcase, test_a_list_is_read, 0, G_N_ELEMENTS(lists));
  tcase_add_test(tcase, test_labels_work_without_ids);
  tcase_add_loop_test(tcase, test_the_error_of_a_bad_list_names_the_line, 0,
                      G_N_ELEMENTS(bad_lists));
  tcase_add_test(tcase, test_a_teacher_without_names_has_no_class_to_list);
  tcase_add_test(tcase, test_an_unreadable_list_is_an_error);
  tcase_add_test(tcase, test_any_bytes_are_read_or_refused);
  tcase_add_test(tcase, test_a_description_of_some_classes);
  tcase_add_test(tcase, test_a_description_of_all_classes);
  tcase_add_test(tcase, test_a_description_without_names);
  tcase_add_test(tcase, test_a_byte_order_mark_is_skipped);
  tcase_add_test(tcase, test_a_whole_label_takes_precedence);
  tcase_add_test(tcase, test_ids_work_without_labels);
  return fixtures_run(tcase, "class-subset");
}
