#include "report/score-table.h"

#include <math.h>

#include "fixtures.h"

/* Returns: (transfer full): a table of one class; @shown: one letter for each of @scores, 'y' if
 * the photograph shows the class; the folder is its place modulo 2 */
static ScoreTable *make_table(const float *scores, const char *shown)
{
  ScoreTable *table = score_table_new((guint)strlen(shown), 1, NULL);
  ck_assert_ptr_nonnull(table);
  for (guint i = 0; shown[i]; i++) {
    g_autoptr(GArray) set = g_array_new(FALSE, FALSE, sizeof(guint));
    const guint class = 0;
    if (shown[i] == 'y')
      g_array_append_val(set, class);
    score_table_add(table, i % 2, &scores[i], set);
  }
  return table;
}

static double precision_of(const float *scores, const char *shown)
{
  ScoreTable *table = make_table(scores, shown);
  guint n;
  const double precision = score_table_precision(table, SCORE_TABLE_ALL, 0, &n);
  score_table_free(&table);
  return precision;
}

/* The expected values are those of scikit-learn's average_precision_score(). */
START_TEST(average_precision_of_a_ranking)
{
  const float scores[] = { 0.9f, 0.8f, 0.7f, 0.6f, 0.5f };
  ck_assert_double_eq_tol(precision_of(scores, "yyynn"), 1, 1e-12);
  ck_assert_double_eq_tol(precision_of(scores, "nnnny"), 0.2, 1e-12);
  ck_assert_double_eq_tol(precision_of(scores, "ynyny"), (1 + 2 / 3.0 + 3 / 5.0) / 3, 1e-12);
  ck_assert_double_eq_tol(precision_of(scores, "nynyn"), 0.5, 1e-12);
}
END_TEST

START_TEST(equal_scores_share_the_lowest_rank)
{
  const float scores[] = { 0.9f, 0.5f, 0.5f, 0.5f };
  ck_assert_double_eq_tol(precision_of(scores, "nyny"), 0.5, 1e-12);
  ck_assert_double_eq_tol(precision_of(scores, "yynn"), 0.75, 1e-12);
}
END_TEST

START_TEST(a_score_that_is_not_a_number_comes_last)
{
  const float scores[] = { NAN, 0.1f, INFINITY, NAN };
  ck_assert_double_eq_tol(precision_of(scores, "nyyn"), 1, 1e-12);
  ck_assert_double_eq_tol(precision_of(scores, "ynnn"), 0.25, 1e-12);
}
END_TEST

START_TEST(a_class_that_no_photograph_shows_has_no_precision)
{
  const float scores[] = { 0.9f, 0.5f };
  ScoreTable *table = make_table(scores, "nn");
  guint n;
  ck_assert(isnan(score_table_mean_precision(table, SCORE_TABLE_ALL, &n)));
  ck_assert_uint_eq(n, 0);
  score_table_free(&table);
}
END_TEST

START_TEST(photographs_are_selected_by_folder)
{
  const float scores[] = { 0.9f, 0.8f, 0.7f, 0.6f };
  ScoreTable *table = make_table(scores, "nyyn");
  guint n;
  ck_assert_uint_eq(score_table_count(table, 0), 2);
  ck_assert_uint_eq(score_table_count(table, SCORE_TABLE_ALL), 4);
  ck_assert_double_eq_tol(score_table_precision(table, 0, 0, &n), 0.5, 1e-12);
  ck_assert_double_eq_tol(score_table_precision(table, 1, 0, &n), 1, 1e-12);
  ck_assert_uint_eq(n, 1);
  score_table_free(&table);
}
END_TEST

START_TEST(too_many_scores_are_an_error)
{
  g_autoptr(GError) error = NULL;
  ck_assert_ptr_null(score_table_new(G_MAXUINT, G_MAXUINT, &error));
  assert_error(error, "scores of 4294967295 photographs");
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("score-table");
  tcase_add_test(tests, average_precision_of_a_ranking);
  tcase_add_test(tests, equal_scores_share_the_lowest_rank);
  tcase_add_test(tests, a_score_that_is_not_a_number_comes_last);
  tcase_add_test(tests, a_class_that_no_photograph_shows_has_no_precision);
  tcase_add_test(tests, photographs_are_selected_by_folder);
  tcase_add_test(tests, too_many_scores_are_an_error);
  return fixtures_run(tests, "score-table");
}
