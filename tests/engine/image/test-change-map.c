/* Which patches of a picture count as changed. */
#include <math.h>

#include "fixture.h"
#include "image/change-map.h"
#include "network/families/families.h"

enum { SIZE = 32, PATCH = 8, SIDE = 4, N = SIDE * SIDE };

static const Description description = {
  .family = &vitgate__family_vit,
  .image_size = SIZE,
  .patch_size = PATCH,
  .preprocessing = { .std = { .5f, .25f, 1 } },
};

static float picture[3 * SIZE * SIZE];
static ChangeMap *map;

static void set_up(void)
{
  guint32 random = 4;
  map = vitgate__change_map_new(&description);
  fixture_fill(picture, 3 * SIZE * SIZE, -1, 1, &random);
}

static void tear_down(void)
{
  vitgate__change_map_free(&map);
}

/* Adds @value to one cell, of 4 x 4 pixels. */
static void change_cell(guint colour, guint y, guint x, float value)
{
  for (guint i = 0; i < 16; i++)
    picture[(colour * SIZE + 4 * y + i / 4) * SIZE + 4 * x + i % 4] += value;
}

START_TEST(change_is_the_largest_of_all_cells_and_colours)
{
  ck_assert_float_eq(vitgate__change_map_look(map, picture), 1);
  vitgate__change_map_keep(map, NULL);
  ck_assert_float_eq(vitgate__change_map_look(map, picture), 0);
  for (guint i = 0; i < 3 * 64; i++) {
    change_cell(i / 64, i % 64 / 8, i % 8, i % 2 ? .1f : -.1f);
    ck_assert_float_eq_tol(vitgate__change_map_look(map, picture),
                           .1f * description.preprocessing.std[i / 64], 1e-6);
    vitgate__change_map_keep(map, NULL);
  }
}
END_TEST

START_TEST(slow_drift_adds_up)
{
  vitgate__change_map_look(map, picture);
  vitgate__change_map_keep(map, NULL);
  for (guint i = 1; i <= 20; i++) {
    change_cell(0, 3, 3, .01f);
    ck_assert_float_eq_tol(vitgate__change_map_look(map, picture), .005f * i, 1e-6);
  }
}
END_TEST

START_TEST(marks_are_changed_patches_and_their_neighbours)
{
  guint8 marks[N];
  vitgate__change_map_look(map, picture);
  ck_assert_uint_eq(vitgate__change_map_mark(map, marks, .5f, FALSE), N);
  vitgate__change_map_keep(map, NULL);
  for (guint p = 0; p < N; p++) {
    const guint y = p / SIDE, x = p % SIDE;
    change_cell(2, 2 * y + 1, 2 * x, .1f);
    vitgate__change_map_look(map, picture);
    ck_assert_uint_eq(vitgate__change_map_mark(map, marks, .05f, FALSE), 1);
    ck_assert_uint_eq(marks[p], 1);
    ck_assert_uint_eq(vitgate__change_map_mark(map, marks, .11f, FALSE), 0);
    vitgate__change_map_mark(map, marks, .05f, TRUE);
    for (guint q = 0; q < N; q++)
      ck_assert_uint_eq(marks[q], ABS((gint)(q / SIDE) - (gint)y) <= 1 &&
                                      ABS((gint)(q % SIDE) - (gint)x) <= 1);
    vitgate__change_map_keep(map, NULL);
  }
  vitgate__change_map_look(map, picture);
  ck_assert_uint_eq(vitgate__change_map_mark(map, marks, -1, FALSE), N);
}
END_TEST

START_TEST(only_marked_patches_are_kept)
{
  guint8 marks[N] = { 0 }, left[N];
  vitgate__change_map_look(map, picture);
  vitgate__change_map_keep(map, NULL);
  for (guint i = 0; i < 64; i++)
    change_cell(1, i / 8, i % 8, 1);
  vitgate__change_map_look(map, picture);
  for (guint p = 0; p < N; p++)
    marks[p] = p % 3 == 0;
  vitgate__change_map_keep(map, marks);
  vitgate__change_map_look(map, picture);
  vitgate__change_map_mark(map, left, .1f, FALSE);
  for (guint p = 0; p < N; p++)
    ck_assert_uint_eq(left[p], !marks[p]);
}
END_TEST

START_TEST(share_counts_patches_by_their_mean)
{
  ck_assert_float_eq(vitgate__change_map_share(map, .1f), 1);
  vitgate__change_map_look(map, picture);
  vitgate__change_map_keep(map, NULL);
  change_cell(0, 0, 0, 1); /* an eighth in the patch's mean: .5 / 4 */
  change_cell(2, 7, 7, 1);
  vitgate__change_map_look(map, picture);
  ck_assert_float_eq(vitgate__change_map_share(map, .1f), 2.0f / N);
  ck_assert_float_eq(vitgate__change_map_share(map, .2f), 1.0f / N);
  ck_assert_float_eq(vitgate__change_map_share(map, .3f), 0);
}
END_TEST

START_TEST(values_that_are_no_numbers_count_as_changed)
{
  guint8 marks[N];
  vitgate__change_map_look(map, picture);
  vitgate__change_map_keep(map, NULL);
  picture[SIZE * SIZE - 1] = NAN;
  ck_assert(isnan(vitgate__change_map_look(map, picture)));
  ck_assert_uint_eq(vitgate__change_map_mark(map, marks, 1, FALSE), 1);
  ck_assert_uint_eq(marks[N - 1], 1);
}
END_TEST

/* Measures the picture and keeps the patches that changed, as an update does.
 * Returns: the patches that show something new */
static guint follow(void)
{
  guint8 marks[N];
  vitgate__change_map_look(map, picture);
  vitgate__change_map_mark(map, marks, .01f, FALSE);
  const guint n = vitgate__change_map_count_new(map, .01f, .03f);
  vitgate__change_map_keep(map, marks);
  return n;
}

/* Patches start with a pass of them all. */
static void start(void)
{
  vitgate__change_map_look(map, picture);
  ck_assert_uint_eq(vitgate__change_map_count_new(map, .01f, .03f), 0);
  vitgate__change_map_keep(map, NULL);
}

START_TEST(what_is_new_counts_once_it_stays)
{
  start();
  for (guint round = 0; round < 3; round++) {
    change_cell(0, 2, 2, .2f);
    change_cell(2, 7, 7, .1f);
    for (guint i = 0; i < 12; i++)
      ck_assert_uint_eq(follow(), i == 3 ? 2 : 0);
  }
}
END_TEST

START_TEST(what_passes_by_is_not_new)
{
  start();
  for (guint i = 0; i < 64; i++) {
    change_cell(1, i / 8, i % 8, .5f);
    ck_assert_uint_eq(follow(), 0);
    change_cell(1, i / 8, i % 8, -.5f);
  }
  for (guint i = 0; i < 6; i++)
    ck_assert_uint_eq(follow(), 0);
}
END_TEST

START_TEST(what_never_stands_still_is_not_new)
{
  start();
  for (guint i = 0; i < 40; i++) {
    if (i % 3 == 0)
      change_cell(1, 3, 3, .2f);
    ck_assert_uint_eq(follow(), 0);
  }
}
END_TEST

/* All patches know of it. */
START_TEST(what_came_with_all_patches_is_not_new)
{
  start();
  change_cell(0, 2, 2, .5f);
  ck_assert_uint_eq(follow(), 0);
  vitgate__change_map_keep(map, NULL);
  for (guint i = 0; i < 6; i++)
    ck_assert_uint_eq(follow(), 0);
}
END_TEST

START_TEST(nothing_is_new_after_forgetting)
{
  start();
  change_cell(0, 2, 2, .5f);
  follow();
  vitgate__change_map_forget(map);
  start();
  for (guint i = 0; i < 6; i++)
    ck_assert_uint_eq(follow(), 0);
}
END_TEST

/* A patch of one pixel has one cell; nine pixels divide into cells of four and five. */
START_TEST(any_size_of_patch_works)
{
  for (guint patch = 1; patch <= 9; patch++) {
    Description d = description;
    guint8 marks[9];
    float values[3 * 27 * 27] = { 0 };
    d.patch_size = patch;
    d.image_size = 3 * patch;
    ChangeMap *m = vitgate__change_map_new(&d);
    vitgate__change_map_look(m, values);
    vitgate__change_map_keep(m, NULL);
    values[d.image_size * d.image_size - 1] = 100;
    vitgate__change_map_look(m, values);
    ck_assert_uint_eq(vitgate__change_map_mark(m, marks, .1f, FALSE), 1);
    ck_assert_uint_eq(marks[8], 1);
    vitgate__change_map_free(&m);
  }
}
END_TEST

int main(void)
{
  TCase *changes = tcase_create("change-map");
  tcase_add_checked_fixture(changes, set_up, tear_down);
  tcase_add_test(changes, change_is_the_largest_of_all_cells_and_colours);
  tcase_add_test(changes, slow_drift_adds_up);
  tcase_add_test(changes, marks_are_changed_patches_and_their_neighbours);
  tcase_add_test(changes, only_marked_patches_are_kept);
  tcase_add_test(changes, share_counts_patches_by_their_mean);
  tcase_add_test(changes, values_that_are_no_numbers_count_as_changed);
  tcase_add_test(changes, what_is_new_counts_once_it_stays);
  tcase_add_test(changes, what_passes_by_is_not_new);
  tcase_add_test(changes, what_never_stands_still_is_not_new);
  tcase_add_test(changes, what_came_with_all_patches_is_not_new);
  tcase_add_test(changes, nothing_is_new_after_forgetting);
  tcase_add_test(changes, any_size_of_patch_works);
  return fixture_run("change-map", changes, NULL);
}
