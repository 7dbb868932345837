/* The groups of images that share decisions: their sizes, and that their members are random. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "fixtures.h"
#include "train/learn/sub-groups.h"

enum { MAX_IMAGES = 100, N_DRAWS = 200, SEED = 9 };

static const guint batches[] = { 1, 2, 3, 7, 8, 64, 100 };
enum { N_BATCHES = G_N_ELEMENTS(batches) };

/* One deal, with the number of images in each group. */
typedef struct {
  guint n, n_groups;
  guint group[MAX_IMAGES], sizes[MAX_IMAGES];
} Deal;

/* Deals and counts. All group numbers from 0 to n_groups - 1 must occur, and no others. */
static Deal deal(guint n, SubGroups kind, guint k, GRand *random)
{
  Deal d = { .n = n };
  memset(d.group, 0xff, sizeof d.group);
  d.n_groups = sub_groups_deal(d.group, n, kind, k, random);
  ck_assert_uint_ge(d.n_groups, 1);
  ck_assert_uint_le(d.n_groups, n);
  for (guint i = 0; i < n; i++) {
    ck_assert_uint_lt(d.group[i], d.n_groups);
    d.sizes[d.group[i]]++;
  }
  for (guint g = 0; g < d.n_groups; g++)
    ck_assert_uint_ge(d.sizes[g], 1);
  for (guint i = n; i < MAX_IMAGES; i++)
    ck_assert_uint_eq(d.group[i], G_MAXUINT); /* nothing is written after the batch */
  return d;
}

START_TEST(test_none_is_one_group)
{
  g_autoptr(GRand) random = g_rand_new_with_seed(SEED);
  ck_assert_uint_eq(deal(batches[_i], SUB_GROUPS_NONE, 0, random).n_groups, 1);
}
END_TEST

START_TEST(test_sample_is_one_group_per_image)
{
  g_autoptr(GRand) random = g_rand_new_with_seed(SEED);
  ck_assert_uint_eq(deal(batches[_i], SUB_GROUPS_SAMPLE, 0, random).n_groups, batches[_i]);
}
END_TEST

START_TEST(test_even_groups_except_the_last_have_k_images)
{
  static const guint sizes[] = { 1, 2, 3, 8, 32, 100, 1024 };
  const guint n = batches[_i];
  g_autoptr(GRand) random = g_rand_new_with_seed(SEED);
  for (guint s = 0; s < G_N_ELEMENTS(sizes); s++) {
    const guint k = sizes[s];
    const Deal d = deal(n, SUB_GROUPS_EVEN, k, random);
    ck_assert_uint_eq(d.n_groups, (n + k - 1) / k);
    for (guint g = 0; g + 1 < d.n_groups; g++)
      ck_assert_uint_eq(d.sizes[g], k);
    ck_assert_uint_eq(d.sizes[d.n_groups - 1], n - (d.n_groups - 1) * k);
  }
}
END_TEST

START_TEST(test_random_groups_have_1_to_64_images)
{
  const guint n = batches[_i], max = MIN(n, 64);
  g_autoptr(GRand) random = g_rand_new_with_seed(SEED);
  guint smallest = G_MAXUINT, largest = 0;
  for (guint draw = 0; draw < N_DRAWS; draw++) {
    const Deal d = deal(n, SUB_GROUPS_RANDOM, 0, random);
    for (guint g = 0; g < d.n_groups; g++) {
      ck_assert_uint_le(d.sizes[g], max);
      smallest = MIN(smallest, d.sizes[g]);
      largest = MAX(largest, d.sizes[g]);
    }
  }
  ck_assert_uint_eq(smallest, 1);
  ck_assert_uint_ge(largest, max - max / 8); /* at least one of 200 draws comes close */
}
END_TEST

/* Halves may be rounded up or down. */
START_TEST(test_recursive_groups_halve_the_remaining_images)
{
  const guint n = batches[_i];
  g_autoptr(GRand) random = g_rand_new_with_seed(SEED);
  const Deal d = deal(n, SUB_GROUPS_RECURSIVE, 0, random);
  for (guint g = 0, left = n; g < d.n_groups; left -= d.sizes[g++])
    ck_assert_msg(d.sizes[g] == MAX(1, left / 2) || d.sizes[g] == (left + 1) / 2,
                  "%u of %u images remain, group %u takes %u", left, n, g, d.sizes[g]);
  ck_assert_uint_eq(d.sizes[d.n_groups - 1], 1);
}
END_TEST

START_TEST(test_recursive_groups_of_a_power_of_two)
{
  static const guint expected[] = { 32, 16, 8, 4, 2, 1, 1 };
  g_autoptr(GRand) random = g_rand_new_with_seed(SEED);
  for (guint n = 64, first = 0; n >= 2; n /= 2, first++) {
    const Deal d = deal(n, SUB_GROUPS_RECURSIVE, 0, random);
    ck_assert_uint_eq(d.n_groups, G_N_ELEMENTS(expected) - first);
    for (guint g = 0; g < d.n_groups; g++)
      ck_assert_uint_eq(d.sizes[g], expected[first + g]);
  }
}
END_TEST

/* sub-groups.h promises "... 2, 1, 1". */
START_TEST(test_recursive_groups_end_in_two_single_images)
{
  const guint n = batches[_i];
  g_autoptr(GRand) random = g_rand_new_with_seed(SEED);
  const Deal d = deal(n, SUB_GROUPS_RECURSIVE, 0, random);
  if (n > 1)
    ck_assert_uint_eq(d.sizes[d.n_groups - 2], 1);
  ck_assert_uint_eq(d.sizes[d.n_groups - 1], 1);
}
END_TEST

/* ---- Chance ---- */

static const SubGroups parted[] = { SUB_GROUPS_EVEN, SUB_GROUPS_RECURSIVE, SUB_GROUPS_SAMPLE,
                                    SUB_GROUPS_RANDOM };
enum { N_PARTED = G_N_ELEMENTS(parted) };

START_TEST(test_deals_differ)
{
  g_autoptr(GRand) random = g_rand_new_with_seed(SEED);
  for (guint b = 0; b < N_BATCHES; b++) {
    if (batches[b] < 64)
      continue; /* there are too few ways to deal small batches */
    Deal before = deal(batches[b], parted[_i], 4, random);
    guint n_equal = 0;
    for (guint draw = 0; draw < N_DRAWS; draw++) {
      const Deal now = deal(batches[b], parted[_i], 4, random);
      n_equal += !memcmp(before.group, now.group, sizeof now.group);
      before = now;
    }
    ck_assert_uint_le(n_equal, N_DRAWS / 20);
  }
}
END_TEST

START_TEST(test_a_seed_gives_the_same_deals)
{
  g_autoptr(GRand) one = g_rand_new_with_seed(SEED), same = g_rand_new_with_seed(SEED);
  g_autoptr(GRand) other = g_rand_new_with_seed(SEED + 1);
  guint n_equal = 0;
  for (guint draw = 0; draw < N_DRAWS; draw++) {
    const Deal a = deal(64, parted[_i], 4, one), b = deal(64, parted[_i], 4, same);
    const Deal c = deal(64, parted[_i], 4, other);
    ck_assert_mem_eq(a.group, b.group, sizeof a.group);
    n_equal += !memcmp(a.group, c.group, sizeof a.group);
  }
  ck_assert_uint_le(n_equal, N_DRAWS / 20);
}
END_TEST

/* In 4,000 deals of eight images, each image should be in the first group, of four, 2,000 times. A
 * deviation of five standard deviations (sqrt(4000) / 2 = 32) never happens by chance. */
START_TEST(test_all_images_are_equally_likely_in_a_group)
{
  enum { N = 8, DEALS = 4000, FIVE_DEVIATIONS = 158 };
  g_autoptr(GRand) random = g_rand_new_with_seed(SEED);
  guint counts[N] = { 0 }, together = 0;
  for (guint draw = 0; draw < DEALS; draw++) {
    const Deal d = deal(N, SUB_GROUPS_RECURSIVE, 0, random);
    for (guint i = 0; i < N; i++)
      counts[i] += d.group[i] == 0;
    together += d.group[0] == 0 && d.group[1] == 0;
  }
  for (guint i = 0; i < N; i++)
    ck_assert_msg(fabs(counts[i] - DEALS / 2.0) < FIVE_DEVIATIONS, "image %u: %u of %u", i,
                  counts[i], DEALS);
  /* Four of eight are drawn; two given images are both among them with probability 3/14. */
  ck_assert_msg(fabs(together - DEALS * 3 / 14.0) < FIVE_DEVIATIONS, "two images: %u of %u",
                together, DEALS);
}
END_TEST

/* ---- Text ---- */

START_TEST(test_valid_text_is_parsed)
{
  static const struct {
    const char *text;
    SubGroups kind;
    guint k;
  } cases[] = { { "none", SUB_GROUPS_NONE },           { "random", SUB_GROUPS_RANDOM },
                { "recursive", SUB_GROUPS_RECURSIVE }, { "sample", SUB_GROUPS_SAMPLE },
                { "even:1", SUB_GROUPS_EVEN, 1 },      { "even:8", SUB_GROUPS_EVEN, 8 },
                { "even:1024", SUB_GROUPS_EVEN, 1024 } };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    SubGroups kind = (SubGroups)-1;
    guint k = 0;
    ck_assert_msg(sub_groups_parse(cases[i].text, &kind, &k), "'%s'", cases[i].text);
    ck_assert_int_eq(kind, cases[i].kind);
    ck_assert_uint_eq(k, cases[i].k);
  }
}
END_TEST

START_TEST(test_other_text_is_refused)
{
  static const char *const texts[] = { "",
                                       "None",
                                       "none ",
                                       " none",
                                       "all",
                                       "recursive:2",
                                       "random:4",
                                       "even",
                                       "even:",
                                       "even:0",
                                       "even:-1",
                                       "even:+4",
                                       "even: 4",
                                       "even:4 ",
                                       "even:4x",
                                       "even:x",
                                       "even:4.0",
                                       "even:1e2",
                                       "even:0x10",
                                       "even:1025",
                                       "even:4,8",
                                       "Even:4",
                                       "even:99999999999999999999999",
                                       "batch",
                                       "group:4" };
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
    SubGroups kind;
    guint k;
    ck_assert_msg(!sub_groups_parse(texts[i], &kind, &k), "'%s'", texts[i]);
  }
}
END_TEST

int main(void)
{
  TCase *tcase = tcase_create("groups");
  tcase_add_loop_test(tcase, test_none_is_one_group, 0, N_BATCHES);
  tcase_add_loop_test(tcase, test_sample_is_one_group_per_image, 0, N_BATCHES);
  tcase_add_loop_test(tcase, test_even_groups_except_the_last_have_k_images, 0, N_BATCHES);
  tcase_add_loop_test(tcase, test_recursive_groups_halve_the_remaining_images, 0, N_BATCHES);
  tcase_add_test(tcase, test_recursive_groups_of_a_power_of_two);
  tcase_add_loop_test(tcase, test_deals_differ, 0, N_PARTED - 1);
  tcase_add_loop_test(tcase, test_a_seed_gives_the_same_deals, 0, N_PARTED - 1);
  tcase_add_test(tcase, test_all_images_are_equally_likely_in_a_group);
  tcase_add_test(tcase, test_valid_text_is_parsed);
  tcase_add_test(tcase, test_other_text_is_refused);
  tcase_add_loop_test(tcase, test_random_groups_have_1_to_64_images, 0, N_BATCHES);
  tcase_add_loop_test(tcase, test_deals_differ, N_PARTED - 1, N_PARTED);
  tcase_add_loop_test(tcase, test_a_seed_gives_the_same_deals, N_PARTED - 1, N_PARTED);
  tcase_add_loop_test(tcase, test_recursive_groups_end_in_two_single_images, 0, N_BATCHES);
  return fixtures_run(tcase, "groups");
}
