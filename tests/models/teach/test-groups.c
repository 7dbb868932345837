/* Tests which pictures belong together, and how they are dealt to folds. */
#include "teach/groups.h"

#include "fixture.h"
#include "teach/folds.h"
#include "teach/shot-time.h"

START_TEST(times_are_read_from_names)
{
  static const struct {
    const char *name;
    gint64 seconds;
  } cases[] = {
    { "d/IMG_20260102_030405.jpg", 1767323045 },
    { "2026-01-02T03:04:05.jpg", 1767323045 },
    { "2026-01-02 03.04.05-7.png", 1767323045 },
    { "cam1-20260102030405123.jpg", 1767323045 },
    { "1767323045.jpg", 1767323045 },
    { "event-1767323045123.jpg", 1767323045 },
    { "image_0001.jpg", SHOT_TIME_UNKNOWN },
    { "20269902_030405.jpg", SHOT_TIME_UNKNOWN },
    { "20260102_030405/x.jpg", SHOT_TIME_UNKNOWN },
    { "12345678901234567890.jpg", SHOT_TIME_UNKNOWN },
    { "", SHOT_TIME_UNKNOWN },
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
    assert_each(shot_time_from_name(cases[i].name) == cases[i].seconds, "%s: %" G_GINT64_FORMAT,
                cases[i].name, shot_time_from_name(cases[i].name));
}
END_TEST

START_TEST(times_are_read_from_exif)
{
  /* A JPEG with DateTime in the first directory, big-endian. */
  static const guint8 jpeg[] = "\xff\xd8\xff\xe1\x00\x36"
                               "Exif\0\0"
                               "MM\0*\0\0\0\x08"
                               "\x00\x01"
                               "\x01\x32\x00\x02\x00\x00\x00\x14\x00\x00\x00\x1a"
                               "\x00\x00\x00\x00"
                               "2026:01:02 03:04:05\0"
                               "\xff\xd9";
  g_autoptr(GBytes) file = g_bytes_new_static(jpeg, sizeof jpeg - 1);
  ck_assert_int_eq(shot_time_find(file, "IMG_20250102_030405.jpg"), 1767323045);
  for (gsize n = 0; n < sizeof jpeg - 1;
       n++) { /* cut off anywhere, it has no time, or the name's */
    g_autoptr(GBytes) part = g_bytes_new(jpeg, n);
    const gint64 found = shot_time_find(part, "x.jpg");
    ck_assert(found == SHOT_TIME_UNKNOWN || found == 1767323045);
  }
}
END_TEST

typedef struct {
  Examples *examples;
  GPtrArray *pictures;
} Shots;

static void free_picture(gpointer data)
{
  Picture *picture = data;
  g_free(picture->path);
  g_free(picture->folder);
  g_free(picture);
}

static Shots shots_new(void)
{
  g_autoptr(GPtrArray) labels = g_ptr_array_new();
  g_ptr_array_add(labels, "a");
  g_ptr_array_add(labels, "b");
  return (Shots){ examples_new(labels, 2, 1), g_ptr_array_new_with_free_func(free_picture) };
}

static void shots_clear(Shots *shots)
{
  examples_free(&shots->examples);
  g_ptr_array_unref(shots->pictures);
}

/* @angle: direction of its features: small differences are alike */
static void add_shot(Shots *shots, const char *path, guint class, float angle)
{
  Picture *picture = g_new0(Picture, 1);
  picture->path = g_strdup(path);
  picture->folder = g_path_get_dirname(path);
  picture->time = shot_time_from_name(path);
  g_ptr_array_add(shots->pictures, picture);
  Example *example = examples_add(shots->examples, shots->pictures->len, 0, path);
  example->shown[class] = 1;
  example->features[0] = 1;
  example->features[1] = angle;
}

/* Returns: (transfer full): a letter for the group of each shot, from A in the order of shots */
static char *find_groups(Shots *shots, Grouping grouping)
{
  GString *text = g_string_new(NULL);
  ck_assert(groups_find(shots->examples, shots->pictures, grouping, FALSE, NULL));
  examples_sort(shots->examples);
  for (guint i = 0; i < shots->examples->list->len; i++)
    g_string_append_c(text, (char)('A' + examples_get(shots->examples, i)->group));
  return g_string_free(text, FALSE);
}

static void check_groups(Shots *shots, Grouping grouping, const char *expected)
{
  g_autofree char *found = find_groups(shots, grouping);
  ck_assert_str_eq(found, expected);
}

START_TEST(pictures_within_a_minute_follow_each_other)
{
  Shots shots = shots_new();
  add_shot(&shots, "a/20260102_030505.jpg", 0, 0);
  add_shot(&shots, "a/20260102_030405.jpg", 0, 9);
  add_shot(&shots, "a/20260102_030606.jpg", 0, 0); /* 61 s after the first */
  add_shot(&shots, "b/20260102_030406.jpg", 1, 0); /* another class */
  check_groups(&shots, GROUPS_TIME, "AABC");
  check_groups(&shots, GROUPS_AUTO, "AABC");
  check_groups(&shots, GROUPS_NONE, "ABCD");
  shots_clear(&shots);
}
END_TEST

START_TEST(pictures_of_a_clip_follow_each_other)
{
  Shots shots = shots_new();
  add_shot(&shots, "a/my yard_00-59-59.500.jpg", 0, 0);
  add_shot(&shots, "a/my yard_01-00-59.000.jpg", 0, 9);
  add_shot(&shots, "a/my yard_01-02-00.000_2.jpg", 0, 0);
  add_shot(&shots, "a/gate_00-59-59.500.jpg", 0, 0); /* another clip */
  add_shot(&shots, "a/gate_00-59-59.jpg", 0, 0);
  ck_assert_int_eq(shot_time_from_name("gate_00-59-59.jpg"), SHOT_TIME_UNKNOWN);
  check_groups(&shots, GROUPS_AUTO, "AABCD");
  shots_clear(&shots);
}
END_TEST

START_TEST(consecutive_numbers_belong_together_if_the_pictures_look_alike)
{
  Shots shots = shots_new();
  add_shot(&shots, "a/frame9.jpg", 0, 0);
  add_shot(&shots, "a/frame10.jpg", 0, 0.01f);
  add_shot(&shots, "a/frame11.jpg", 0, 2);
  add_shot(&shots, "a/frame13.jpg", 0, 2);
  add_shot(&shots, "a/other14.jpg", 0, 2);
  check_groups(&shots, GROUPS_AUTO, "AABCD");
  check_groups(&shots, GROUPS_NAME, "AAAAB");
  check_groups(&shots, GROUPS_FOLDER, "AAAAA");
  shots_clear(&shots);
}
END_TEST

START_TEST(without_any_time_there_are_no_groups_by_time)
{
  Shots shots = shots_new();
  g_autoptr(GError) error = NULL;
  add_shot(&shots, "a/frame9.jpg", 0, 0);
  ck_assert(!groups_find(shots.examples, shots.pictures, GROUPS_TIME, FALSE, &error));
  ck_assert_ptr_nonnull(strstr(error->message, "--group-by=time"));
  shots_clear(&shots);
}
END_TEST

START_TEST(the_only_group_of_a_class_is_cut_into_consecutive_parts)
{
  Shots shots = shots_new();
  for (guint i = 0; i < 7; i++) {
    g_autofree char *path = g_strdup_printf("a/20260102_03040%u.jpg", 6 - i);
    add_shot(&shots, path, 0, 0);
  }
  add_shot(&shots, "b/20260102_030405.jpg", 1, 0);
  add_shot(&shots, "b/20260202_030405.jpg", 1, 0);
  check_groups(&shots, GROUPS_AUTO, "AAAAAAABC");
  g_autoptr(GArray) cut = groups_cut(shots.examples, shots.pictures, FALSE);
  ck_assert_uint_eq(cut->len, 1);
  ck_assert_int_eq(g_array_index(cut, int, 0), 0);
  examples_sort(shots.examples);
  for (guint i = 1; i < 7; i++) /* in order of time, groups do not come back */
    ck_assert_uint_ge(examples_get(shots.examples, i)->group,
                      examples_get(shots.examples, i - 1)->group);
  ck_assert_uint_eq(examples_get(shots.examples, 6)->group, 4);
  ck_assert_uint_eq(shots.examples->n_groups, 7);
  shots_clear(&shots);
}
END_TEST

START_TEST(folds_keep_groups_together_and_spread_classes)
{
  Shots shots = shots_new();
  guint n_folds, counts[10][2] = { { 0 } };
  for (guint i = 0; i < 120; i++) {
    add_shot(&shots, "x.jpg", i % 2, 0);
    examples_get(shots.examples, i)->group = i / 4 * 2 + i % 2; /* pairs */
  }
  examples_sort(shots.examples);
  g_autofree guint *folds = folds_deal(shots.examples, FALSE, G_MAXUINT, &n_folds);
  ck_assert_uint_eq(n_folds, 10);
  for (guint i = 0; i < 120; i++) {
    counts[folds[i]][i % 2]++;
    for (guint k = 0; k < i; k++)
      if (examples_get(shots.examples, i)->group == examples_get(shots.examples, k)->group)
        ck_assert_uint_eq(folds[i], folds[k]);
  }
  for (guint f = 0; f < 10; f++)
    ck_assert(counts[f][0] == 6 && counts[f][1] == 6);
  shots_clear(&shots);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("groups");
  tcase_add_test(tests, times_are_read_from_names);
  tcase_add_test(tests, times_are_read_from_exif);
  tcase_add_test(tests, pictures_within_a_minute_follow_each_other);
  tcase_add_test(tests, pictures_of_a_clip_follow_each_other);
  tcase_add_test(tests, consecutive_numbers_belong_together_if_the_pictures_look_alike);
  tcase_add_test(tests, without_any_time_there_are_no_groups_by_time);
  tcase_add_test(tests, the_only_group_of_a_class_is_cut_into_consecutive_parts);
  tcase_add_test(tests, folds_keep_groups_together_and_spread_classes);
  return fixture_run("groups", tests, NULL);
}
