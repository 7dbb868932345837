#include "commands/evaluation.h"

#include <math.h>

#include "base/clean-text.h"
#include "base/gate-control.h"
#include "base/granularity.h"
#include "report/columns.h"
#include "report/gate-usage.h"
#include "report/module-numbers.h"
#include "report/report.h"

/* Clamped, because rounding can push the mean of equal numbers past them. */
static double mean_gmacs(const Counts *counts)
{
  return CLAMP(counts->gmacs_sum / (double)counts->images, counts->gmacs_min, counts->gmacs_max);
}

static double mean_tokens(const Counts *counts)
{
  return (double)counts->tokens / (double)counts->images;
}

/* Returns: (transfer full): the mean of @sums over all images, laid out as described in
 * gate-usage.h */
static double *find_means(const Evaluation *eval, const double *sums)
{
  const guint n = 2 * eval->info->depth;
  double *usage = g_new(double, n + 1);
  for (guint m = 0; m < n; m++)
    usage[m] =
        module_numbers_has_module(eval->info, m) ? sums[m] / (double)eval->counts.images : NAN;
  return usage;
}

gboolean evaluation_has_dial(const VitgateModelInfo *info)
{
  return info->min_compute < info->max_compute;
}

double evaluation_dial(const Evaluation *eval)
{
  const VitgateModelInfo *info = eval->info;
  return eval->compute > 0 ? CLAMP(eval->compute, info->min_compute, info->max_compute)
                           : info->default_compute;
}

/* Returns a percentage, or NaN without a reference. */
static double agreement(const Evaluation *eval)
{
  return eval->reference ? 100.0 * (double)eval->counts.agreed / (double)eval->counts.images : NAN;
}

/* Returns a mean, or NaN without a reference. */
static double divergence(const Evaluation *eval)
{
  return eval->reference ? eval->counts.divergence / (double)eval->counts.images : NAN;
}

static double images_per_second(const Counts *counts)
{
  return (double)counts->images * G_USEC_PER_SEC / (double)MAX(counts->engine_us, 1);
}

static void report_accuracy(JsonBuilder *json, const Accuracy *accuracy)
{
  report_count(json, "images", accuracy->images);
  report_count(json, "labelled", accuracy->labelled);
  report_number(json, "top1", accuracy_percent(accuracy->top1, accuracy));
  report_number(json, "top5", accuracy_percent(accuracy->top5, accuracy));
  report_number(json, "top1_among_present", accuracy_percent(accuracy->among_present, accuracy));
}

/* Opens an object with the images' multiply-adds divided by @unit. The caller closes it. */
static void report_spread(JsonBuilder *json, const char *name, const Counts *counts, double unit)
{
  report_begin(json, name);
  report_number(json, "mean", mean_gmacs(counts) / unit);
  report_number(json, "min", counts->gmacs_min / unit);
  report_number(json, "max", counts->gmacs_max / unit);
}

static void report_compute(JsonBuilder *json, const Evaluation *eval)
{
  const VitgateModelInfo *info = eval->info;
  report_spread(json, "gmacs", &eval->counts, 1);
  report_number(json, "dense", info->dense_gmacs);
  json_builder_end_object(json);
  report_spread(json, "compute_ratio", &eval->counts, info->dense_gmacs);
  json_builder_end_object(json);
  report_begin(json, "tokens");
  report_number(json, "mean", mean_tokens(&eval->counts));
  report_count(json, "all", info->n_tokens);
  json_builder_end_object(json);
  g_autofree double *usage = find_means(eval, eval->counts.ran),
                    *tokens = find_means(eval, eval->counts.module_tokens);
  gate_usage_report(json, usage, info);
  report_numbers(json, "module_tokens", tokens, 2 * info->depth);
}

static SigmoidReport sigmoid_report(const Evaluation *eval)
{
  return (SigmoidReport){ eval->counts.scores, eval->dataset, eval->classes, eval->info };
}

/* Adds the members "overall" and "folders". */
static void report_folders(const Evaluation *eval, JsonBuilder *json)
{
  const Counts *counts = &eval->counts;
  report_begin(json, "overall");
  report_accuracy(json, &counts->overall);
  json_builder_end_object(json);
  report_begin(json, "folders");
  for (guint i = 0; i < eval->dataset->folders->len; i++) {
    if (!counts->folders[i].images)
      continue;
    g_autofree char *name = g_filename_display_name(g_ptr_array_index(eval->dataset->folders, i));
    report_begin(json, name);
    report_accuracy(json, &counts->folders[i]);
    json_builder_end_object(json);
  }
  json_builder_end_object(json);
}

static const char *const shown_names[N_SHOWN] = { "of_classes", "of_others", "of_unlabelled" };

static double unknown_percent(const UnknownCount *count)
{
  return count->images ? 100.0 * (double)count->unknown / (double)count->images : NAN;
}

static void report_unknown(JsonBuilder *json, const Evaluation *eval)
{
  if (!eval->info->has_unknown) {
    report_null(json, "unknown");
    return;
  }
  report_begin(json, "unknown");
  report_number(json, "threshold", eval->unknown_threshold);
  for (guint i = 0; i < N_SHOWN; i++) {
    const UnknownCount *count = &eval->counts.unknown[i];
    report_begin(json, shown_names[i]);
    report_count(json, "images", count->images);
    report_count(json, "unknown", count->unknown);
    report_number(json, "percent", unknown_percent(count));
    json_builder_end_object(json);
  }
  json_builder_end_object(json);
}

void evaluation_print_json(const Evaluation *eval)
{
  const SigmoidReport sigmoid = sigmoid_report(eval);
  const Counts *counts = &eval->counts;
  g_autofree char *granularity = granularity_to_text(&eval->options);
  g_autoptr(JsonBuilder) json = json_builder_new();
  json_builder_begin_object(json);
  report_setting(json, eval->info, eval->path, eval->options.threads, eval->options.max_batch);
  report_string(json, "stored_precision", eval->stored);
  report_string(json, "granularity", granularity);
  report_string(json, "gate_control", gate_control_name(eval->control));
  report_number(json, "compute", evaluation_has_dial(eval->info) ? evaluation_dial(eval) : NAN);
  report_count(json, "images", counts->images);
  report_count(json, "skipped", counts->skipped);
  if (counts->scores)
    eval_sigmoid_report(&sigmoid, json);
  else
    report_folders(eval, json);
  report_unknown(json, eval);
  report_compute(json, eval);
  report_number(json, "agreement", agreement(eval));
  report_number(json, "divergence", divergence(eval));
  report_count(json, "parameters", eval->info->n_parameters);
  report_number(json, "images_per_second", images_per_second(counts));
  json_builder_end_object(json);
  report_print(json);
}

static void print_row(const Evaluation *eval, const char *name, const Accuracy *accuracy)
{
  g_autofree char *clean = vitgate__clean_text(name), *padded = columns_pad(clean, 20);
  g_print("%s %7" G_GUINT64_FORMAT, padded, accuracy->images);
  if (accuracy->labelled == 0) {
    g_print("       -       -\n");
    return;
  }
  g_print(" %7.1f %7.1f", accuracy_percent(accuracy->top1, accuracy),
          accuracy_percent(accuracy->top5, accuracy));
  if (eval->among_present)
    g_print(" %15.1f", accuracy_percent(accuracy->among_present, accuracy));
  g_print("\n");
}

static void print_usage(const Evaluation *eval)
{
  g_autofree double *usage = find_means(eval, eval->counts.ran);
  const int width = gate_usage_kinds(eval->info) & GATES_FOR_TOKENS ? 16 : 10;
  g_print("\nshare of %s for which each module ran\n%8s %*s %*s\n",
          gate_usage_shares_of(eval->info), "block", width, "attention", width, "mlp");
  for (guint i = 0; i < eval->info->depth; i++) {
    g_autofree char *attention = gate_usage_to_text(usage, eval->info, 2 * i),
                    *mlp = gate_usage_to_text(usage, eval->info, 2 * i + 1);
    g_print("%8u %*s %*s\n", i, width, attention, width, mlp);
  }
}

static void print_compute(const Evaluation *eval)
{
  const Counts *counts = &eval->counts;
  const VitgateModelInfo *info = eval->info;
  const double dense = info->dense_gmacs;
  const guint threads = eval->options.threads;
  g_autofree char *name = vitgate__clean_text(info->name);
  g_autofree char *granularity = granularity_to_text(&eval->options);
  g_print("\n%s, stored as %s, products in %s, %u thread%s, batches of %u: %.1f images/s in the "
          "engine\n",
          name, eval->stored, vitgate_precision_name(info->precision), threads,
          threads == 1 ? "" : "s", eval->options.max_batch, images_per_second(counts));
  if (gate_usage_kinds(info))
    g_print("gates: granularity %s\n", granularity);
  if (eval->control)
    g_print("control of token gates: %s\n", gate_control_name(eval->control));
  if (evaluation_has_dial(info))
    g_print("dial: compute %.3f of %.3f to %.3f\n", evaluation_dial(eval), info->min_compute,
            info->max_compute);
  g_print("GMACs: mean %.3f, min %.3f, max %.3f, dense %.3f; %" G_GUINT64_FORMAT " parameters\n",
          mean_gmacs(counts), counts->gmacs_min, counts->gmacs_max, dense, info->n_parameters);
  g_print("compute ratio: mean %.3f, min %.3f, max %.3f\n", mean_gmacs(counts) / dense,
          counts->gmacs_min / dense, counts->gmacs_max / dense);
  g_print("tokens left: mean %.1f of %u\n", mean_tokens(counts), info->n_tokens);
  if (eval->reference)
    g_print("same %s as the reference: %.1f %% of images; divergence from it: %.4f\n",
            counts->scores ? "labels" : "label", agreement(eval), divergence(eval));
}

static void print_unknown(const Evaluation *eval)
{
  static const char *const names[N_SHOWN] = { "classes of the model", "other things",
                                              "anything (without a label)" };
  if (!eval->info->has_unknown)
    return;
  g_print("\nunknown, with a score of %g and more\n", eval->unknown_threshold);
  for (guint i = 0; i < N_SHOWN; i++) {
    const UnknownCount *count = &eval->counts.unknown[i];
    if (count->images)
      g_print("  %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " photographs of %s: %.1f %%\n",
              count->unknown, count->images, names[i], unknown_percent(count));
  }
}

static void print_folders(const Evaluation *eval)
{
  const Counts *counts = &eval->counts;
  g_print("%-20s %7s %7s %7s%s\n", "folder", "images", "Top-1", "Top-5",
          eval->among_present ? "   among present" : "");
  for (guint i = 0; i < eval->dataset->folders->len; i++)
    if (counts->folders[i].images)
      print_row(eval, g_ptr_array_index(eval->dataset->folders, i), &counts->folders[i]);
  print_row(eval, "all", &counts->overall);
}

void evaluation_print_table(const Evaluation *eval)
{
  const Counts *counts = &eval->counts;
  const SigmoidReport sigmoid = sigmoid_report(eval);
  if (counts->scores)
    eval_sigmoid_print(&sigmoid);
  else
    print_folders(eval);
  print_unknown(eval);
  print_compute(eval);
  if (counts->skipped)
    g_print("%" G_GUINT64_FORMAT " skipped\n", counts->skipped);
  if (gate_usage_kinds(eval->info))
    print_usage(eval);
}
