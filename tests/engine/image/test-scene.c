/* The change of a picture since the last inferred one. */
#include <math.h>

#include "fixture.h"

#define SIDE 224

/* Share of full scale that a user might set as a threshold above the noise of a sensor. */
#define THRESHOLD 0.03

/* Share of full scale: some roundings of sums of 196 numbers in float32. */
#define TOLERANCE 1e-5

static const VitgateModelInfo info = { .image_size = SIDE, .std = { 0.229f, 0.224f, 0.225f } };

static VitgateScene *scene;
static float *tensor; /* [3][SIDE][SIDE] */
static guint32 chance;

static void setup(void)
{
  scene = vitgate_scene_new(&info);
  tensor = g_new(float, 3 * SIDE * SIDE);
  chance = 1;
}

static void teardown(void)
{
  vitgate_scene_free(&scene);
  ck_assert_ptr_null(scene);
  g_clear_pointer(&tensor, g_free);
}

/* Sets each pixel to @level of full scale, plus or minus at most @noise. */
static void fill(float level, float noise)
{
  for (guint i = 0; i < 3 * SIDE * SIDE; i++)
    tensor[i] =
        fixture_uniform(&chance, level - noise, level + noise) / info.std[i / (SIDE * SIDE)];
}

static double change(void)
{
  return vitgate_scene_look(scene, tensor);
}

static void keep_grey(void)
{
  fill(0.5f, 0);
  change();
  vitgate_scene_keep(scene);
}

START_TEST(the_first_picture_is_a_change)
{
  fill(0.5f, 0);
  ck_assert_double_eq(change(), 1);
  vitgate_scene_keep(scene);
  ck_assert_double_eq(change(), 0);
  vitgate_scene_forget(scene);
  ck_assert_double_eq(change(), 1);
}
END_TEST

START_TEST(change_is_a_share_of_full_scale)
{
  keep_grey();
  fill(0.6f, 0);
  ck_assert_double_eq_tol(change(), 0.1, TOLERANCE);
  fill(0.3f, 0);
  ck_assert_double_eq_tol(change(), 0.2, TOLERANCE);
}
END_TEST

START_TEST(noise_is_not_a_change)
{
  fill(0.5f, 0.1f); /* more noise than a sensor's at night */
  change();
  vitgate_scene_keep(scene);
  for (guint i = 0; i < 50; i++) {
    fill(0.5f, 0.1f);
    ck_assert_double_lt(change(), THRESHOLD);
  }
}
END_TEST

START_TEST(a_small_object_is_a_change)
{
  keep_grey();
  for (guint y = 100; y < 110; y++)
    for (guint x = 60; x < 70; x++)
      tensor[y * SIDE + x] += 0.4f / info.std[0]; /* a reddish spot of 10 x 10 pixels */
  ck_assert_double_gt(change(), THRESHOLD);
}
END_TEST

START_TEST(every_pixel_counts)
{
  keep_grey();
  for (guint i = 0; i < 3 * SIDE * SIDE; i += 997) {
    const float before = tensor[i];
    tensor[i] += 200; /* more than a real pixel can change, so that its cell shows it */
    ck_assert_msg(change() > THRESHOLD, "number %u", i);
    tensor[i] = before;
  }
}
END_TEST

START_TEST(sizes_need_not_be_multiples_of_a_cell)
{
  static const guint sizes[] = { 1, 2, 15, 17, 31, 223 };
  for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
    VitgateModelInfo odd = info;
    odd.image_size = sizes[i];
    vitgate_scene_free(&scene);
    scene = vitgate_scene_new(&odd);
    keep_grey();
    ck_assert_double_eq(change(), 0);
    tensor[3 * sizes[i] * sizes[i] - 1] += 200;
    ck_assert_double_gt(change(), THRESHOLD);
  }
}
END_TEST

/* Adds a tenth of full scale and a bit to the upper half of the picture. */
static void brighten_upper_half(void)
{
  for (guint c = 0; c < 3; c++)
    for (guint i = 0; i < SIDE * SIDE / 2; i++)
      tensor[c * SIDE * SIDE + i] += 0.11f / info.std[c];
}

START_TEST(the_share_that_changed_is_counted_in_cells)
{
  ck_assert_double_eq(vitgate_scene_changed_share(scene, 0.1), 1);
  keep_grey();
  change();
  ck_assert_double_eq(vitgate_scene_changed_share(scene, 0.1), 0);
  brighten_upper_half();
  change();
  ck_assert_double_eq(vitgate_scene_changed_share(scene, 0.1), 0.5);
  ck_assert_double_eq(vitgate_scene_changed_share(scene, 0.2), 0);
  fill(0.9f, 0);
  change();
  ck_assert_double_eq(vitgate_scene_changed_share(scene, 0.1), 1);
  vitgate_scene_forget(scene);
  ck_assert_double_eq(vitgate_scene_changed_share(scene, 0.1), 1);
}
END_TEST

START_TEST(empty_cells_do_not_count_as_a_share)
{
  VitgateModelInfo small = info;
  small.image_size = 2;
  vitgate_scene_free(&scene);
  scene = vitgate_scene_new(&small);
  keep_grey();
  fill(0.9f, 0);
  change();
  ck_assert_double_eq(vitgate_scene_changed_share(scene, 0.1), 1);
}
END_TEST

START_TEST(freeing_null_does_nothing)
{
  VitgateScene *none = NULL;
  vitgate_scene_free(&none);
  ck_assert_ptr_null(none);
}
END_TEST

int main(void)
{
  TCase *scenes = tcase_create("scenes");
  tcase_add_checked_fixture(scenes, setup, teardown);
  tcase_add_test(scenes, the_first_picture_is_a_change);
  tcase_add_test(scenes, change_is_a_share_of_full_scale);
  tcase_add_test(scenes, noise_is_not_a_change);
  tcase_add_test(scenes, a_small_object_is_a_change);
  tcase_add_test(scenes, every_pixel_counts);
  tcase_add_test(scenes, sizes_need_not_be_multiples_of_a_cell);
  tcase_add_test(scenes, the_share_that_changed_is_counted_in_cells);
  tcase_add_test(scenes, empty_cells_do_not_count_as_a_share);
  tcase_add_test(scenes, freeing_null_does_nothing);
  return fixture_run("scene", scenes, NULL);
}
