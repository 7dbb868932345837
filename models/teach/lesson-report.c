#include "teach/lesson-report.h"

#include <math.h>

#include "base/clean-text.h"
#include "report/columns.h"
#include "report/report.h"

#define MAX_TABLE      12 /* classes whose confusions are shown as a table */
#define MAX_CONFUSIONS 10
#define MAX_DOUBTS     10
#define FEW_GROUPS     5 /* of a class; with fewer, accuracy is a guess */

/* ---- Text ---- */

/* Returns: (transfer full) */
static char *label_of(const Lesson *lesson, guint class)
{
  return vitgate__clean_text(lesson->examples->labels->pdata[class]);
}

static void print_classes(const Lesson *lesson)
{
  const Outcome *o = lesson->outcome;
  g_print("\n%-28s %8s %7s %9s%s\n", "class", "pictures", "groups", "right",
          lesson->several ? "  threshold     F1" : "");
  for (guint c = 0; c < o->n_classes; c++) {
    const OutcomeClass *class = &o->classes[c];
    g_autofree char *label = label_of(lesson, c), *padded = columns_pad(label, 28);
    g_print("%s %8u %7u %7.1f %%", padded, class->pictures, class->groups,
            100.0 * class->right / MAX(1, class->pictures));
    if (lesson->several)
      g_print("  %9.2f  %5.2f", class->threshold, class->f1);
    g_print("\n");
  }
}

static guint count_confusion(const Outcome *o, guint from, guint to)
{
  if (from == to)
    return o->classes[from].right;
  for (guint i = 0; i < o->confusions->len; i++) {
    const OutcomeConfusion *found = &g_array_index(o->confusions, OutcomeConfusion, i);
    if (found->from == from && found->to == to)
      return found->n;
  }
  return 0;
}

/* Columns have the numbers of the rows. */
static void print_table(const Lesson *lesson)
{
  const Outcome *o = lesson->outcome;
  g_print("\n%-30s taken for\n%-30s", "class", "");
  for (guint c = 0; c < o->n_classes; c++)
    g_print(" %4u", c + 1);
  g_print("\n");
  for (guint from = 0; from < o->n_classes; from++) {
    g_autofree char *label = label_of(lesson, from), *padded = columns_pad(label, 27);
    g_print("%2u %s", from + 1, padded);
    for (guint to = 0; to < o->n_classes; to++)
      g_print(" %4u", count_confusion(o, from, to));
    g_print("\n");
  }
}

static void print_confusions(const Lesson *lesson)
{
  const GArray *confusions = lesson->outcome->confusions;
  if (!confusions->len)
    return;
  if (lesson->outcome->n_classes <= MAX_TABLE) {
    print_table(lesson);
    return;
  }
  g_print("\nMost frequent confusions:\n");
  for (guint i = 0; i < MIN(confusions->len, MAX_CONFUSIONS); i++) {
    const OutcomeConfusion *found = &g_array_index(confusions, OutcomeConfusion, i);
    g_autofree char *from = label_of(lesson, found->from), *to = label_of(lesson, found->to);
    g_print("  %u of %s taken for %s\n", found->n, from, to);
  }
  if (confusions->len > MAX_CONFUSIONS)
    g_print("  and %u more pairs of classes\n", confusions->len - MAX_CONFUSIONS);
}

static void print_doubts(const Lesson *lesson)
{
  const GArray *doubts = lesson->outcome->doubts;
  if (!doubts->len)
    return;
  g_print("\nMost doubtful pictures; check that each is in the right class:\n");
  for (guint i = 0; i < MIN(doubts->len, MAX_DOUBTS); i++) {
    const OutcomeDoubt *doubt = &g_array_index(doubts, OutcomeDoubt, i);
    const Example *example = examples_get(lesson->examples, doubt->example);
    g_autofree char *path = vitgate__clean_text(example->path ? example->path : "(taught before)");
    g_autofree char *class = label_of(lesson, (guint)MAX(0, doubt->class));
    g_autofree char *guess = label_of(lesson, doubt->guess);
    if (lesson->several)
      g_print("  %s: %s %s is only %.0f %% probable\n", path,
              example->shown[doubt->class] ? "that it shows" : "that it does not show", class,
              100 * doubt->probability);
    else
      g_print("  %s: %s %.0f %%, %s %.0f %%\n", path, class, 100 * doubt->probability, guess,
              100 * doubt->guessed);
  }
  if (doubts->len > MAX_DOUBTS)
    g_print("  and %u more\n", doubts->len - MAX_DOUBTS);
}

static void print_advice(const Lesson *lesson)
{
  const Outcome *o = lesson->outcome;
  const guint weakest = outcome_weakest(o);
  const OutcomeClass *class = &o->classes[weakest];
  g_autofree char *label = label_of(lesson, weakest);
  guint n_few = 0;
  for (guint c = 0; c < o->n_classes; c++)
    n_few += o->classes[c].groups < FEW_GROUPS;
  g_print("\nWhat would help most: pictures of %s from other times and places", label);
  if (class->right < class->pictures)
    g_print(" (%u of %u were not recognised)", class->pictures - class->right, class->pictures);
  g_print(".\n");
  if (n_few)
    g_print("%u class%s fewer than %u groups of pictures; what is measured of %s is a guess.\n",
            n_few, n_few == 1 ? " has" : "es have", FEW_GROUPS, n_few == 1 ? "it" : "them");
}

static void print_groups(const Lesson *lesson)
{
  const Outcome *o = lesson->outcome;
  g_print("%u pictures in %u groups (--group-by %s). Pictures of a group were taken one after the "
          "other; accuracy is that on groups that the fit has not seen.\n",
          o->n, o->n_groups, grouping_name(lesson->options->grouping));
  for (guint i = 0; i < lesson->cut->len; i++) {
    const int class = g_array_index(lesson->cut, int, i);
    g_autofree char *label = class < 0 ? g_strdup("the data") : label_of(lesson, (guint) class);
    g_print("All pictures of %s are one group, which was cut into consecutive parts: accuracy may "
            "look too good.\n",
            label);
  }
}

static void print_accuracy(const Lesson *lesson)
{
  const Outcome *o = lesson->outcome;
  g_print("%s %.1f %% (95 %% interval %.1f to %.1f), by cross-validation; calibration error %.1f "
          "%%",
          lesson->several ? "All classes right:" : "Top-1", 100.0 * o->right / o->n, 100 * o->low,
          100 * o->high, 100 * o->calibration_error);
  if (lesson->several)
    g_print("; mean F1 %.2f", o->f1);
  g_print(".\n");
}

static void print_tuning(const Lesson *lesson)
{
  const Tuning *t = lesson->tuning;
  if (!t) {
    if (lesson->tuned_before)
      g_print("The network was fine-tuned with pictures that it was taught before: accuracy may "
              "look too good.\n");
    return;
  }
  if (t->left_out)
    g_print("Fine-tuning was left out: %s.\n", t->left_out);
  if (t->after.loss > 0)
    g_print("Fine-tuning of the last %u blocks (%u steps), by cross-validation in %u folds: %s "
            "%.1f %%, before %.1f %%; log loss %.3f, before %.3f.\n",
            t->n_blocks, t->steps, t->n_folds, lesson->several ? "all classes right" : "Top-1",
            100 * t->after.top1, 100 * t->before.top1, t->after.loss, t->before.loss);
}

static void print_unknown(const Lesson *lesson)
{
  if (!lesson->distance)
    return;
  g_print("Pictures of none of the classes: the score \"unknown\" is above 0.95 for at most 1 in "
          "20 of the classes' own pictures.\n");
  if (!isnan(lesson->auroc))
    g_print("Of %u others, it is above 0.95 for %.1f %%; AUROC %.3f.\n", lesson->n_others,
            100 * lesson->others_unknown, lesson->auroc);
}

static void print_skipped(const Lesson *lesson)
{
  if (lesson->unusable->len)
    g_print("%u pictures could not be used.\n", lesson->unusable->len);
  if (lesson->n_repeated)
    g_print("%u pictures were left out, since the same picture is in the class already.\n",
            lesson->n_repeated);
  if (lesson->n_unlabelled)
    g_print(
        "%u pictures were left out, since they are in no class's folder (or in \"doubtful\"), or "
        "labels.tsv says nothing about them.\n",
        lesson->n_unlabelled);
  if (lesson->n_known)
    g_print("%u pictures were left out, since the model was taught them before.\n",
            lesson->n_known);
}

static void print_stored(const Lesson *lesson)
{
  const guint n = lesson->examples->list->len;
  if (lesson->options->forget)
    g_print("It stores nothing of the pictures, so --add cannot continue from it.\n");
  else if (lesson->n_stored < n)
    g_print("It stores the features of %u of the %u pictures, as many as fit, for --add; "
            "--forget-features leaves them out.\n",
            lesson->n_stored, n);
  else
    g_print("It stores the features of the pictures, for --add; --forget-features leaves them "
            "out.\n");
}

void lesson_report_text(const Lesson *lesson)
{
  const LessonOptions *o = lesson->options;
  g_autofree char *out = vitgate__clean_text(o->out);
  g_autofree char *base = vitgate__clean_text(vitgate_model_get_info(lesson->model)->name);
  print_groups(lesson);
  print_skipped(lesson);
  print_accuracy(lesson);
  print_tuning(lesson);
  print_classes(lesson);
  print_confusions(lesson);
  print_doubts(lesson);
  print_advice(lesson);
  print_unknown(lesson);
  g_print("\nWritten to %s: %s with a head for %u classes, %.2f MB (%+.1f %%).\n", out, base,
          lesson->outcome->n_classes, (double)lesson->out_bytes / 1e6,
          100.0 * ((double)lesson->out_bytes / (double)lesson->base_bytes - 1));
  print_stored(lesson);
  g_print("%.1f s: pictures %.1f s, cross-validation and fit %.1f s.\n", lesson->seconds,
          lesson->seconds_pictures, lesson->seconds_fit);
}

/* ---- JSON ---- */

static void add_classes(const Lesson *lesson, JsonBuilder *json)
{
  const Outcome *o = lesson->outcome;
  json_builder_set_member_name(json, "classes");
  json_builder_begin_array(json);
  for (guint c = 0; c < o->n_classes; c++) {
    const OutcomeClass *class = &o->classes[c];
    json_builder_begin_object(json);
    report_string(json, "label", lesson->examples->labels->pdata[c]);
    report_count(json, "pictures", class->pictures);
    report_count(json, "groups", class->groups);
    report_number(json, "right", 100.0 * class->right / MAX(1, class->pictures));
    if (lesson->several) {
      report_number(json, "threshold", class->threshold);
      report_number(json, "f1", class->f1);
    }
    json_builder_end_object(json);
  }
  json_builder_end_array(json);
}

static void add_confusions(const Lesson *lesson, JsonBuilder *json)
{
  const Outcome *o = lesson->outcome;
  json_builder_set_member_name(json, "confusions");
  json_builder_begin_array(json);
  for (guint i = 0; i < o->confusions->len; i++) {
    const OutcomeConfusion *found = &g_array_index(o->confusions, OutcomeConfusion, i);
    json_builder_begin_object(json);
    report_string(json, "class", lesson->examples->labels->pdata[found->from]);
    report_string(json, "taken_for", lesson->examples->labels->pdata[found->to]);
    report_count(json, "pictures", found->n);
    json_builder_end_object(json);
  }
  json_builder_end_array(json);
}

static void add_doubts(const Lesson *lesson, JsonBuilder *json)
{
  const Outcome *o = lesson->outcome;
  json_builder_set_member_name(json, "doubtful");
  json_builder_begin_array(json);
  for (guint i = 0; i < o->doubts->len; i++) {
    const OutcomeDoubt *doubt = &g_array_index(o->doubts, OutcomeDoubt, i);
    json_builder_begin_object(json);
    report_string(json, "file", examples_get(lesson->examples, doubt->example)->path);
    report_string(json, "class", lesson->examples->labels->pdata[MAX(0, doubt->class)]);
    report_number(json, "probability", doubt->probability);
    report_string(json, "taken_for", lesson->examples->labels->pdata[doubt->guess]);
    json_builder_end_object(json);
  }
  json_builder_end_array(json);
}

static void add_strings(JsonBuilder *json, const char *name, const GPtrArray *strings)
{
  json_builder_set_member_name(json, name);
  json_builder_begin_array(json);
  for (guint i = 0; i < strings->len; i++) {
    g_autofree char *valid = g_utf8_make_valid(strings->pdata[i], -1);
    json_builder_add_string_value(json, valid);
  }
  json_builder_end_array(json);
}

static void add_unknown(const Lesson *lesson, JsonBuilder *json)
{
  if (!lesson->distance) {
    report_null(json, "unknown");
    return;
  }
  report_begin(json, "unknown");
  report_number(json, "median", lesson->distance->median);
  report_number(json, "limit", lesson->distance->limit);
  report_count(json, "others", lesson->n_others);
  report_number(json, "others_unknown", lesson->n_others ? 100 * lesson->others_unknown : NAN);
  report_number(json, "auroc", lesson->auroc);
  json_builder_end_object(json);
}

/* Adds what is about all pictures. */
static void add_pictures(const Lesson *lesson, JsonBuilder *json)
{
  g_autoptr(GPtrArray) cut = g_ptr_array_new();
  for (guint i = 0; i < lesson->cut->len; i++) {
    const int class = g_array_index(lesson->cut, int, i);
    g_ptr_array_add(cut, class < 0 ? "" : lesson->examples->labels->pdata[class]);
  }
  report_count(json, "pictures", lesson->outcome->n);
  report_count(json, "groups", lesson->outcome->n_groups);
  report_string(json, "group_by", grouping_name(lesson->options->grouping));
  add_strings(json, "cut_groups", cut);
  report_count(json, "taught_before", lesson->n_before);
  report_count(json, "known", lesson->n_known);
  report_count(json, "repeated", lesson->n_repeated);
  report_count(json, "unlabelled", lesson->n_unlabelled);
  add_strings(json, "unusable", lesson->unusable);
}

static void add_accuracy(const Lesson *lesson, JsonBuilder *json)
{
  const Outcome *o = lesson->outcome;
  const double interval[] = { 100 * o->low, 100 * o->high };
  report_string(json, "activation", lesson->several ? "sigmoid" : "softmax");
  report_number(json, lesson->several ? "all_right" : "top1", 100.0 * o->right / o->n);
  report_numbers(json, "interval", interval, 2);
  if (lesson->several)
    report_number(json, "f1", o->f1);
  report_number(json, "calibration_error", 100 * o->calibration_error);
  report_number(json, "log_loss", lesson->cross->loss);
  report_count(json, "folds", lesson->cross->n_folds);
  report_count(json, "views_seen", lesson->examples->n_views);
  report_count(json, "views", lesson->cross->n_views);
  report_number(json, "penalty", lesson->cross->penalty);
  report_number(json, "temperature", 1 / lesson->cross->factor);
}

static void add_score(const Lesson *lesson, JsonBuilder *json, const char *name,
                      const TuningScore *score)
{
  report_begin(json, name);
  report_number(json, lesson->several ? "all_right" : "top1", 100 * score->top1);
  report_number(json, "log_loss", score->loss);
  json_builder_end_object(json);
}

static void add_tuning(const Lesson *lesson, JsonBuilder *json)
{
  const Tuning *t = lesson->tuning;
  if (!t) {
    report_null(json, "fine_tuning");
    return;
  }
  report_begin(json, "fine_tuning");
  report_string(json, "left_out", t->left_out);
  report_count(json, "blocks", t->n_blocks);
  report_count(json, "steps", t->steps);
  report_count(json, "folds", t->n_folds);
  if (t->after.loss > 0) {
    add_score(lesson, json, "before", &t->before);
    add_score(lesson, json, "after", &t->after);
  }
  report_number(json, "seconds", lesson->seconds_tuning);
  json_builder_end_object(json);
}

void lesson_report_json(const Lesson *lesson)
{
  const LessonOptions *o = lesson->options;
  g_autoptr(JsonBuilder) json = json_builder_new();
  json_builder_begin_object(json);
  report_setting(json, vitgate_model_get_info(lesson->model), o->model, o->threads, 1);
  report_string(json, "output", o->out);
  report_count(json, "bytes", (guint64)lesson->out_bytes);
  report_count(json, "stored_pictures", lesson->n_stored);
  add_pictures(lesson, json);
  add_accuracy(lesson, json);
  add_tuning(lesson, json);
  add_classes(lesson, json);
  add_confusions(lesson, json);
  add_doubts(lesson, json);
  report_string(json, "weakest", lesson->examples->labels->pdata[outcome_weakest(lesson->outcome)]);
  add_unknown(lesson, json);
  report_number(json, "seconds", lesson->seconds);
  report_number(json, "seconds_pictures", lesson->seconds_pictures);
  report_number(json, "seconds_fit", lesson->seconds_fit);
  json_builder_end_object(json);
  report_print(json);
}
