#include "commands/eval-sigmoid.h"

#include <math.h>

#include "base/clean-text.h"
#include "base/command-error.h"
#include "report/columns.h"

/* Returns a percentage. A folder that is named after a class shows no other class, so that the
 * class's average precision would always be 1 there. */
static double folder_precision(const SigmoidReport *report, int folder)
{
  guint n_classes;
  if (folder != SCORE_TABLE_ALL && report->classes->folder_is_class[folder])
    return NAN;
  return 100 * score_table_mean_precision(report->scores, folder, &n_classes);
}

static void report_classes(const SigmoidReport *report, JsonBuilder *json)
{
  json_builder_set_member_name(json, "classes");
  json_builder_begin_array(json);
  for (guint c = 0; c < report->info->n_classes; c++) {
    guint n_shown;
    const double precision = score_table_precision(report->scores, SCORE_TABLE_ALL, c, &n_shown);
    if (!n_shown)
      continue;
    json_builder_begin_object(json);
    report_count(json, "index", c);
    report_string(json, "label", report->info->labels[c]);
    report_count(json, "photographs", n_shown);
    report_number(json, "average_precision", 100 * precision);
    json_builder_end_object(json);
  }
  json_builder_end_array(json);
}

void eval_sigmoid_report(const SigmoidReport *report, JsonBuilder *json)
{
  report_begin(json, "overall");
  report_count(json, "labelled", score_table_count(report->scores, SCORE_TABLE_ALL));
  report_number(json, "mean_average_precision", folder_precision(report, SCORE_TABLE_ALL));
  report_classes(report, json);
  json_builder_end_object(json);
  report_begin(json, "folders");
  for (guint i = 0; i < report->dataset->folders->len; i++) {
    g_autofree char *name = g_filename_display_name(g_ptr_array_index(report->dataset->folders, i));
    const guint n = score_table_count(report->scores, (int)i);
    if (!n)
      continue;
    report_begin(json, name);
    report_count(json, "labelled", n);
    report_number(json, "mean_average_precision", folder_precision(report, (int)i));
    json_builder_end_object(json);
  }
  json_builder_end_object(json);
}

static void print_row(const char *name, guint n, double percent)
{
  g_autofree char *clean = vitgate__clean_text(name), *padded = columns_pad(clean, 20);
  g_print("%s %11u", padded, n);
  if (isnan(percent))
    g_print("       -\n");
  else
    g_print(" %7.1f\n", percent);
}

void eval_sigmoid_print(const SigmoidReport *report)
{
  const ScoreTable *scores = report->scores;
  guint n_classes = 0;
  g_print("%-20s %11s %7s\n", "folder", "photographs", "mAP");
  for (guint i = 0; i < report->dataset->folders->len; i++) {
    const guint n = score_table_count(scores, (int)i);
    if (n)
      print_row(g_ptr_array_index(report->dataset->folders, i), n,
                folder_precision(report, (int)i));
  }
  print_row("all", score_table_count(scores, SCORE_TABLE_ALL),
            folder_precision(report, SCORE_TABLE_ALL));
  g_print("\n%-20s %11s %7s\n", "class", "photographs", "AP");
  for (guint c = 0; c < report->info->n_classes; c++) {
    guint n_shown;
    const double precision = score_table_precision(scores, SCORE_TABLE_ALL, c, &n_shown);
    if (!n_shown)
      continue;
    print_row(report->info->labels[c], n_shown, 100 * precision);
    n_classes++;
  }
  if (n_classes < report->info->n_classes)
    g_print("no photograph shows the other %u classes\n", report->info->n_classes - n_classes);
}
