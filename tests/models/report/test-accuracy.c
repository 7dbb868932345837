#include "report/accuracy.h"

#include <math.h>
#include <string.h>

#include "fixtures.h"

static const guint8 all_present[6] = { 1, 1, 1, 1, 1, 1 };

START_TEST(counts_top1_and_top5)
{
  const float scores[6] = { 6, 5, 4, 3, 2, 1 };
  Accuracy accuracy = { 0 };
  accuracy_count(&accuracy, scores, 6, 0, all_present);
  accuracy_count(&accuracy, scores, 6, 4, all_present);
  accuracy_count(&accuracy, scores, 6, 5, all_present);
  ck_assert_uint_eq(accuracy.labelled, 3);
  ck_assert_uint_eq(accuracy.top1, 1);
  ck_assert_uint_eq(accuracy.top5, 2);
}
END_TEST

START_TEST(images_of_unknown_class_are_counted_but_not_rated)
{
  const float scores[6] = { 1 };
  Accuracy accuracy = { 0 };
  accuracy_count(&accuracy, scores, 6, -1, all_present);
  ck_assert_uint_eq(accuracy.images, 1);
  ck_assert_uint_eq(accuracy.labelled, 0);
  ck_assert(isnan(accuracy_percent(accuracy.top1, &accuracy)));
}
END_TEST

START_TEST(absent_classes_do_not_compete)
{
  const float scores[6] = { 9, 1, 2, 8, 7, 3 };
  const guint8 present[6] = { 0, 1, 1, 0, 0, 1 };
  Accuracy accuracy = { 0 };
  accuracy_count(&accuracy, scores, 6, 5, present);
  accuracy_count(&accuracy, scores, 6, 2, present);
  ck_assert_uint_eq(accuracy.top1, 0);
  ck_assert_uint_eq(accuracy.among_present, 1);
}
END_TEST

START_TEST(equal_scores_favour_the_lower_index)
{
  const float scores[6] = { 1, 1, 1, 1, 1, 1 };
  Accuracy accuracy = { 0 };
  accuracy_count(&accuracy, scores, 6, 0, all_present);
  ck_assert_uint_eq(accuracy.top1, 1);
  accuracy_count(&accuracy, scores, 6, 1, all_present);
  ck_assert_uint_eq(accuracy.top1, 1);
  accuracy_count(&accuracy, scores, 6, 5, all_present);
  ck_assert_uint_eq(accuracy.top5, 2);
}
END_TEST

START_TEST(nan_is_never_right)
{
  const float scores[6] = { 1, NAN, 0, 0, 0, 0 };
  Accuracy accuracy = { 0 };
  accuracy_count(&accuracy, scores, 6, 1, all_present);
  accuracy_count(&accuracy, scores, 6, 0, all_present);
  ck_assert_uint_eq(accuracy.top1, 0);
}
END_TEST

START_TEST(percentages_are_of_labelled_images)
{
  const float scores[6] = { 6, 5, 4, 3, 2, 1 };
  Accuracy accuracy = { 0 };
  accuracy_count(&accuracy, scores, 6, 0, all_present);
  accuracy_count(&accuracy, scores, 6, 1, all_present);
  accuracy_count(&accuracy, scores, 6, -1, all_present);
  ck_assert_uint_eq(accuracy.images, 3);
  ck_assert_double_eq(accuracy_percent(accuracy.top1, &accuracy), 50.0);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("accuracy");
  tcase_add_test(tests, counts_top1_and_top5);
  tcase_add_test(tests, images_of_unknown_class_are_counted_but_not_rated);
  tcase_add_test(tests, absent_classes_do_not_compete);
  tcase_add_test(tests, equal_scores_favour_the_lower_index);
  tcase_add_test(tests, nan_is_never_right);
  tcase_add_test(tests, percentages_are_of_labelled_images);
  return fixtures_run(tests, "accuracy");
}
