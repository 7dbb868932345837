/* Tests the photographs of training: their classes, the held-out ones, their pixels. */
#include <stdlib.h>
#include <string.h>

#include "base/command-error.h"
#include "data/split.h"
#include "fixtures.h"
#include "photographs.h"

#define SIZE 16

static char *root;

static void set_up(void)
{
  root = fixtures_folder();
}

static void tear_down(void)
{
  fixtures_remove(root);
}

/* ---- Held out ---- */

/* Writes files with the names of photographs, which are never decoded. */
static void write_names(const char *folder, guint n)
{
  for (guint i = 0; i < n; i++) {
    g_autofree char *name = g_strdup_printf("data/%s/%03u.png", folder, i);
    fixtures_write(root, name, "x", -1);
  }
}

static const struct {
  const char *folder;
  guint n;
} strata[] = { { "one/cat", 50 }, { "one/cow", 20 }, { "one/dog", 7 },
               { "two/cat", 3 },  { "two/hen", 1 },  { "three", 103 } };

static void write_strata(void)
{
  for (guint i = 0; i < G_N_ELEMENTS(strata); i++)
    write_names(strata[i].folder, strata[i].n);
}

static Collection *open_with(double held_out, const char *const *folders, gboolean labelled_only)
{
  const CollectionOptions options = { .held_out = held_out,
                                      .folders = folders,
                                      .labelled_only = labelled_only };
  return photographs_collection(root, SIZE, &options);
}

static guint count_held_out(const Collection *collection, const char *folder)
{
  guint n = 0;
  g_autofree char *prefix = g_strconcat(folder, "/", NULL);
  for (guint i = 0; i < collection->items->len; i++)
    n += collection_get(collection, i)->held_out &&
         g_str_has_prefix(collection_get_photograph(collection, i)->name, prefix);
  return n;
}

static const double shares[] = { 0, 0.04, 0.1, 0.25, 0.5, 0.9 };

START_TEST(every_class_of_every_folder_holds_out_its_share)
{
  write_strata();
  g_autoptr(Collection) collection = open_with(shares[_i], NULL, FALSE);
  guint total = 0;
  for (guint i = 0; i < G_N_ELEMENTS(strata); i++) {
    double wanted = shares[_i] * strata[i].n;
    guint n = count_held_out(collection, strata[i].folder);
    ck_assert_msg(n + 1 > wanted && n < wanted + 1, "%u of %s, expected about %g", n,
                  strata[i].folder, wanted);
    ck_assert_uint_lt(n, strata[i].n);
    total += n;
  }
  ck_assert_uint_eq(total, collection->n_held_out);
  ck_assert_double_le(abs((int)total - (int)(shares[_i] * 184)), 1);
}
END_TEST

START_TEST(classes_within_a_folder_are_strata_too)
{
  g_autoptr(GString) labels = g_string_new("file\tclass_index\twnid\n");
  write_names("flat", 60);
  for (guint i = 0; i < 60; i++)
    g_string_append_printf(labels, "flat/%03u.png\t%u\tn%u\n", i, i % 3, i % 3);
  fixtures_write(root, "data/labels.tsv", labels->str, -1);
  g_autoptr(Collection) collection = open_with(0.1, NULL, FALSE);
  guint n[3] = { 0 };
  for (guint i = 0; i < 60; i++)
    n[collection_get(collection, i)->label] += collection_get(collection, i)->held_out;
  for (guint class = 0; class < 3; class ++)
    ck_assert_uint_eq(n[class], 2);
}
END_TEST

START_TEST(filters_do_not_change_the_split)
{
  write_strata();
  const char *const folders[] = { "one", "three", NULL };
  g_autoptr(Collection) all = open_with(0.2, NULL, FALSE);
  g_autoptr(Collection) some = open_with(0.2, _i ? folders : NULL, !_i);
  ck_assert_uint_lt(some->items->len, all->items->len);
  guint found = 0;
  for (guint i = 0, j = 0; i < some->items->len; i++) {
    while (
        strcmp(collection_get_photograph(some, i)->name, collection_get_photograph(all, j)->name))
      j++;
    ck_assert_int_eq(collection_get(some, i)->held_out, collection_get(all, j)->held_out);
    found++;
  }
  ck_assert_uint_eq(found, some->items->len);
}
END_TEST

/* ---- Selection and classes ---- */

START_TEST(folder_and_label_options_filter_photographs)
{
  write_strata();
  const char *const folders[] = { "two", "three", NULL };
  g_autoptr(Collection) two = open_with(0, folders, FALSE);
  ck_assert_uint_eq(two->items->len, 107);
  ck_assert_uint_eq(two->n_labelled, 4);
  g_autoptr(Collection) labelled = open_with(0, NULL, TRUE);
  ck_assert_uint_eq(labelled->items->len, 81);
  ck_assert_uint_eq(labelled->n_labelled, 81);
  g_autoptr(Collection) both = open_with(0, folders, TRUE);
  ck_assert_uint_eq(both->items->len, 4);
  ck_assert_int_eq(collection_get(both, 0)->label, 0);
  ck_assert_int_eq(collection_get(both, 3)->label, 3);
  ck_assert_str_eq(collection_get_folder(both, 3), "two");
}
END_TEST

START_TEST(several_datasets_are_concatenated)
{
  fixtures_write(root, "first/cat/a.png", "x", -1);
  fixtures_write(root, "second/x/hen/b.png", "x", -1);
  fixtures_write(root, "second/y/c.png", "x", -1);
  g_autofree char *first = g_build_filename(root, "first", NULL);
  g_autofree char *second = g_build_filename(root, "second", NULL);
  g_autofree char *archive = g_build_filename(root, "second.tar", NULL);
  fixtures_pack(second, archive, FALSE);
  g_autoptr(VitgateModel) model = photographs_model(root, SIZE, SIZE);
  const char *paths[] = { first, archive, NULL };
  const CollectionOptions options = { .paths = paths };
  g_autoptr(Collection) collection = collection_open(&options, vitgate_model_get_info(model), NULL);
  ck_assert_ptr_nonnull(collection);
  const int labels[] = { 0, 3, -1 };
  const char *names[] = { "cat/a.png", "x/hen/b.png", "y/c.png" };
  const char *folders[] = { "cat", "x", "y" };
  ck_assert_uint_eq(collection->items->len, 3);
  for (guint i = 0; i < 3; i++) {
    ck_assert_int_eq(collection_get(collection, i)->label, labels[i]);
    ck_assert_str_eq(collection_get_photograph(collection, i)->name, names[i]);
    ck_assert_str_eq(collection_get_folder(collection, i), folders[i]);
  }
}
END_TEST

static void assert_refused(const CollectionOptions *options, CommandError code, const char *part)
{
  g_autoptr(VitgateModel) model = photographs_model(root, SIZE, SIZE);
  g_autoptr(GError) error = NULL;
  Collection *collection = collection_open(options, vitgate_model_get_info(model), &error);
  ck_assert_ptr_null(collection);
  assert_error(error, part);
  ck_assert(g_error_matches(error, COMMAND_ERROR, (int)code));
}

START_TEST(invalid_options_are_rejected)
{
  fixtures_write(root, "data/holiday/a.png", "x", -1);
  g_autofree char *data = g_build_filename(root, "data", NULL);
  const char *paths[] = { data, NULL }, *missing[] = { data, "/nowhere/at/all.tar", NULL };
  const char *none[] = { NULL }, *folders[] = { "holiday", "work", NULL };
  assert_refused(&(CollectionOptions){ .paths = missing }, COMMAND_ERROR_IO, "/nowhere/at/all.tar");
  assert_refused(&(CollectionOptions){ .paths = none }, COMMAND_ERROR_USAGE, "no photographs");
  assert_refused(&(CollectionOptions){ .paths = paths, .held_out = 1 }, COMMAND_ERROR_USAGE,
                 "held out is 1");
  assert_refused(&(CollectionOptions){ .paths = paths, .held_out = -0.1 }, COMMAND_ERROR_USAGE,
                 "held out is -0.1");
  assert_refused(&(CollectionOptions){ .paths = paths, .folders = folders }, COMMAND_ERROR_DATA,
                 "\"work\"");
  assert_refused(&(CollectionOptions){ .paths = paths, .labelled_only = TRUE }, COMMAND_ERROR_DATA,
                 "shows a class of the model");
}
END_TEST

START_TEST(labels_outside_the_model_are_rejected)
{
  fixtures_write(root, "data/labels.tsv", "file\tclass_index\nx.png\t4\n", -1);
  fixtures_write(root, "data/x.png", "x", -1);
  g_autofree char *data = g_build_filename(root, "data", NULL);
  const char *paths[] = { data, NULL };
  assert_refused(&(CollectionOptions){ .paths = paths }, COMMAND_ERROR_DATA, "the class 4");
}
END_TEST

/* ---- Pixels ---- */

static void assert_extent(const Collection *collection, guint index, gboolean whole, int width,
                          int height)
{
  g_autoptr(GdkPixbuf) pixels = collection_load(collection, index, whole);
  ck_assert_ptr_nonnull(pixels);
  ck_assert_int_eq(gdk_pixbuf_get_width(pixels), width);
  ck_assert_int_eq(gdk_pixbuf_get_height(pixels), height);
}

START_TEST(large_photographs_are_cached_shrunk_and_loaded_whole)
{
  photographs_write(root, "data/a.png", 100, 61, 1);
  photographs_write(root, "data/b.png", 32, 200, 2);
  const CollectionOptions options = { .memory = _i ? COLLECTION_MEMORY : 0 };
  g_autoptr(Collection) collection = photographs_collection(root, SIZE, &options);
  for (guint i = 0; i < 2; i++) {
    assert_extent(collection, 0, FALSE, 52, 32);
    assert_extent(collection, 0, TRUE, 100, 61);
    assert_extent(collection, 1, FALSE, 32, 200);
  }
}
END_TEST

START_TEST(photographs_are_cached_while_there_is_room)
{
  photographs_write(root, "data/a.png", 20, 20, 1);
  photographs_write(root, "data/b.png", 20, 20, 2);
  const CollectionOptions options = { .memory = 20 * 20 * 3 };
  g_autoptr(Collection) collection = photographs_collection(root, SIZE, &options);
  g_autoptr(GdkPixbuf) first = collection_load(collection, 1, FALSE);
  g_autoptr(GdkPixbuf) again = collection_load(collection, 1, FALSE);
  ck_assert_ptr_eq(first, again);
  g_autoptr(GdkPixbuf) other = collection_load(collection, 0, FALSE);
  g_autoptr(GdkPixbuf) other_again = collection_load(collection, 0, FALSE);
  ck_assert_ptr_ne(other, other_again);
  ck_assert_mem_eq(gdk_pixbuf_read_pixels(other), gdk_pixbuf_read_pixels(other_again), 20 * 20 * 3);
}
END_TEST

START_TEST(unusable_photographs_are_named_once)
{
  photographs_write(root, "data/a.png", 20, 20, 1);
  photographs_write_broken(root, "data/cut.jpg");
  fixtures_write(root, "data/labels.tsv", "file\tclass_index\ngone.png\t1\na.png\t1\n", -1);
  g_autoptr(Collection) collection = photographs_collection(root, SIZE, NULL);
  ck_assert_uint_eq(collection->items->len, 3);
  for (guint i = 0; i < 6; i++) {
    g_autoptr(GdkPixbuf) pixels = collection_load(collection, i % 3, FALSE);
    ck_assert((pixels != NULL) == (i % 3 == 0));
  }
  ck_assert_uint_eq(pixel_cache_count_bad(collection->pixels), 2);
  g_autoptr(GPtrArray) notes = pixel_cache_take_notes(collection->pixels);
  ck_assert_uint_eq(notes->len, 2);
  ck_assert_str_eq(g_ptr_array_index(notes, 0), "skipped cut.jpg: is truncated");
  ck_assert_str_eq(g_ptr_array_index(notes, 1),
                   "skipped gone.png: is listed in labels.tsv but does not exist");
  g_autoptr(GPtrArray) later = pixel_cache_take_notes(collection->pixels);
  ck_assert_uint_eq(later->len, 0);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("collection");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_loop_test(tests, every_class_of_every_folder_holds_out_its_share, 0,
                      G_N_ELEMENTS(shares));
  tcase_add_test(tests, classes_within_a_folder_are_strata_too);
  tcase_add_loop_test(tests, filters_do_not_change_the_split, 0, 2);
  tcase_add_test(tests, folder_and_label_options_filter_photographs);
  tcase_add_test(tests, several_datasets_are_concatenated);
  tcase_add_test(tests, invalid_options_are_rejected);
  tcase_add_test(tests, labels_outside_the_model_are_rejected);
  tcase_add_loop_test(tests, large_photographs_are_cached_shrunk_and_loaded_whole, 0, 2);
  tcase_add_test(tests, photographs_are_cached_while_there_is_room);
  tcase_add_test(tests, unusable_photographs_are_named_once);
  return fixtures_run(tests, "collection");
}
