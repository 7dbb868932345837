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

/* ---- Other programs' forms ---- */

#define PARROTS "African grey", "macaw", "lorikeet"

/* Files that all name the same classes. */
static const struct {
  const char *what, *text;
  gboolean with_ids;
} parrots[] = {
  { "numbers before a blank", "0 African grey\n1 macaw\n2  lorikeet\n" },
  { "numbers from 1", "1 African grey\n2 macaw\n3 lorikeet\n" },
  { "numbers in any order", "2 lorikeet\n0 African grey\n1 macaw\n" },
  { "numbers before a colon", "0: African grey\n1: macaw\n2: lorikeet\n" },
  { "numbers before a tab", "1\tmacaw\n0\tAfrican grey\n2\tlorikeet\n" },
  { "CSV", "1,macaw\r\n0,\"African grey\"\r\n2,lorikeet\r\n" },
  { "quoted CSV with a header", "\"index\",\"name\"\n\"0\",\"African grey\"\n\"1\",\"macaw\"\n"
                                "\"2\",\"lorikeet\"\n" },
  { "CSV with semicolons", "Class ID;Label\n0;African grey\n2;lorikeet\n1;macaw\n" },
  { "reversed CSV", "macaw,1\nAfrican grey,0\nlorikeet,2\n" },
  { "reversed CSV with a header", "label, class_index\n\"macaw\",1\n\"African grey\",0\n"
                                  "\"lorikeet\",2\n" },
  { "reversed with tabs", "African grey\t0\nlorikeet\t2\nmacaw\t1\n" },
  { "one quoted column", "\"African grey\"\nmacaw\n\"lorikeet\"\n" },
  { "a Python dictionary", "{0: 'African grey',\n 2: \"lorikeet\",\n 1: u'macaw',}\n" },
  { "lines of a Python dictionary", "1: 'macaw',\n0: 'African grey',\n2: 'lorikeet',\n" },
  { "a reversed Python dictionary", "{'African grey': 0, 'macaw': 1, 'lorikeet': 2}" },
  { "a Python list", "['African grey', 'macaw', 'lorikeet']" },
  { "lines of a Python list", "'African grey',\n'macaw',\n'lorikeet',\n" },
  { "a JSON list", " [ \"African grey\", \"macaw\", \"lorikeet\" ]\n" },
  { "id2label", "{\"1\": \"macaw\", \"0\": \"African grey\", \"2\": \"lorikeet\"}" },
  { "config.json", "{\"hidden_size\": 192, \"eps\": 1e-12, \"distilled\": null, \"id2label\": {\n"
                   "  \"0\": \"African grey\", \"1\": \"macaw\", \"2\": \"lorikeet\" },\n"
                   "  \"label2id\": { \"macaw\": 1 }, \"deep\": [ [ true ], -1.5 ] }" },
  { "class_indices", "{\"African grey\": 0,\n\"lorikeet\": 2,\n\"macaw\": 1}\n" },
  { "WordNet ids before a blank", "n01817953 African grey\nn01818515 macaw\nn01820546 lorikeet\n",
    TRUE },
  { "WordNet ids in CSV",
    "wnid,words\nn01817953,\"African grey\"\nn01818515,macaw\n"
    "n01820546,lorikeet\n",
    TRUE },
  { "WordNet ids after the label",
    "African grey,n01817953\nmacaw,n01818515\n"
    "lorikeet,n01820546\n",
    TRUE },
  { "ids, numbers and labels",
    "n01818515 2 macaw\nn01817953 1 African grey\n"
    "n01820546 3 lorikeet\n",
    TRUE },
  { "numbers, ids and labels",
    "0,n01817953,African grey\n1,n01818515,macaw\n"
    "2,n01820546,lorikeet\n",
    TRUE },
  { "ids, labels and numbers",
    "n01817953,African grey,0\nn01820546,lorikeet,2\n"
    "n01818515,macaw,1\n",
    TRUE },
  { "a Keras index",
    "{\"0\": [\"n01817953\", \"African grey\"], \"2\": [\"n01820546\",\n"
    "\"lorikeet\"], \"1\": [\"n01818515\", \"macaw\"]}",
    TRUE },
  { "Python tuples",
    "[('n01817953', 'African grey'), ('n01818515', 'macaw'),\n"
    "('n01820546', 'lorikeet'),]",
    TRUE },
};

/* @_i: number of a form */
START_TEST(forms_of_other_programs_are_recognised)
{
  g_autoptr(GError) error = NULL;
  g_auto(GStrv) ids = NULL;
  const char *text = parrots[_i].text;
  g_auto(GStrv) labels = read_text(text, strlen(text), 3, &ids, &error);
  ck_assert_msg(labels != NULL, "%s: %s", parrots[_i].what, error ? error->message : "");
  for (guint i = 0; i < 3; i++) {
    ck_assert_msg(!strcmp(labels[i], LIST(PARROTS)[i]), "%s: class %u is \"%s\"", parrots[_i].what,
                  i, labels[i]);
    ck_assert_msg(!ids == !parrots[_i].with_ids, "%s", parrots[_i].what);
    ck_assert(!ids || !strcmp(ids[i], LIST("n01817953", "n01818515", "n01820546")[i]));
  }
}
END_TEST

START_TEST(quotes_and_escapes_inside_labels_are_kept)
{
  expect("{0: \"potter's wheel\", 1: 'jack-o\\'-lantern', 2: '\"big\"', 3: 'caf\\xe9'}", 4,
         LIST("potter's wheel", "jack-o'-lantern", "\"big\"", "caf\xc3\xa9"));
  expect("0,\"tench, Tinca tinca\"\n1,\"the \"\"big\"\" one\"\n", 2,
         LIST("tench, Tinca tinca", "the \"big\" one"));
  expect("0: tench, Tinca tinca\n1: goldfish, Carassius auratus\n", 2,
         LIST("tench, Tinca tinca", "goldfish, Carassius auratus"));
}
END_TEST

START_TEST(plain_labels_stay_as_they_are)
{
  expect("2 door car\n4 door car\nbus\n", 3, LIST("2 door car", "4 door car", "bus"));
  expect("5 euro\n10 euro\n20 euro\n", 3, LIST("5 euro", "10 euro", "20 euro"));
  expect("1 euro\n2 euro\n", 2, LIST("1 euro", "2 euro"));
  expect("1 cent\n2 cent\n5 cent\n1 euro\n2 euro\n", 5,
         LIST("1 cent", "2 cent", "5 cent", "1 euro", "2 euro"));
  expect("3D printer\n8-track\n4x4\n", 3, LIST("3D printer", "8-track", "4x4"));
  expect("0\n1\n2\n", 3, LIST("0", "1", "2"));
  expect("digit 0\ndigit 1\nother 2\n", 3, LIST("digit 0", "digit 1", "other 2"));
  expect("room, 0\nroom, 1\n", 2, LIST("room, 0", "room, 1"));
  expect("great white shark, white shark\ntench, Tinca tinca\n", 2,
         LIST("great white shark, white shark", "tench, Tinca tinca"));
  expect("'s-Hertogenbosch\n\"Big\" dog\n[blank]\n{x}\n", 4,
         LIST("'s-Hertogenbosch", "\"Big\" dog", "[blank]", "{x}"));
  expect("[blank]\n{x}\n", 2, LIST("[blank]", "{x}"));
  expect("n01817953\nn01818515\n", 2, LIST("n01817953", "n01818515"));
  expect("label\nname\nid\n", 3, LIST("label", "name", "id"));
  expect("12:30 train\n9:15 train\n", 2, LIST("12:30 train", "9:15 train"));
}
END_TEST

START_TEST(a_form_that_only_a_part_has_is_refused_with_the_line)
{
  static const struct {
    const char *text, *part;
  } files[] = {
    { "0 tench\n1 goldfish\nshark\n3 ray\n", "line 3 has no class number before the label" },
    { "0: tench\n1: goldfish\nshark\n", "line 3 has no class number before the label" },
    { "0 tench\n1 goldfish\n1 shark\n3 ray\n", "line 3 has the class number 1, which is repeated" },
    { "3 tench\n0 goldfish\n0 shark\n2 ray\n", "line 3 has the class number 0, which is repeated" },
    { "0,tench\n1,goldfish\n2,shark\n4,ray\n", "line 4 has the class number 4" },
    { "tench,0\ngoldfish,1\nshark\nray,3\n", "line 3 has no class number after the label" },
    { "id,name\n0,tench\ngoldfish\n2,ray\n3,x\n", "line 3 has no class number" },
    { "id,name\ntench,Tinca\ngoldfish,Carassius\n", "line 2 has neither a class number nor an id" },
    { "n01440764 tench\ngoldfish\n", "line 2 has no WordNet id followed by a label" },
    { "n01440764 tench\nn01443537\n", "line 2 has no WordNet id followed by a label" },
    { "tench\nn01\tgoldfish\n", "line 2 has an id before a tab" },
    { "\"tench\"\nshark, white\n", "line 2 is not one field of CSV" },
    { "\"tench\"\n\"big\" fish\n", "line 2 is not one field of CSV" },
    { "0: 'tench',\n1: 'goldfish\n2: 'ray',\n", "line 2 is neither JSON nor" },
    { "0: 'tench',\n1: 'goldfish',\nray;\n", "line 3 is neither JSON nor" },
    { "{0: 'tench',\n 1: 'goldfish'\n 2: 'ray'}", "<data>:2:" },
    { "{0: 'tench', 1: 'goldfish', 1: 'ray'}", "'1' is named twice" },
    { "{0: 'tench', 1: 'goldfish', 3: 'ray'}", "class 2 is missing" },
    { "{'tench': 1, 'goldfish': 1}", "class 1 is listed twice" },
    { "{0: 'tench', 'ray': 1}", "'ray': expected a label" },
    { "{\"0\": [\"n01440764\", \"tench\"], \"1\": \"ray\"}", "class 1 has not an id" },
    { "{\"0\": {\"name\": \"tench\"}}", "'0': expected a label" },
    { "{\"0\": \"tench\", \"1\": \" \"}", "class 1 has no label" },
    { "{\"0\": \"tench\", \"1\": \"a\\nb\"}", "class 1 has a label that is not one line" },
    { "87: 'African grey',\n", "class 1 is missing" },
  };
  for (guint i = 0; i < G_N_ELEMENTS(files); i++)
    refuse(files[i].text, strlen(files[i].text), 0, files[i].part);
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
  tcase_add_loop_test(labels, forms_of_other_programs_are_recognised, 0, G_N_ELEMENTS(parrots));
  tcase_add_test(labels, quotes_and_escapes_inside_labels_are_kept);
  tcase_add_test(labels, plain_labels_stay_as_they_are);
  tcase_add_test(labels, a_form_that_only_a_part_has_is_refused_with_the_line);
  tcase_add_test(labels, a_file_that_cannot_be_read_is_named);
  return fixture_run("labels", labels, NULL);
}
