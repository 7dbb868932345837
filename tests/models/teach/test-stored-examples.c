/* Tests what of the pictures is stored if not all of it fits. */
#include "teach/stored-examples.h"

#include "fixture.h"

#define FEATURES 6

/* Returns: (transfer full): 30 pictures of the first class and 10 of the second, with two views */
static Examples *many(void)
{
  g_autoptr(GPtrArray) labels = g_ptr_array_new();
  g_ptr_array_add(labels, "a");
  g_ptr_array_add(labels, "b");
  Examples *examples = examples_new(labels, FEATURES, 2);
  for (guint i = 0; i < 40; i++) {
    Example *example = examples_add(examples, i + 1, i, NULL);
    example->shown[i >= 30] = 1;
    for (guint k = 0; k < 2 * FEATURES; k++)
      example->features[k] = (float)i + 0.01f * (float)k;
  }
  examples_sort(examples);
  return examples;
}

/* Checks the number of pictures of each class that fit. */
static void check(gint64 budget, guint expected_a, guint expected_b, guint expected_views)
{
  g_autoptr(Examples) examples = many();
  g_autoptr(EncodedTensors) storage = NULL;
  guint n_stored, counts[2] = { 0 };
  g_autoptr(JsonObject) object =
      stored_examples_write(examples, FALSE, budget, &storage, &n_stored);
  ck_assert_ptr_nonnull(object);
  JsonArray *shown = json_object_get_array_member(object, "shown");
  for (guint i = 0; i < json_array_get_length(shown); i++)
    counts[json_array_get_int_element(shown, i)]++;
  ck_assert_uint_eq(counts[0], expected_a);
  ck_assert_uint_eq(counts[1], expected_b);
  ck_assert_uint_eq(n_stored, expected_a + expected_b);
  ck_assert_int_eq(json_object_get_int_member(object, "per_picture"), expected_views);
  ck_assert_int_eq(json_object_get_int_member(object, "left_out"), 40 - n_stored);
  const Tensor *rows = &g_array_index(storage->tensors, Tensor, 0);
  ck_assert_uint_eq(rows->shape[0], (guint64)n_stored * expected_views);
  ck_assert_int_le((gint64)rows->n_bytes, budget);
}

START_TEST(all_is_stored_if_it_fits)
{
  check(1000000, 30, 10, 2);
}
END_TEST

START_TEST(the_other_views_are_left_out_first)
{
  check(40 * 41, 30, 10, 1);
}
END_TEST

START_TEST(a_sample_has_as_many_pictures_of_each_class)
{
  check(16 * 41, 8, 8, 1);
  check(24 * 41, 14, 10, 1);
}
END_TEST

START_TEST(nothing_is_stored_if_not_even_two_of_each_class_fit)
{
  g_autoptr(Examples) examples = many();
  g_autoptr(EncodedTensors) storage = NULL;
  guint n_stored;
  ck_assert_ptr_null(stored_examples_write(examples, FALSE, 3 * 41, &storage, &n_stored));
  ck_assert_ptr_null(stored_examples_write(examples, FALSE, -1000, &storage, &n_stored));
  ck_assert_ptr_null(storage);
  ck_assert_uint_eq(n_stored, 0);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("stored-examples");
  tcase_add_test(tests, all_is_stored_if_it_fits);
  tcase_add_test(tests, the_other_views_are_left_out_first);
  tcase_add_test(tests, a_sample_has_as_many_pictures_of_each_class);
  tcase_add_test(tests, nothing_is_stored_if_not_even_two_of_each_class_fit);
  return fixture_run("stored-examples", tests, NULL);
}
